"""
What the dashboards are put together from: panels with a place, thresholds, colours, links, variables.

Colours are those of reports (Okabe and Ito), and whatever they say stands there as text or sign, too.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.builders import datasource, stat, statetimeline, statushistory, table, timeseries
from grafana_foundation_sdk.builders import text as text_panel
from grafana_foundation_sdk.models import common, dashboard

from collector.report.looks import BAD, CAUSES, GOOD
from collector.verify.causes import Cause
from collector.words import Language
from deploy.grafana.influx import EVIDENCE, TELEMETRY, TYPE, Built, InfluxQuery, retention_of, source, variable_query
from deploy.grafana.texts import text

ZONE = "Asia/Shanghai"
PAGES = ("city", "school", "device", "hotspots", "centre")
GREY = "#8a8a8a"
NO_EVIDENCE = "#6e6e6e"  # white, as reports have it, would vanish on a light page
LINES = (GOOD, "#e69f00", "#cc79a7", "#009e73", "#56b4e9", "#f0e442", "#d55e00")
Panel = Any  # the SDK has no common type of its panels' builders


class Query(NamedTuple):
    """A query of a panel: its text, and how its series are called (`alias`), else its rows are a table."""

    text: str
    alias: str | None = None


def colour_of(cause: Cause) -> str:
    """Return the colour of a cause."""
    return NO_EVIDENCE if cause is Cause.UNKNOWN else CAUSES[cause].fill


def named(cause: Cause, language: Language) -> str:
    """Return a cause with its letter."""
    return f"{CAUSES[cause].letter or '✔'} {text(f'cause_{cause}', language)}"


# ---- panels


def placed(panel: Panel, queries: Sequence[Query], place: tuple[int, int], title: str, about: str = "") -> Panel:
    """Give a panel its queries, its width (of 24) and height, its title and what it means."""
    if queries:
        (retention,) = {retention_of(query.text) for query in queries}  # a panel asks one data source
        panel.datasource(source(retention))
    for number, query in enumerate(queries):
        format_ = "table" if query.alias is None else "time_series"
        panel.with_target(Built(InfluxQuery(query.text, chr(ord("A") + number), format_, query.alias or "")))
    panel.span(place[0]).height(place[1]).title(title)
    return panel.description(about) if about else panel


def shared(panel: Panel, number: int, place: tuple[int, int], title: str, about: str = "") -> Panel:
    """Give a panel what another one of its dashboard shows, by that one's number: it is asked for once."""
    panel.datasource(_DASHBOARD).with_target(
        datasource.Dataquery().panel_id(number).ref_id("A").with_transforms(with_transforms=True).datasource(_DASHBOARD)
    )
    return placed(panel, [], place, title, about)


_DASHBOARD = dashboard.DataSourceRef(type_val="datasource", uid="-- Dashboard --")


def number(unit: str = "short", *, steps: builders.ThresholdsConfig | None = None, field: str = "") -> stat.Panel:
    """Return a panel with the last value of a field, or of all."""
    values = common_builders.ReduceDataOptions().calcs(["lastNotNull"]).values(values=False)
    panel = stat.Panel().unit(unit).reduce_options(values.fields(field))
    panel.graph_mode(common.BigValueGraphMode.NONE).color_mode(
        common.BigValueColorMode.VALUE if steps else common.BigValueColorMode.NONE
    )
    return panel.thresholds(steps or above([(None, GREY)]))


def over_time(unit: str, *, bars: bool = False, stacked: bool = False) -> timeseries.Panel:
    """Return a panel of series over time; bars for days."""
    panel = (
        timeseries.Panel()
        .unit(unit)
        .color_scheme(builders.FieldColor().mode(dashboard.FieldColorModeId.PALETTE_CLASSIC))
    )
    panel.legend(
        common_builders.VizLegendOptions()
        .display_mode(common.LegendDisplayMode.LIST)
        .placement(common.LegendPlacement.BOTTOM)
        .show_legend(show_legend=True)
        .calcs([])
    )
    panel.tooltip(
        common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI).sort(common.SortOrder.DESCENDING)
    )
    if bars:
        panel.draw_style(common.GraphDrawStyle.BARS).fill_opacity(85).line_width(1)
    else:
        panel.line_width(2).fill_opacity(0).span_nulls(span_nulls=False)
    if stacked:
        panel.stacking(common_builders.StackingConfig().mode(common.StackingMode.NORMAL).group("A"))
    return panel


