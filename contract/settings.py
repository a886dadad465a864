"""
Settings: one NamedTuple of sections, read from TOML, environment and flags; every mistake at once, each with its path.

    class Round(NamedTuple):
        every: Seconds = Seconds(60)

    class Settings(NamedTuple):
        agent: DeviceName
        round: Round = Round()

    settings = load(Settings, Path("agent.toml"), os.environ, {"agent": "441802-1.c1"})

`SANTONG_ROUND_EVERY=30s` stands above the file, a flag above both. A type that has a class method `parse(text)` which
raises ValueError is a type of setting. A `tuple[Section, …]` is a list of tables, `[[section]]`, a `Mapping[str, X]`
a table with keys of the user's own; both come from the file alone and have no variable. Not a general library: no
optional sections, and it stays small because an agent of 20 MB loads it.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Literal, NamedTuple, Self, TypeVar, Union, get_args, get_origin, get_type_hints

from contract.errors import ConfigError, Problem
from contract.meant import did_you_mean

T = TypeVar("T")
PREFIX = "SANTONG_"
POSITIVE = "above 0"  # a mark: Annotated[int, POSITIVE]
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_SIZES = {"B": 1, "kB": 1000, "KB": 1000, "KiB": 1 << 10, "MB": 10**6, "MiB": 1 << 20, "GB": 10**9, "GiB": 1 << 30}


class OneOf(NamedTuple):
    """A mark: `Annotated[Any, OneOf("source", {"file": File})]` is the section whose kind the key `source` tells."""

    key: str
    kinds: Mapping[str, Any]


class Seconds(float):
    """A duration: `60s`, `2m`, `8h`, or a number of seconds."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the duration in seconds."""
        match = re.fullmatch(r"(\d+(?:\.\d+)?)(ms|s|min|m|h|d)?", text)
        if match:
            return cls(float(match[1]) * _UNITS[match[2] or "s"])
        guess = text.translate(str.maketrans("OoIl", "0011"))
        hint = f", did you mean {guess}" if re.fullmatch(r"\d+(\.\d+)?(ms|s|min|m|h|d)", guess) else " such as 60s"
        raise ValueError(f"{text!r} is not a duration{hint}")


class Size(int):
    """A size in bytes: `256MiB`, or a number of bytes."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the size in bytes."""
        match = re.fullmatch(r"(\d+)([A-Za-z]+)?", text)
        if not match or (match[2] or "B") not in _SIZES:
            raise ValueError(f"{text!r} is not a size such as 256MiB")
        return cls(int(match[1]) * _SIZES[match[2] or "B"])


class Pattern(str):
    """A regular expression."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the expression; ValueError says what is wrong with it."""
        try:
            re.compile(text)
        except re.error as error:
            raise ValueError(f"{text!r} is not a regular expression: {error}") from None
        return cls(text)


def load(
    kind: type[T], file: Path | None, environment: Mapping[str, str], flags: Mapping[str, object] | None = None
) -> T:
    """
    Return the settings; ConfigError lists every mistake.

    `flags` has dotted paths (`broker.url`); a flag that is None was not given.
    """
    source = str(file) if file else "settings"
    tree = _read(file) if file else {}
    problems: list[Problem] = []
    for path, hint in leaves(kind):
        if (value := environment.get(variable(path))) is not None:
            _put(tree, path, _from_text(hint, value))
        if flags and flags.get(path) is not None:
            _put(tree, path, flags[path])
    settings = _section(kind, tree, "", problems)
    if problems:
        raise ConfigError(source, sorted(problems))
    return settings  # type: ignore[no-any-return]


def section(kind: type[T], texts: Mapping[str, str], source: str) -> T:
    """Return one section made of texts, as a command line has them; ConfigError lists every mistake."""
    problems: list[Problem] = []
    hints = _hints(kind)
    tree = {name: _from_text(hints[name], text) if name in hints else text for name, text in texts.items()}
    made = _section(kind, tree, "", problems)
    if problems:
        raise ConfigError(source, sorted(problems))
    return made  # type: ignore[no-any-return]


