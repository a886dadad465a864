"""A date as people write it in a file: `2016-12-31`."""

from datetime import date
from typing import Self


class Day(date):
    """A date, `2016-12-31`."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the date; ValueError says how one is written."""
        try:
            return cls.fromisoformat(text)
        except ValueError:
            raise ValueError(f"{text!r} is not a date such as 2016-12-31") from None
