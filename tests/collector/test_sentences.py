"""Each verdict has a plain sentence in both languages, which says what decided and never flatters."""

import re
import string
from collections.abc import Mapping

import pytest

from collector.sentences import sentence_of_target, sentence_of_unit
from collector.targets.schema import Day, Declared, Rule, Target
from collector.verify.results import TARGET_WHYS, UNIT_WHYS, Interval, TargetResult, UnitResult, Verdict
from collector.verify.throughput import unit_result
from collector.words import SENTENCES
from firmware_profiles.schema import Slug, Title

CLASSES = Target(
    Slug("classes"), Title("班级", "classes"), unit="class", rule=Rule(days=0.9, minutes=40), share=1.0, at_least=270,
    declared=Declared(0.8, "示例局年报", Day(2016, 12, 31)),
)  # fmt: skip
FIGURES: Mapping[str, float] = {"days": 22, "days_good": 13, "never_on": 2}
UNIT = UnitResult("441802-1/r3", "示例中学 七(3)班", "441802-1", Verdict.FAIL, Interval(0.61, 0.8), {}, FIGURES)


def of_classes(passed: int, failed: UnitResult | None, why: str, *, unproven: int = 0) -> TargetResult:
    """Return a result over classes."""
    good = UnitResult(
        "441802-1/r1", "示例中学 七(1)班", "441802-1", Verdict.PASS, Interval(1.0, 1.0), {}, {}, "days_pass"
    )
    open_ = UNIT._replace(verdict=Verdict.NOT_PROVEN, why="days_not_proven")
    units = (*[good] * passed, *([failed] if failed else []), *[open_] * unproven)
    verdict = Verdict(why.partition("_")[2])
    return TargetResult(CLASSES, verdict, Interval(0.5, 0.5), units, why)


def test_every_reason_has_its_words() -> None:
    """No unit and no target has a reason that cannot be said, and no sentence is dead."""
    nouns = {f"units_of_{unit}" for unit in ("site", "class", "device")}
    assert SENTENCES.keys() == UNIT_WHYS | TARGET_WHYS | nouns


def test_both_languages_tell_the_same() -> None:
    """The Chinese and the English sentence have the same figures in them, and no word that people never see."""
    for chinese, english in SENTENCES.values():
        named = [{field for _, field, _, _ in string.Formatter().parse(text) if field} for text in (chinese, english)]
        assert named[0] - {"each"} == named[1] - {"fail"}
        assert not re.search(r"\b(slot|spool|epoch|batch|A_low|in_scope)\b", english)
        assert re.search("[一-鿿]", chinese)


def test_the_worst_class_is_named_with_what_it_did() -> None:
    """A target that fails says how many classes do, which is the worst, and what it could have reached at best."""
    other = UNIT._replace(id="441802-1/r4", title="示例中学 七(4)班", rate=Interval(0.7, 0.85), why="days_fail")
    result = of_classes(38, UNIT._replace(why="days_fail"), "units_fail")
    result = result._replace(units=(*result.units, other))
    assert sentence_of_target(result, "en") == (
        "2 of 40 classes fail: the worst, 示例中学 七(3)班, worked on 61 % of its school days; 80 % at best "
        "(90 % is asked for)"
    )
    assert sentence_of_target(result, "zh") == (
        "40 个班级中 2 个不合格：最差的是示例中学 七(3)班，在 61% 的上课日正常使用，最多 80%（要求 90%）"
    )


def test_what_is_short_of_a_threshold_is_not_called_that() -> None:
    """899 of 999 days are 89.9 %, never 90 %: figures are cut, not rounded."""
    unit = UNIT._replace(rate=Interval(899 / 999, 899 / 999), why="days_fail")
    assert "89.9 %" in sentence_of_unit(unit, CLASSES, "en")
    assert "90 % of" in sentence_of_unit(unit._replace(rate=Interval(0.9, 0.9)), CLASSES, "en")


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (of_classes(3, None, "units_pass"), "3 of 3 classes are proven; 3 are needed"),
        (of_classes(1, UNIT._replace(why="never_on"), "units_fail"),
         "1 of 2 classes fails: the worst, 示例中学 七(3)班, was never switched on, on 2 school days"),
        (of_classes(3, None, "number_fail"), "of 270 classes that were promised 3 can be proven at best"),
        (of_classes(3, None, "number_not_proven", unproven=2),
         "of 270 classes that were promised 3 are proven, and 5 may be"),
        (TargetResult(CLASSES, Verdict.FAIL, None, (), "declared_fail"),
         "only 80 % was declared (示例局年报, 2016-12-31) and 100 % promised; declared, not measured"),
        (TargetResult(CLASSES, Verdict.NOT_PROVEN, None, (), "empty_scope"),
         "the roster has nothing that this target is about"),
    ],
)  # fmt: skip
def test_sentences(result: TargetResult, said: str) -> None:
    """Each kind of verdict is said in one sentence."""
    assert sentence_of_target(result, "en") == said


@pytest.mark.parametrize("why", sorted(UNIT_WHYS))
def test_every_unit_can_be_told(why: str) -> None:
    """The figures that a unit has by its rule are enough for its sentence, in both languages."""
    tests = {"throughput": [18.0, 19.5, 21, 22, 23, 24, 25, 26], "too": [20.0]}.get(why.partition("_")[0], [])
    figures = unit_result(("x", "x", "x"), tests, 1, 20.0).figures
    unit = UNIT._replace(why=why, figures={**figures, **FIGURES})
    for language in ("zh", "en"):
        said = sentence_of_unit(unit, CLASSES, language)
        assert said.startswith("示例中学 七(3)班") and "{" not in said