def rows(sort: str = "", *, descending: bool = False) -> table.Panel:
    """Return a table, sorted by a column."""
    panel = table.Panel().show_header(show_header=True)
    return (
        panel.sort_by([common_builders.TableSortByFieldState().display_name(sort).desc(desc=descending)])
        if sort
        else panel
    )


def strip(states: Mapping[str, tuple[str, str]], nothing: str = "") -> statetimeline.Panel:
    """Return a strip of states over time: value -> text with its sign, and colour."""
    panel = (
        statetimeline.Panel().show_value(common.VisibilityMode.AUTO).merge_values(merge_values=True).row_height(0.85)
    )
    panel.color_scheme(builders.FieldColor().mode(dashboard.FieldColorModeId.FIXED).fixed_color(GREY))
    return panel.mappings(mapped(states, nothing)).fill_opacity(90)


def grid(steps: builders.ThresholdsConfig) -> statushistory.Panel:
    """Return a grid: a row a series, a cell a day, with the number in it."""
    panel = statushistory.Panel().show_value(common.VisibilityMode.ALWAYS).row_height(0.9).col_width(0.9)
    panel.color_scheme(builders.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))
    return panel.thresholds(steps).fill_opacity(80).decimals(0)


def note(content: str, place: tuple[int, int]) -> text_panel.Panel:
    """Return a panel with a few sentences."""
    return text_panel.Panel().content(content).span(place[0]).height(place[1]).transparent(transparent=True)


# ---- what they look like


def above(steps: Sequence[tuple[float | None, str]]) -> builders.ThresholdsConfig:
    """Return thresholds: from each value on, its colour; the first has none."""
    found = [dashboard.Threshold(value=value, color=colour) for value, colour in steps]
    return builders.ThresholdsConfig().mode(dashboard.ThresholdsMode.ABSOLUTE).steps(found)


def good_from(threshold: float) -> builders.ThresholdsConfig:
    """Return thresholds: bad below, good from a value on."""
    return above([(None, BAD), (threshold, GOOD)])


def with_target_line(panel: timeseries.Panel, threshold: float) -> timeseries.Panel:
    """Draw a target as a dashed line."""
    panel.thresholds(above([(None, "transparent"), (threshold, BAD)]))
    return panel.thresholds_style(
        common_builders.GraphThresholdsStyleConfig().mode(common.GraphThresholdsStyleMode.DASHED)
    )


def mapped(states: Mapping[str, tuple[str, str]], nothing: str = "") -> list[dashboard.ValueMapping]:
    """Return value -> text and colour, in order; `nothing` is what no value is called."""
    results = {
        value: dashboard.ValueMappingResult(text=words, color=colour, index=at)
        for at, (value, (words, colour)) in enumerate(states.items())
    }
    found: list[dashboard.ValueMapping] = [dashboard.ValueMap(options=results)]
    if nothing:
        result = dashboard.ValueMappingResult(text=nothing, color=NO_EVIDENCE, index=len(states))
        options = dashboard.DashboardSpecialValueMapOptions(match=dashboard.SpecialValueMatch.NULL, result=result)
        found.append(dashboard.SpecialValueMap(options=options))
    return found


def by_name(panel: Panel, name: str, **properties: object) -> Panel:
    """Set properties of one column or series."""
    values = [dashboard.DynamicConfigValue(_PROPERTIES.get(key, key), value) for key, value in properties.items()]
    return panel.override_by_name(name, values)


_PROPERTIES = {
    "called": "displayName",
    "cell": "custom.cellOptions",
    "transform": "custom.transform",
    "dash": "custom.lineStyle",
}


def coloured(panel: Panel, colours: Mapping[str, str]) -> Panel:
    """Give each series its colour."""
    for name, colour in colours.items():
        by_name(panel, name, color={"mode": "fixed", "fixedColor": colour})
    return panel


# ---- tables of several queries


def joined(panel: Panel, field: str, *, inner: bool = True) -> Panel:
    """Join the tables of a panel's queries by a column."""
    return _transform(panel, "joinByField", {"byField": field, "mode": "inner" if inner else "outer"})


def divided(panel: Panel, left: str, right: str, name: str) -> Panel:
    """Add a column: one divided by another."""
    sides = {
        side: {"matcher": {"id": "byName", "options": field}} for side, field in (("left", left), ("right", right))
    }
    return _transform(panel, "calculateField", {"mode": "binary", "alias": name, "binary": {**sides, "operator": "/"}})


