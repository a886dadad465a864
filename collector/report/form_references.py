"""
References of formulas when rows are put in: what lies below moves, ranges that reach the last row of a table grow.

    rows 6-8 become 6-11:   C9 ─▶ C12      SUM(C6:C8) ─▶ SUM(C6:C11)      C8 stays      $C$6:$C8, in these rows, stays
"""

import re
from typing import NamedTuple

from openpyxl.formula import Tokenizer
from openpyxl.formula.tokenizer import Token, TokenizerError
from openpyxl.utils import quote_sheetname

from contract.errors import SantongError

_CELLS = re.compile(r"(\$?[A-Za-z]{1,3})?(\$?)(\d{1,7})(?::(\$?[A-Za-z]{1,3})?(\$?)(\d{1,7}))?")


class BadFormula(SantongError):
    """A formula of the template in which no references can be found."""


class Inserted(NamedTuple):
    """`more` rows put in below the `last` row of a table that begins with row `first`."""

    sheet: str
    first: int
    last: int
    more: int

    def row(self, number: int) -> int:
        """Return where a row is now."""
        return number + self.more if number > self.last else number

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Return where rows are now, which grow where they reach the table's last row."""
        if first <= self.last == last and (first < last or self.first == self.last):
            return first, last + self.more
        return self.row(first), self.row(last)

    def holds(self, row: int) -> bool:
        """Tell whether a row is one of the table."""
        return self.first <= row <= self.last

    def cells(self, reference: str, *, within: bool = False) -> str:
        """
        Return a reference to cells of the sheet, without its name; `within`: from a row of the table itself.

        There a range ends in the own row, unless its end is $absolute: it is as long as the row says.
        """
        match = _CELLS.fullmatch(reference)
        if match is None:
            return reference
        column, fixed, first = match[1] or "", match[2], int(match[3])
        if match[6] is None:
            return f"{column}{fixed}{self.row(first)}" if column else reference
        last, begin = int(match[6]), int(match[3])
        grows = not within or bool(match[5])
        begin, end = self.span(first, last) if grows else (self.row(first), self.row(last))
        return f"{column}{fixed}{begin}:{match[4] or ''}{match[5]}{end}"

    def reference(self, text: str, home: str, *, within: bool = False) -> str:
        """Return a reference as formulas have it, with or without a sheet's name; `home` is the formula's sheet."""
        name, mark, cells = text.rpartition("!")
        sheet = name[1:-1].replace("''", "'") if name.startswith("'") else name
        if (sheet or home) != self.sheet:
            return text
        return f"{name}{mark}{self.cells(cells, within=within)}"

    def formula(self, text: str, home: str, *, within: bool = False) -> str:
        """Return a formula, which begins with =, with all its references."""
        try:
            tokens = Tokenizer(text).items
        except TokenizerError as error:
            raise BadFormula(f"sheet {home!r}: the formula {text} cannot be read: {error}") from None
        return "=" + "".join(
            self.reference(token.value, home, within=within)
            if token.type == Token.OPERAND and token.subtype == Token.RANGE
            else token.value
            for token in tokens
        )

    def bare(self, text: str, home: str, *, within: bool = False) -> str:
        """Return a formula without its =, as rules and names have it."""
        return self.formula(f"={text}", home, within=within)[1:] if text else text

    def area(self, text: str) -> str:
        """Return areas of the sheet, parted by commas or blanks, without its name; a cell alone grows with its row."""
        pieces = re.split(r"([, ]+)", text.replace(quote_sheetname(self.sheet) + "!", "").replace(f"{self.sheet}!", ""))
        return "".join(piece if number % 2 else self._grown(piece) for number, piece in enumerate(pieces))

    def _grown(self, piece: str) -> str:
        is_cell = re.fullmatch(r"\$?[A-Z]+\$?\d+", piece)
        return self.cells(f"{piece}:{piece}" if is_cell and piece.endswith(str(self.last)) else piece)
