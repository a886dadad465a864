"""
The path language into JSON: names of objects and numbers of lists with dots between them, `radios.0.channel`.

    rows_of({"ports": [{"up": True}, {}]}, "ports", {"link": "up"})
    → (Row("0", {"link": True}), Row("1", {}))

`.` alone is where one stands: `rows: "."` where the answer itself is the table, `values: {load: "."}` where a row is
a bare number. Names that have a dot of their own cannot be reached by a path; as `key` of a row they can.
"""

import math
from collections.abc import Mapping

from agent.outcome import Row
from contract.sample import Value

MOST_ROWS = 4096


class TooManyRowsError(ValueError):
    """A table is larger than any that is read."""


def rows_of(tree: object, rows: str, values: Mapping[str, str]) -> tuple[Row, ...]:
    """
    Return the rows: one for each item of the list or object at `rows`, or a single one without `rows`.

    `key` is the item's number in the list, from 0, or its name in the object. What is missing, null, not a finite
    number, or again a list or object, is absent from its row. Where `rows` leads to no list or object there are none.
    TooManyRowsError where there are more than 4,096.
    """
    if not rows:
        return (_row("", tree, values),)
    table = found(tree, rows)
    if isinstance(table, Mapping | list) and len(table) > MOST_ROWS:
        raise TooManyRowsError(f"has more than {MOST_ROWS} rows")
    if isinstance(table, Mapping):
        return tuple(_row(str(name), item, values) for name, item in table.items())
    if isinstance(table, list):
        return tuple(_row(str(number), item, values) for number, item in enumerate(table))
    return ()


def found(tree: object, path: str) -> object:
    """Return what is at a path, None where there is nothing."""
    for step in path.split(".") if path != "." else ():
        if isinstance(tree, Mapping):
            tree = tree.get(step)
        elif isinstance(tree, list) and step.isascii() and step.isdecimal() and int(step) < len(tree):
            tree = tree[int(step)]
        else:
            return None
    return tree


def _row(key: str, item: object, values: Mapping[str, str]) -> Row:
    read = ((name, _value(found(item, path))) for name, path in values.items())
    return Row(key, {name: value for name, value in read if value is not None})


def _value(given: object) -> Value | None:
    """Return a raw value; None where it is not one."""
    if isinstance(given, float):
        return given if math.isfinite(given) else None  # Python's JSON reads NaN and Infinity too
    return given if isinstance(given, str | int) else None