def only(panel: Panel, columns: Sequence[str]) -> Panel:
    """Keep some columns, in this order."""
    _transform(panel, "filterFieldsByName", {"include": {"names": list(columns)}})
    order = {name: at for at, name in enumerate(columns)}
    return _transform(panel, "organize", {"indexByName": order, "excludeByName": {}, "renameByName": {}})


def grouped(panel: Panel, by: Sequence[str], added: Sequence[str]) -> Panel:
    """Make one row of all that are alike in some columns, others added up: those are called `name (sum)` then."""
    fields: dict[str, object] = {name: {"operation": "groupby", "aggregations": []} for name in by}
    fields |= {name: {"operation": "aggregate", "aggregations": ["sum"]} for name in added}
    return _transform(panel, "groupBy", {"fields": fields})


def ordered(panel: Panel, column: str, *, descending: bool = False) -> Panel:
    """Sort rows by a column."""
    return _transform(panel, "sortBy", {"fields": {}, "sort": [{"field": column, "desc": descending}]})


def _transform(panel: Panel, name: str, options: dict[str, object]) -> Panel:
    return panel.with_transformation(dashboard.DataTransformerConfig(id_val=name, options=options))


# ---- ways from one dashboard to another


def uid(page: str, language: Language) -> str:
    """Return the address of a dashboard."""
    return f"santong-{language}-{page}"


def way(page: str, language: Language, **variables: str) -> str:
    """Return a link to a dashboard with variables from the row, the same period and the same data sources."""
    fields = "".join(f"&var-{name}={value}" for name, value in variables.items())
    return (
        f"/d/{uid(page, language)}?${{__url_time_range}}&${{{EVIDENCE}:queryparam}}&${{{TELEMETRY}:queryparam}}{fields}"
    )


def of_row(field: str) -> str:
    """Return the value of a column in the row that is clicked."""
    return f"${{__data.fields.{field}}}"


def linked(panel: Panel, column: str, title: str, url: str) -> Panel:
    """Make the cells of a column lead somewhere."""
    return by_name(panel, column, links=[{"title": title, "url": url}])


# ---- variables


def choice(name: str, label: str, query: str, **options: bool) -> builders.QueryVariable:
    """
    Return a variable that is chosen from what a query gives: an `entry` of the roster is an id and a name.

    `many`: several at a time, or all of them; `names`: the values are entries.
    """
    variable = builders.QueryVariable(name).label(label).datasource(source(EVIDENCE)).query(variable_query(query))
    variable.refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(dashboard.VariableSort.ALPHABETICAL_ASC)
    if options.get("names"):
        variable.regex(r"/^(?<value>[^|]+)\|(?<text>.*)$/")
    if options.get("many"):
        every = dashboard.VariableOption(text=["All"], value=["$__all"], selected=True)
        variable.multi(multi=True).include_all(include_all=True).all_value(".*").current(every)
    return variable


def sources(language: Language) -> list[builders.DatasourceVariable]:
    """Return the variables that choose the data sources."""
    return [
        builders.DatasourceVariable(name)
        .label(text(f"{name}_source", language))
        .type(TYPE)
        .regex(f"/{name}/i")
        .hide(dashboard.VariableHide.HIDE_VARIABLE)
        for name in (EVIDENCE, TELEMETRY)
    ]


def page(name: str, language: Language, since: str, refresh: str) -> builders.Dashboard:
    """Return an empty dashboard, with ways to the others and to the other language."""
    others = builders.DashboardLink(text("folder", language)).type(dashboard.DashboardLinkType.DASHBOARDS)
    others.tags([f"santong-{language}"]).include_vars(include_vars=True).keep_time(keep_time=True).as_dropdown(
        as_dropdown=False
    )
    other: Language = "en" if language == "zh" else "zh"
    translated = builders.DashboardLink(text("other_language", language)).type(dashboard.DashboardLinkType.LINK)
    translated.url(f"/d/{uid(name, other)}").include_vars(include_vars=True).keep_time(keep_time=True).tags([])
    board = builders.Dashboard(f"{text('folder', language)} · {text(f'{name}_title', language)}")
    board.uid(uid(name, language)).description(text(f"{name}_about", language)).tags(["santong", f"santong-{language}"])
    board.timezone(ZONE).time(since, "now").refresh(refresh).readonly().links([others, translated])
    board.tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
    return board


def filled(board: builders.Dashboard, panels: Iterable[Panel]) -> builders.Dashboard:
    """Give a dashboard its panels, numbered, one beside the other where there is room."""
    for at, panel in enumerate(panels, start=1):
        board.with_panel(panel.id(at))
    return board
