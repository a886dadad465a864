"""
Source `snmp`: objects and tables of a switch, an access point or the controller of many of them.

    get       one GET
    columns   GETBULK of all columns together, until each has ended
    where     key: a GET of that row; a column's value: GETBULK of that column, then a GET of the rows found

So one access point among many costs its controller a few packets. Tables whose index begins with that of the row found
(radios of an access point: its MAC address and a number) belong to it: a row for each, whose key is the rest of it.
"""

from collections.abc import Iterator, Mapping, Sequence

from agent.gather.read import Read
from agent.gather.snmp_session import Session
from agent.gather.snmp_values import Oid, Raw, dotted, fits, index_of, oid, value_of
from agent.outcome import Failed, Outcome, Row, Unable
from firmware_profiles.sources import Snmp

MOST_ROWS = 4096
_BINDINGS = 32  # in one answer to GETBULK: about one Ethernet frame
_KEY = "key"
_Values = dict[str, Raw]


def read(ask: Read) -> Outcome:
    """Read what the profile asks for; `rtt_ms` is the round trip of the first answer."""
    what: Snmp = ask.what
    if unknown := [name for name in what.where if name != _KEY and name not in what.columns]:
        raise Unable(f"where: {', '.join(unknown)} is none of the profile's columns")
    with Session(ask.way, what.port, ask.timeout) as device:
        try:
            rows = (*_scalars(device, what.get), *_table(device, what))
        except Failed as failed:
            failed.fields = {**device.measured(), **failed.fields}
            raise
        return Outcome(True, rows=rows, fields=device.measured())


def _scalars(device: Session, names: Mapping[str, str]) -> Iterator[Row]:
    if names:
        asked = {name: oid(text) for name, text in names.items()}
        found = device.get(tuple(asked.values()))
        yield Row("", {name: value_of(found[number]) for name, number in asked.items() if number in found})


def _table(device: Session, what: Snmp) -> Iterator[Row]:
    columns = {name: oid(text) for name, text in what.columns.items()}
    if not columns:
        return
    if not what.where:
        yield from _rows(_by_index(columns, walk(device, tuple(columns.values()))))
        return
    found = _chosen(device, columns, what.where)
    if not found:
        said = ", ".join(f"{name} = {text}" for name, text in what.where.items())
        raise Failed("row", f"the device has no row where {said}")
    for index, rows in found.items():
        yield from _rows({(rest if rest and len(found) == 1 else index + rest): row for rest, row in rows.items()})


def _chosen(device: Session, columns: Mapping[str, Oid], where: Mapping[str, str]) -> dict[Oid, dict[Oid, _Values]]:
    """Return the rows that are as `where` says, by index, each with those below it, by the rest of theirs."""
    wanted = {name: text for name, text in where.items() if name != _KEY}
    looked_at = {index: _row(device, columns, index, wanted) for index in _indices(device, columns, where)}
    return {index: rows for index, rows in looked_at.items() if rows}


def _indices(device: Session, columns: Mapping[str, Oid], where: Mapping[str, str]) -> list[Oid]:
    """Return the rows to look at: the key's, or those with the value in the first column that `where` names."""
    if _KEY in where:
        return [index_of(where[_KEY])]
    name, text = next(iter(where.items()))
    (found,) = walk(device, (columns[name],)).values()
    return [index for index, raw in found.items() if fits(raw, text)]


def _row(device: Session, columns: Mapping[str, Oid], index: Oid, wanted: Mapping[str, str]) -> dict[Oid, _Values]:
    """Return the row of an index (by nothing) and those below it; none where a value is not the one that is wanted."""
    found = device.get([column + index for column in columns.values()])
    row = {name: found[column + index] for name, column in columns.items() if column + index in found}
    if not all(name in row and fits(row[name], text) for name, text in wanted.items()):
        return {}
    missing = {name: column + index for name, column in columns.items() if name not in row}
    below = _by_index(missing, walk(device, tuple(missing.values())))
    return ({(): row} if row else {}) | below


def walk(device: Session, columns: Sequence[Oid]) -> dict[Oid, dict[Oid, Raw]]:
    """
    Return each column's values by index.

    A column ends where the device goes on with another, has nothing more, or does not go on at all (an identifier that
    is not greater than the last one). Failed when it does not end within `MOST_ROWS`.
    """
    found: dict[Oid, dict[Oid, Raw]] = {column: {} for column in columns}
    at = {column: column for column in columns}  # those that have not ended, and the last identifier of each
    while at:
        before = dict(at)
        asked = tuple(at)
        answer = device.bulk(tuple(at.values()), max(1, _BINDINGS // len(asked)))
        for number, (name, raw) in enumerate(answer):
            column = asked[number % len(asked)]
            if column not in at:
                continue
            if raw is None or name[: len(column)] != column or name <= at[column]:
                del at[column]
                continue
            at[column] = name
            found[column][name[len(column) :]] = raw
            if len(found[column]) > MOST_ROWS:
                raise Failed("answer", f"{dotted(column)} has more than {MOST_ROWS} rows")
        if at == before:  # an empty answer
            break
    return found


def _by_index(columns: Mapping[str, Oid], found: Mapping[Oid, Mapping[Oid, Raw]]) -> dict[Oid, _Values]:
    """Join columns: the values of one index are a row."""
    rows: dict[Oid, _Values] = {}
    for name, column in columns.items():
        for index, raw in found[column].items():
            rows.setdefault(index, {})[name] = raw
    return dict(sorted(rows.items()))


def _rows(rows: Mapping[Oid, _Values]) -> Iterator[Row]:
    for index, row in rows.items():
        yield Row(dotted(index), {name: value_of(raw) for name, raw in row.items()})
