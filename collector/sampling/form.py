"""
What inspectors take along: a page to print for each, and a table to fill.

HTML in one file, without anything from elsewhere: A4 across, ten classes a page, so that pages are known before they
are printed.
"""

import csv
import io
from collections.abc import Iterator, Sequence
from html import escape
from itertools import groupby

from collector.sampling.draw import Draw, Drawn
from collector.sampling.filled import HEADINGS, Seen
from collector.words import Language, word

ROWS_A_PAGE = 10
SEEN_WORDS = {
    Seen.USABLE: "seen_usable",
    Seen.UNUSABLE: "seen_unusable",
    Seen.OFF: "seen_off",
    Seen.ABSENT: "seen_absent",
    Seen.NOT_ACCESSIBLE: "seen_not_accessible",
}
_TIME: dict[Language, str] = {"zh": "月　　日　　:　　", "en": "/　　　　:　　"}
_RULES = ("form_rule_first", "form_rule_usable", "form_rule_time")
_STYLE = """
@page { size: A4 landscape; margin: 12mm 14mm }
* { box-sizing: border-box }
body { margin: 0; color: #111; font-size: 10.5pt; line-height: 1.35;
  font-family: "Noto Sans CJK SC", "Source Han Sans SC", "Microsoft YaHei", SimSun, sans-serif }
section { position: relative; width: 269mm; height: 185mm; break-after: page; overflow: hidden }
section:last-child { break-after: auto }
h1 { margin: 0 0 2mm; font-size: 16pt; text-align: center; letter-spacing: .08em }
p.facts { margin: 0 0 1.5mm; display: flex; flex-wrap: wrap; gap: 0 8mm }
p.facts b { font-weight: 600 }
ol { margin: 0 0 2mm; padding-left: 6mm; font-size: 9pt; line-height: 1.3 }
table { width: 100%; border-collapse: collapse; table-layout: fixed }
th, td { border: .3mm solid #333; padding: .6mm 1.2mm; vertical-align: middle; overflow: hidden }
th { background: #eee; font-size: 8pt; font-weight: 600; line-height: 1.2; print-color-adjust: exact }
td { height: 11.4mm; padding: .3mm 1mm; font-size: 10pt; line-height: 1.15 }
td div { max-height: 10.8mm; overflow: hidden; overflow-wrap: anywhere }
td small { display: block; color: #444; font-size: 7pt; line-height: 1.2 }
td.box { text-align: center; font-size: 14pt }
td.number { text-align: center; font-size: 9pt; white-space: nowrap }
.blank { display: inline-block; min-width: 42mm; border-bottom: .3mm solid #333 }
footer { position: absolute; bottom: 0; left: 0; right: 0 }
footer p { margin: 0 0 2.5mm; display: flex; gap: 10mm }
footer p.print { margin: 0; justify-content: space-between; color: #444; font-size: 8pt }
@media screen { body { background: #ccc } section { margin: 14mm auto; background: #fff; outline: 8mm solid #fff } }
"""


def form(draw: Draw, language: Language) -> str:
    """Return the pages of all inspectors as one HTML file."""
    pages = "\n".join(page for who, some in _by_inspector(draw) for page in _pages(draw, who, some, language))
    title = f"{word('form_title', language)} {draw.id}"
    return (
        f'<!DOCTYPE html>\n<html lang="{"zh-CN" if language == "zh" else "en"}">\n<meta charset="utf-8">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n<body>\n{pages}\n</body>\n</html>\n"
    )


