"""When people come: school days, lessons, and the calendars file that says the same to the verifier."""

from datetime import UTC, date, datetime, timedelta, timezone
from typing import NamedTuple

from simulator.spans import DAY, MINUTE, Span

ZONE = "Asia/Shanghai"
_LOCAL = timezone(timedelta(hours=8))  # no summer time since 1991
_MARGIN = timedelta(days=60)


class Hours(NamedTuple):
    """A timetable: hours of service, lessons, as they stand in a calendars file."""

    service: str
    lessons: tuple[str, ...]

    def lessons_of(self, midnight: int) -> list[Span]:
        """Return the lessons of a day that begins at `midnight`, ms."""
        return [_period(text, midnight) for text in self.lessons]


HOURS = {
    "primary": Hours(
        "07:30-17:30", ("08:20-09:00", "09:10-09:50", "10:20-11:00", "11:10-11:50", "14:30-15:10", "15:20-16:00")
    ),
    "junior": Hours(
        "07:30-18:00",
        ("08:00-08:45", "08:55-09:40", "10:10-10:55", "11:05-11:50", "14:30-15:15", "15:25-16:10", "16:20-17:05"),
    ),
}


# A district that is always in lessons: whenever somebody looks there is something to see.
_ROUND_THE_CLOCK = Hours("always", tuple(f"{hour:02d}:05-{hour:02d}:50" for hour in range(24)))


def _period(text: str, midnight: int) -> Span:
    start, end = ((int(at[:2]) * 60 + int(at[3:])) * MINUTE for at in text.split("-"))
    return Span(midnight + start, midnight + end)


def midnight(day: date) -> int:
    """Return when a day begins, unix ms."""
    return int(datetime(day.year, day.month, day.day, tzinfo=_LOCAL).timestamp()) * 1000


def day_of(at: int) -> date:
    """Return the day of an instant."""
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(_LOCAL).date()


class Closure(NamedTuple):
    """A day on which a county's schools are closed."""

    county: str
    day: date


class Maintenance(NamedTuple):
    """An agreed interruption of a site, on whole minutes."""

    site: str
    span: Span


class Calendar(NamedTuple):
    """
    The days of a simulated period, and what is special about them.

    `begins` is when it begins within its first day, unix ms; 0: with it. With `is_always` there are lessons round the
    clock, every day of the week.
    """

    start: date
    days: int
    closures: tuple[Closure, ...] = ()
    maintenance: tuple[Maintenance, ...] = ()
    begins: int = 0
    is_always: bool = False

    @property
    def span(self) -> Span:
        """All of the period."""
        first = midnight(self.start)
        return Span(max(first, self.begins), first + self.days * DAY)

    def hours(self, name: str) -> Hours:
        """Return the timetable of a kind of school."""
        return _ROUND_THE_CLOCK if self.is_always else HOURS[name]

    def school_days(self, county: str) -> list[date]:
        """Return the days on which a county's schools have lessons."""
        days = (self.start + timedelta(days=number) for number in range(self.days))
        is_always = self.is_always
        return [day for day in days if (is_always or day.weekday() < 5) and Closure(county, day) not in self.closures]

    def as_yaml(self, counties: tuple[str, ...]) -> str:
        """Return the calendars file of the city."""
        first, last = self.start - _MARGIN, self.start + timedelta(days=self.days) + _MARGIN
        lines = [
            "# Calendars of a simulated city: santong simulate wrote them",
            f"zone: {ZONE}",
            "holidays: none",
            "default: primary",
            f"counties: {{{', '.join(f'{county}: primary' for county in counties)}}}",
            "calendars:",
        ]
        for name in HOURS:
            hours = self.hours(name)
            lines += [
                f"  {name}:",
                f"    title: {{zh: {'小学' if name == 'primary' else '初中'}, en: {name} school}}",
                f"    terms: [{{from: {first}, to: {last}, title: {{zh: 模拟学期, en: simulated term}}}}]",
                f"    service: {hours.service}",
                f"    lessons: {{{'mon-sun' if self.is_always else 'mon-fri'}: [{', '.join(hours.lessons)}]}}",
            ]
        lines += [
            "  hotspot:",
            "    title: {zh: 公共 WiFi 热点, en: public hotspot}",
            "    service: always",
            "    every_day: true",
            "    follows_holidays: false",
            "closures:" if self.closures or self.maintenance else "closures: []",
        ]
        for closure in self.closures:
            what = "title: {zh: 暴雨停课, en: closed for heavy rain}"
            lines.append(f"  - {{where: {closure.county}, from: {closure.day}, to: {closure.day}, {what}}}")
        for site, span in self.maintenance:
            period = f"from: {_local(span.start)}, to: {_local(span.end)}, kind: maintenance"
            lines.append(f"  - {{where: {site}, {period}, title: {{zh: 光缆割接, en: fibre is moved}}}}")
        return "\n".join(lines) + "\n"


def _local(at: int) -> str:
    return datetime.fromtimestamp(at / 1000, UTC).astimezone(_LOCAL).strftime("%Y-%m-%d %H:%M")
