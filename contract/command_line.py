"""How the commands of both ends fail where something is wrong: a line for each mistake, and an exit code."""

import sqlite3
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

from contract.errors import SantongError


def fail(error: object, code: int = 2) -> NoReturn:
    """Say on stderr what is wrong, and end with `code`."""
    print(error, file=sys.stderr)
    raise SystemExit(code)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn the product's own errors, the system's and those of a file of SQLite into one line and exit code 2."""
    try:
        yield
    except (SantongError, sqlite3.Error) as error:
        fail(error)
    except OSError as error:
        fail(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "))