def table(draw: Draw, language: Language) -> bytes:
    """Return the table to fill as CSV: UTF-8 with BOM, which spreadsheets need to see that it is."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    at = 1 if language == "zh" else 0
    titles = {one.name: (one.name, one.headers[0])[at] for one in HEADINGS}
    codes = " ".join(f"{number} {word(key, language)}" for number, key in enumerate(SEEN_WORDS.values(), start=1))
    seen = f"{titles['seen']} ({codes})"
    school, title = word("school", language), word("unit_class", language)
    head = [titles["sample"], titles["inspector"], titles["class_id"], school, title, seen]
    writer.writerow([*head, titles["date"], titles["time"], titles["remarks"]])
    for drawn in draw.classes:
        one = drawn.one
        names = map(_harmless, (drawn.inspector, one.room, one.site_name, one.title))
        writer.writerow([draw.id, *names, "", "", "", ""])
    return "\ufeff".encode() + text.getvalue().encode()


def _harmless(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula: schools fill in the names of the roster."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@")) else text


def _by_inspector(draw: Draw) -> Iterator[tuple[str, list[Drawn]]]:
    for who, some in groupby(draw.classes, key=lambda drawn: drawn.inspector):
        yield who, list(some)


def _pages(draw: Draw, who: str, classes: Sequence[Drawn], language: Language) -> Iterator[str]:
    pages = -(-len(classes) // ROWS_A_PAGE)
    for page in range(pages):
        first = page * ROWS_A_PAGE
        rows = "\n".join(
            _row(first + number, drawn, language)
            for number, drawn in enumerate(classes[first : first + ROWS_A_PAGE], start=1)
        )
        yield (
            f"<section>\n<h1>{word('form_title', language)}</h1>\n{_facts(draw, who, len(classes), language)}\n"
            f"{_rules(language)}\n<table>\n{_head(language)}\n<tbody>\n{rows}\n</tbody>\n</table>\n"
            f"{_foot(draw, page + 1, pages, language)}\n</section>"
        )


def _facts(draw: Draw, who: str, number: int, language: Language) -> str:
    facts = [
        ("inspector", escape(who) if who else '<span class="blank">&nbsp;</span>'),
        ("sample", draw.id),
        ("sample_day", draw.question.day),
        ("classes", str(number)),
    ]
    return f'<p class="facts">{"".join(_fact(key, value, language) for key, value in facts)}</p>'


def _fact(key: str, value: str, language: Language) -> str:
    return f"<span>{word(key, language)}{_colon(language)}<b>{value}</b></span>"


def _rules(language: Language) -> str:
    return f"<ol>{''.join(f'<li>{escape(word(rule, language))}</li>' for rule in _RULES)}</ol>"


def _head(language: Language) -> str:
    widths = (8, 56, 30, *[17] * len(SEEN_WORDS), 30, 26)
    boxes = [f"{number} {word(key, language)}" for number, key in enumerate(SEEN_WORDS.values(), start=1)]
    before, behind = (("school", "unit_class"), ("visit_time", "sign_school", "remarks"))
    titles = ["", *(word(key, language) for key in before), *boxes, *(word(key, language) for key in behind)]
    columns = "".join(f'<col style="width:{width}mm">' for width in widths) + "<col>"
    cells = "".join(f"<th>{escape(title)}</th>" for title in titles)
    return f"<colgroup>{columns}</colgroup>\n<thead><tr>{cells}</tr></thead>"


def _row(number: int, drawn: Drawn, language: Language) -> str:
    one = drawn.one
    address = f"<small>{escape(one.address)}</small>" if one.address else ""
    place = one.room.removeprefix(one.site).lstrip("/.")
    boxes = '<td class="box">☐</td>' * len(SEEN_WORDS)
    return (
        f'<tr><td class="number">{number}</td><td><div>{escape(one.site_name)}{address}</div></td>'
        f"<td><div>{escape(one.title)}<small>{escape(place)}</small></div></td>{boxes}"
        f'<td class="number time">{_TIME[language]}</td><td></td><td></td></tr>'
    )


def _foot(draw: Draw, page: int, pages: int, language: Language) -> str:
    keys = ("sign_inspector", "sign_inspector", "visit_date")
    blank = '<span class="blank">&nbsp;</span>'
    lines = "".join(f"<span>{word(key, language)}{_colon(language)}{blank}</span>" for key in keys)
    question = draw.question
    print_line = (
        f"<span>{word('seed', language)} {escape(question.seed)} · {word('roster_hash', language)} "
        f"{question.roster_sha256[:16]}</span><span>{word('page_of', language).format(page=page, pages=pages)}</span>"
    )
    return f'<footer><p>{lines}</p><p class="print">{print_line}</p></footer>'


def _colon(language: Language) -> str:
    return "：" if language == "zh" else ": "
