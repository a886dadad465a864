"""How the commands at the edge end where something is wrong: a line for each mistake, and an exit code."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import typer

from contract.errors import SantongError


def fail(error: object, code: int = 2) -> NoReturn:
    """Say what is wrong, and end."""
    typer.echo(str(error), err=True)
    raise typer.Exit(code)


@contextmanager
def one_line_errors() -> Iterator[None]:
    """Turn the product's own errors into a line for each mistake and exit code 2."""
    try:
        yield
    except SantongError as error:
        fail(error)
    except OSError as error:
        fail(f"{error.filename or ''}: {error.strerror or error}".lstrip(": "))
