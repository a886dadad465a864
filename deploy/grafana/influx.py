"""
What the SDK has no types for: queries, variables and annotations of Grafana's InfluxDB data source, in InfluxQL.

Measurements are addressed with their retention policy ("evidence"."presence"): on InfluxDB 1.x and 2.x that names the
policy or bucket; on 3 the v1 API takes the data source's own database and passes over the policy.
"""

from typing import Any, NamedTuple, Self

from grafana_foundation_sdk.cog import builder, variants
from grafana_foundation_sdk.models import dashboard

TYPE = "influxdb"
EVIDENCE, TELEMETRY = "evidence", "telemetry"  # also the names of the variables that choose the data sources
_VARIABLE_REF = "InfluxVariableQueryEditor-VariableQuery"


def source(retention: str) -> dashboard.DataSourceRef:
    """Return the data source that a dashboard's variable names."""
    return dashboard.DataSourceRef(type_val=TYPE, uid=f"${{{retention}}}")


def retention_of(query: str) -> str:
    """Return which data source a query asks: that of its measurement. ValueError when it names none, or both."""
    found = {name for name in (EVIDENCE, TELEMETRY) if f'"{name}".' in query}
    if len(found) != 1:
        raise ValueError(f"a query reads one retention class: {query}")
    return found.pop()


class InfluxQuery(variants.Dataquery):
    """A raw InfluxQL query of a panel; `format` is `time_series` or `table`."""

    def __init__(self, query: str, ref: str, format_: str, alias: str = "") -> None:
        self.query, self.ref, self.format, self.alias = query, ref, format_, alias

    def to_json(self) -> dict[str, object]:
        """Return it as Grafana stores it."""
        tree: dict[str, object] = {
            "refId": self.ref,
            "datasource": source(retention_of(self.query)),
            "query": self.query,
            "rawQuery": True,
            "resultFormat": self.format,
        }
        return tree | ({"alias": self.alias} if self.alias else {})

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Return the query of a stored one."""
        return cls(data["query"], data["refId"], data["resultFormat"], data.get("alias", ""))


class Built(NamedTuple):
    """A finished value where the SDK asks for a builder."""

    value: InfluxQuery

    def build(self) -> InfluxQuery:
        """Return it."""
        return self.value


class EventQuery(dashboard.AnnotationTarget):
    """The query of an annotation: `text` and `tag` name its columns. The SDK's own type has none of these."""

    def __init__(self, query: str, text: str, tag: str = "") -> None:
        super().__init__()
        self.query, self.text, self.tag = query, text, tag

    def to_json(self) -> dict[str, object]:
        """Return it as Grafana stores it."""
        return {
            "refId": "Anno",
            "datasource": source(retention_of(self.query)),
            "fromAnnotations": True,
            "query": self.query,
            "rawQuery": True,
            "textEditor": True,
            "textColumn": self.text,
            "tagsColumn": self.tag,
        }


class Event(builder.Builder[dashboard.AnnotationQuery]):
    """An annotation: a mark in every panel wherever the query has a row."""

    def __init__(self, name: str, query: str, colour: str, text: str, tag: str = "") -> None:
        self._name, self._query, self._colour, self._text, self._tag = name, query, colour, text, tag

    def build(self) -> dashboard.AnnotationQuery:
        """Return the annotation."""
        return dashboard.AnnotationQuery(
            name=self._name,
            datasource=source(retention_of(self._query)),
            enable=True,
            icon_color=self._colour,
            target=EventQuery(self._query, self._text, self._tag),
        )


def variable_query(text: str) -> str | dict[str, object]:
    """Return a variable's query as the data source stores it since Grafana 11."""
    return {"query": text, "refId": _VARIABLE_REF}
