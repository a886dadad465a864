"""
The text of the queries, in InfluxQL as 1.6, 2.x and 3 read it, with Grafana's variables and macros in it.

One statement a query, and one measurement: of several statements Grafana shows the first alone, and 1.6 does not add up
two measurements at a time.
"""

# ruff: noqa: S608  the only values in these texts are the dashboards' own

from collections.abc import Iterable, Mapping

from collector.verify.causes import Cause
from deploy.grafana.parts import ZONE

# What Grafana makes of variables: a list for those that allow several, `.*` for all of them.
COUNTIES = '"county" =~ /^$county$/'
SITES = f'{COUNTIES} AND "site" =~ /^$site$/'
SITE = "\"site\" = '$site'"
DEVICE = "\"device\" = '$device'"
CLASSES = "\"criterion\" = '$classes'"
HOTSPOTS = "\"criterion\" = '$hotspots'"
DAILY = "time(1d)"
STEP = "time($__interval)"
# The end of the chosen period, so that what is old can be looked at as it was then.
TODAY = "time > ${__to}ms - 24h AND time <= ${__to}ms"  # one midnight: the points of one day
# What the roster says has a point a day, at midnight; days are judged the night after: a period of hours has neither.
NAMED = "time > ${__from}ms - 25h AND time <= ${__to}ms"
JUDGED = "time > ${__from}ms - 8d AND time <= ${__to}ms"
RECENTLY = "time > ${__to}ms - 15m AND time <= ${__to}ms"


def evidence(measurement: str) -> str:
    """Return a measurement with its retention policy."""
    return f'"evidence"."{measurement}"'


def telemetry(measurement: str) -> str:
    """Return a measurement with its retention policy."""
    return f'"telemetry"."{measurement}"'


def select(what: str, of: str, where: str, groups: str = "", fill: str = "", *, local: bool = False) -> str:
    """Return a query over the chosen period; `local` days are those of the people's zone."""
    condition = f"{where} AND $timeFilter" if where else "$timeFilter"
    grouped = f" GROUP BY {groups}" if groups else ""
    filled = f" fill({fill})" if fill else ""
    return f"SELECT {what} FROM {of} WHERE {condition}{grouped}{filled}{_zone() if local else ''}"


def by_day(what: str, of: str, where: str, groups: str = "", fill: str = "none") -> str:
    """Return a query by days of the people's zone."""
    return select(what, of, where, f"{DAILY}, {groups}" if groups else DAILY, fill, local=True)


def today(what: str, of: str, where: str) -> str:
    """Return a query over the points of the chosen period's last day."""
    return f"SELECT {what} FROM {of} WHERE {where} AND {TODAY}"


def recent(what: str, of: str, where: str, groups: str) -> str:
    """Return a query over the last minutes of the chosen period."""
    return f"SELECT {what} FROM {of} WHERE {where} AND {RECENTLY} GROUP BY {groups}"


def within(what: str, query: str, where: str = "", groups: str = "", fill: str = "") -> str:
    """Return a query over what another one gives, over the same period."""
    return select(what, f"({query})", where, groups, fill)


def names(called: Mapping[str, str], tag: str, where: str) -> str:
    """Return what the roster says of each site or device, as rows of one table: Grafana reads only so many series."""
    named = ", ".join(f'last("{field}") AS "{name}"' for field, name in called.items())
    columns = ", ".join(f'"{name}"' for name in (*called.values(), tag))
    return of_the_day_before(within(columns, select(named, roster_of(tag), where, f'"{tag}"')))


def of_the_day_before(query: str) -> str:
    """Return a query over the chosen period and the day before it."""
    return query.replace("$timeFilter", NAMED)


def roster_of(level: str) -> str:
    """Return the measurement that names devices, or the much smaller one that names sites and counties."""
    return evidence("roster" if level == "device" else "site_roster")


def least(field: str, most: int, others: Iterable[str], query: str, *, greatest: bool = False) -> str:
    """Return the rows of a query with the least values of a column, or the greatest, with other columns of theirs."""
    columns = "".join(f', "{other}"' for other in others)
    return within(f'{"top" if greatest else "bottom"}("{field}", {most}) AS "{field}"{columns}', query)


def counted(query: str, where: str = "") -> str:
    """Return how many rows a query of `recent` gives, whose column is called `value`."""
    return f'SELECT count("value") FROM ({query}){f" WHERE {where}" if where else ""}'


def sums(fields: Iterable[str]) -> str:
    """Return the sum of the sums of fields."""
    return " + ".join(f'sum("{field}")' for field in fields)


def share(part: str, whole: str) -> str:
    """Return the sum of a field as a share of that of another one; 1.6 divides integers as integers."""
    return f'sum("{part}") * 1.0 / sum("{whole}")'


def works(causes: Iterable[Cause]) -> str:
    """Return the share of minutes that are proven good among those that count; 1.6 divides integers as integers."""
    return f'sum("{Cause.WORKING}") * 1.0 / ({sums(causes)})'


def entries(level: str, where: str = "") -> str:
    """Return the entries of the roster of counties, sites or devices, to choose from."""
    entry = select(f'last("{level}_entry") AS "entry"', roster_of(level), where, f'"{level}"')
    return of_the_day_before(within('"entry"', entry))


def criteria(hours: str) -> str:
    """
    Return the criteria by which days in the period, or just before it, were judged.

    Without the policy, which is the default one: 3 takes it off the measurements of SELECT alone.
    """
    condition = f'"criterion" =~ /^{hours}-/ AND {JUDGED}'
    return f'SHOW TAG VALUES FROM "site_availability" WITH KEY = "criterion" WHERE {condition}'


def _zone() -> str:
    return f" tz('{ZONE}')"