def checked(kind: type[T], tree: object, source: str) -> T:
    """Return one section made of plain values (of TOML, YAML, JSON); ConfigError lists every mistake."""
    problems: list[Problem] = []
    made = _section(kind, tree, "", problems)
    if problems:
        raise ConfigError(source, problems)
    return made  # type: ignore[no-any-return]


def plain(value: Any) -> Any:
    """Return settings as plain values, as JSON can hold them; `checked` makes settings of them again."""
    if hasattr(value, "_asdict"):
        return {name: plain(inner) for name, inner in value._asdict().items()}
    if isinstance(value, Mapping):
        return {name: plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [plain(inner) for inner in value]
    return str(value) if isinstance(value, Path) else value


def hide_password(url: str) -> str:
    """Return the URL with *** for a password, fit for logs."""
    return re.sub(r"(\w:/*[^:'\"]*):[^'\"]*@", r"\1:***@", url)


def variable(path: str) -> str:
    """Return the name of the environment variable for a dotted path."""
    return PREFIX + path.replace(".", "_").upper()


def leaves(kind: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dotted path and type of every setting that has one value; lists of tables are left out."""
    for name, hint in _hints(kind).items():
        if _is_section(hint):
            yield from leaves(hint, f"{prefix}{name}.")
        elif not _is_tables(hint) and get_origin(hint) is not Mapping:
            yield prefix + name, hint


def _hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind, include_extras=True)


def _is_section(hint: Any) -> bool:
    return isinstance(hint, type) and issubclass(hint, tuple) and hasattr(hint, "_fields") and not _parses(hint)


def _is_tables(hint: Any) -> bool:
    return get_origin(hint) is tuple and _is_section(get_args(hint)[0])


def _parses(hint: Any) -> bool:
    return hasattr(hint, "parse")


def _read(file: Path) -> dict[str, Any]:
    import tomllib  # noqa: PLC0415  not needed where variables say all

    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))  # Windows' Notepad begins files with its mark
    except FileNotFoundError:
        raise ConfigError(str(file), [Problem("", "no such file")]) from None
    except OSError as error:
        raise ConfigError(str(file), [Problem("", f"cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        raise ConfigError(str(file), [Problem("", f"is not UTF-8 (line {line}): save the file as UTF-8")]) from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(str(file), [Problem("", f"is not TOML: {error}{_full_width(file, str(error))}")]) from None


def _full_width(file: Path, said: str) -> str:
    """Return which letter of Chinese punctuation stands in the line that is wrong, where one does."""
    at = re.search(r"line (\d+)", said)
    line = file.read_text(encoding="utf-8-sig").split("\n")[int(at[1]) - 1] if at else ""
    wide = re.search("[“”‘’，：＝［］｛｝\u3000]", line.partition("#")[0])
    return f"; '{wide[0]}' is full-width: write the one of ASCII" if wide else ""


def _put(tree: dict[str, Any], path: str, value: object) -> None:
    *sections, name = path.split(".")
    for section in sections:
        inner = tree.setdefault(section, {})
        if not isinstance(inner, dict):
            return  # the section itself is wrong and will be reported
        tree = inner
    tree[name] = value


def _from_text(hint: Any, text: str) -> object:
    """Give a variable's text the TOML type its setting has; what does not fit is left for the check to report."""
    if get_origin(hint) is Annotated:
        hint = get_args(hint)[0]
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    for kind in kinds:
        if get_origin(kind) is tuple:
            return [_from_text(get_args(kind)[0], part.strip()) for part in text.split(",") if part.strip()]
    if bool in kinds:
        return {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}.get(text.lower(), text)
    for number in (int, float):
        if number in kinds:
            try:
                return number(text)
            except ValueError:
                return text
    return text


def _section(kind: Any, tree: object, path: str, problems: list[Problem]) -> Any:
    if not isinstance(tree, Mapping):
        problems.append(Problem(path, f"is a section, not {hide_password(repr(tree))}"))
        return None
    if isinstance(kind, OneOf):
        kind = _kind_of(kind, tree, path, problems)
    if kind is None:
        return None
    hints = _hints(kind)
    for name in tree.keys() - hints.keys():
        hint = did_you_mean(name, hints) or f"; there are {', '.join(hints)}"
        problems.append(Problem(_join(path, name), f"is not known{hint}"))
    values = {}
    for name, hint in hints.items():
        if name in tree:
            values[name] = _value(hint, tree[name], _join(path, name), problems)
        elif name in kind._field_defaults:
            values[name] = kind._field_defaults[name]
        elif _is_section(hint):
            values[name] = _section(hint, {}, _join(path, name), problems)
        else:
            problems.append(Problem(_join(path, name), "is missing"))
    return kind(**values) if not problems else None


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _value(hint: Any, value: object, path: str, problems: list[Problem]) -> Any:
    if _is_section(hint):
        return _section(hint, value, path, problems)
    if get_origin(hint) is Annotated and isinstance(get_args(hint)[1], OneOf):
        return _section(get_args(hint)[1], value, path, problems)
    if get_origin(hint) is Mapping and isinstance(value, Mapping):
        inside = get_args(hint)[1]
        return {str(name): _value(inside, inner, _join(path, str(name)), problems) for name, inner in value.items()}
    if get_origin(hint) is tuple and isinstance(value, list | tuple):
        return tuple(_value(get_args(hint)[0], item, f"{path}[{n}]", problems) for n, item in enumerate(value))
    try:
        if _is_tables(hint):
            raise TypeError(f"is a list of sections, each begins with [[{path}]]")
        return _convert(hint, value)
    except (ValueError, TypeError) as error:
        problems.append(Problem(path, str(error)))
        return None


def _kind_of(mark: OneOf, value: Mapping[str, Any], path: str, problems: list[Problem]) -> Any:
    """Return the kind of section that its own key tells; None where that is wrong."""
    name = str(value.get(mark.key))
    if name in mark.kinds:
        return mark.kinds[name]
    known = f"; there are {', '.join(mark.kinds)}"
    wrong = (
        f"{name!r} is not known{did_you_mean(name, mark.kinds) or known}" if mark.key in value else f"is missing{known}"
    )
    problems.append(Problem(_join(path, mark.key), wrong))
    return None


def _convert(hint: Any, value: object) -> Any:
    origin = get_origin(hint)
    if hint is Any:
        return value
    if origin is Annotated:
        return _positive(_convert(get_args(hint)[0], value))
    if origin in (Union, UnionType):
        return None if value is None else _convert(next(a for a in get_args(hint) if a is not type(None)), value)
    if origin is Literal:
        return _choice(get_args(hint), value)
    if origin is tuple:
        raise TypeError(f"{value!r} is not a list")
    if origin is Mapping:
        raise TypeError(f"is a table of names and values, not {hide_password(repr(value))}")
    if isinstance(value, hint) and not (isinstance(value, bool) and hint is not bool):
        return value
    return _scalar(hint, value)


def _positive(value: float) -> float:
    if 0 < value < float("inf"):
        return value
    raise ValueError(f"{value:g} is too little: above 0 is needed")


def _choice(choices: Sequence[Any], value: object) -> object:
    if value in choices:
        return value
    names = [str(choice) for choice in choices]
    raise ValueError(f"{value!r} is none of {', '.join(names)}{did_you_mean(str(value), names)}")


def _number(hint: Any, value: Any) -> Any:
    """Take a number as it is, for its text may be 1e-05; a negative one or a size of 1.5 is refused like its text."""
    is_whole = isinstance(value, int) or issubclass(hint, float)
    return hint(value) if is_whole and 0 <= value <= _LARGEST else hint.parse(str(value))


_LARGEST = 2**63 - 1  # of TOML's own whole numbers
_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", Path: "a path"}


def _scalar(hint: Any, value: object) -> Any:
    if issubclass(hint, StrEnum):
        return hint(str(_choice([each.value for each in hint], value)))
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if _parses(hint):
        if isinstance(value, str):
            return hint.parse(value)
        if is_number and issubclass(hint, int | float):
            return _number(hint, value)
        raise TypeError(f"{hide_password(repr(value))} is not text")
    if hint is float and is_number:
        return float(value)  # type: ignore[arg-type]
    if hint is Path and isinstance(value, str | os.PathLike):
        return Path(value)
    raise TypeError(f"{value!r} is not {_WORDS.get(hint, hint.__name__)}")
