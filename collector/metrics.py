"""
Metrics as Prometheus reads them, in its text format 0.0.4.

Written here, not by a library: it is forty lines, and `santong collect`, whose memory and time are measured, has them
too. A test reads them with the parser of Prometheus' own client.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

TYPE = "text/plain; version=0.0.4; charset=utf-8"
_NAME = re.compile(r"[a-z][a-z0-9_]*")


class Family(NamedTuple):
    """A family of metrics: `kind` is gauge or counter; each sample has its labels and its value."""

    name: str
    kind: str
    help: str
    samples: Sequence[tuple[Mapping[str, str], float]]


def single(name: str, kind: str, about: str, value: float) -> Family:
    """Return a family of one sample without labels."""
    return Family(name, kind, about, [({}, value)])


def as_text(families: Iterable[Family]) -> bytes:
    """Return families of metrics; those without samples are left out."""
    return "".join(line for family in families for line in _lines(family)).encode()


def _lines(family: Family) -> Iterator[str]:
    if not _NAME.fullmatch(family.name) or family.kind not in ("gauge", "counter"):
        raise ValueError(f"{family.name} {family.kind} is no family of metrics")
    if family.samples:
        yield f"# HELP {family.name} {_escaped(family.help)}\n"
        yield f"# TYPE {family.name} {family.kind}\n"
    for labels, value in family.samples:
        yield f"{family.name}{_labels(labels)} {_number(value)}\n"


def _labels(labels: Mapping[str, str]) -> str:
    quoted = (f'{name}="{_escaped(value, quote=True)}"' for name, value in labels.items())
    return f"{{{','.join(quoted)}}}" if labels else ""


def _escaped(text: str, *, quote: bool = False) -> str:
    text = text.replace("\\", "\\\\").replace("\n", "\\n")
    return text.replace('"', '\\"') if quote else text


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return str(int(value)) if float(value).is_integer() and abs(value) < 2**53 else repr(float(value))
