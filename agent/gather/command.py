"""
A program's output: the source `command` of a profile, and `run` for the sources that need a program themselves.

How it is run, and what it does not get, stands in `agent.programs`.
"""

import json
import os
import re
import sys
from collections.abc import Iterator, Sequence

from agent.deadline import Deadline
from agent.gather.paths import TooManyRowsError, rows_of
from agent.gather.read import Read
from agent.outcome import Outcome, Row, Unable
from agent.programs import MOST_ERROR, bounded
from contract.sample import Value
from firmware_profiles.sources import Command

MOST_TEXT = 64 << 10  # of one value
MOST_ROWS = 1000
_FURTHER_PATH = ("/usr/local/sbin", "/usr/sbin", "/sbin", "/opt/vc/bin")  # of services, and of old Raspberry Pi OS


def read(ask: Read) -> Outcome:
    """Return what a program prints, as its format says; Unable when there is no program, or it fails."""
    text = run(ask.what.argv, ask.timeout)
    return Outcome(True, rows=rows(ask.what, text), details={"output": text[:MOST_ERROR]})


def rows(what: Command, text: str) -> tuple[Row, ...]:
    """Return the rows of an output; Unable where it is not of the format."""
    if what.format == "json":
        try:
            return rows_of(json.loads(text), what.rows, what.values)
        except TooManyRowsError as error:
            raise Unable(f"what {what.argv[0]} printed {error}") from None
        except ValueError as error:
            raise Unable(f"{what.argv[0]} did not print JSON: {error}") from None
        except RecursionError:
            raise Unable(f"{what.argv[0]} printed JSON that is nested too deep") from None
    if what.format == "pairs":
        return (Row("", pairs(text, what.separator)),)
    if what.format == "regex":
        return tuple(_matched(what, text))
    return (Row("", {"text": _short(what.argv[0], text.strip())}),)


def pairs(text: str, separator: str = "=") -> dict[str, Value]:
    """Return the values of lines of name, separator, value; lines without one are passed over."""
    split = (line.partition(separator) for line in text.splitlines())
    return {name.strip(): value.strip() for name, found, value in split if found and name.strip()}


def _matched(what: Command, text: str) -> Iterator[Row]:
    """Yield a row a match where `rows` is each, else one of the first match; groups that took no part are absent."""
    many = what.rows == "each"
    for number, match in enumerate(re.finditer(what.pattern or "", text)):
        if number >= MOST_ROWS:
            raise Unable(f"{what.argv[0]} printed more than {MOST_ROWS} rows")
        groups = {name: _short(what.argv[0], value) for name, value in match.groupdict().items() if value is not None}
        key = groups.pop("key", str(number))
        yield Row(key if many else "", groups)
        if not many:
            return


def _short(program: str, text: str) -> str:
    if len(text) > MOST_TEXT:
        raise Unable(f"{program} printed a value of more than {MOST_TEXT >> 10} KiB: take a part of it, with regex")
    return text


def run(argv: Sequence[str], timeout_s: float) -> str:
    """
    Run a program and return what it printed, at most 1 MiB within the time.

    Unable when it is not installed, fails (with the first line of its complaint), prints or takes more.
    """
    if sys.platform == "win32":
        raise Unable("programs are asked on Linux only")
    path = search_path()
    try:
        said = bounded(argv, Deadline(timeout_s), path)
    except FileNotFoundError:
        raise Unable(f"{argv[0]} is not installed, or not in {path}") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise Unable(f"{argv[0]} cannot be started: {reason}") from None
    if said.code is None:
        raise Unable(f"{argv[0]} did not end within {timeout_s:g} s")
    if said.code:
        raise Unable(f"{argv[0]} {_ended(said.code)}{_first_line(said.error or said.out)}")
    return said.out


def search_path() -> str:
    """Return where programs are looked for."""
    path = os.environ.get("PATH", os.defpath).split(os.pathsep)
    return os.pathsep.join(dict.fromkeys([*path, *_FURTHER_PATH]))


def _ended(status: int) -> str:
    return f"was ended by signal {-status}" if status < 0 else f"failed with status {status}"


def _first_line(output: str) -> str:
    lines = (line.strip() for line in output.splitlines())
    first = next((line for line in lines if line), "")
    clean = "".join(c if c.isprintable() else " " for c in first)[:200]
    return f": {clean}" if clean else ""
