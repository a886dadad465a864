"""
SQL: the text of statements. Nothing here touches a file.

Values in a text are the names of the measurement table, so S608 does not apply; all else are arguments.
"""

# ruff: noqa: S608

from collections.abc import Collection, Iterable, Sequence

from contract.measurements import Kind, Measurement

LAST_TIME = 2**63 - 1
COLUMN_TYPES = {Kind.FLOAT: "REAL", Kind.INTEGER: "INTEGER", Kind.STRING: "TEXT"}


def key_columns(row: Measurement) -> tuple[str, ...]:
    """Return the columns that tell series apart."""
    return ("device", "source", *row.tags)


def names(columns: Iterable[str]) -> str:
    """Return columns in quotes."""
    return ", ".join(f'"{column}"' for column in columns)


def create(row: Measurement) -> str:
    """Return the statement that creates a table where it is missing."""
    keys = "".join(f'"{key}" TEXT NOT NULL, ' for key in key_columns(row))
    fields = "".join(f'"{field.name}" {COLUMN_TYPES[field.kind]}, ' for field in row.fields)
    primary = names((*key_columns(row), "time"))
    return (
        f'CREATE TABLE IF NOT EXISTS "{row.name}" ({keys}"time" INTEGER NOT NULL, {fields}PRIMARY KEY ({primary}))'
        " WITHOUT ROWID"
    )


def upsert(row: Measurement) -> str:
    """Return the statement that stores a point: its fields join those there."""
    keys = (*key_columns(row), "time")
    fields = [field.name for field in row.fields]
    columns = names((*keys, *fields))
    marks = ", ".join("?" * (len(keys) + len(fields)))
    merged = ", ".join(f'"{name}" = COALESCE(excluded."{name}", "{name}")' for name in fields)
    return f'INSERT INTO "{row.name}" ({columns}) VALUES ({marks}) ON CONFLICT ({names(keys)}) DO UPDATE SET {merged}'


def where_series(row: Measurement) -> str:
    """Return the condition of one series: its arguments are the key."""
    return " AND ".join(f'"{key}" = ?' for key in key_columns(row))


def select(row: Measurement, what: str, order: str = "") -> str:
    """Return the query for one series and period: its arguments are the key, the start and the end."""
    return f'SELECT {what} FROM "{row.name}" WHERE {where_series(row)} AND time >= ? AND time < ? {order}'


def next_series(row: Measurement) -> str:
    """
    Return the query for the key that follows another one.

    The time is compared, too, with the last that there is: from the bare key SQLite would step over all its points.
    """
    keys = names(key_columns(row))
    marks = ", ".join("?" * len(key_columns(row)))
    return f'SELECT {keys} FROM "{row.name}" WHERE ({keys}, "time") > ({marks}, {LAST_TIME}) ORDER BY {keys} LIMIT 1'


def points(row: Measurement, fields: Sequence[str], have: Collection[str], order: str) -> str:
    """
    Return the query for time and fields of the points of a series that have any of the fields.

    A reader may be newer than the file: fields that are not among the columns it has are absent from every point.
    """
    wanted = [f'"{field}"' if field in have else "NULL" for field in fields]
    some = " OR ".join(f"{column} IS NOT NULL" for column in wanted)
    return select(row, ", ".join(("time", *wanted)), f"AND ({some}) {order}")


def expire(row: Measurement) -> str:
    """Return the statement that deletes the old end of a series: its arguments are the key and the oldest time."""
    return f'DELETE FROM "{row.name}" WHERE {where_series(row)} AND time < ?'
