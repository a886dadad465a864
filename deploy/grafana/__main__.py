"""
Write the dashboards and alert rules, or say which are not current.

    python -m deploy.grafana            writes deploy/grafana/dashboards/ and provisioning/alerting/santong.yaml
    python -m deploy.grafana --check    writes nothing; exit code 1: some file is not what would be written
"""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana import alerts, centre, city, device, hotspots, school
from deploy.grafana.promises import promises
from deploy.grafana.texts import LANGUAGES

HERE = Path(__file__).parent
_PAGES = {"city": city, "school": school, "device": device, "hotspots": hotspots, "centre": centre}


def made() -> Iterator[tuple[Path, str]]:
    """Yield each file, relative to this folder, and what is in it."""
    promised = promises()
    for language in LANGUAGES:
        for name, module in _PAGES.items():
            board = module.build(language, promised).build()
            tree = _without_strays(json.loads(JSONEncoder().encode(board)))
            content = json.dumps(tree, indent=1, sort_keys=True, ensure_ascii=False)
            yield Path("dashboards") / language / f"{name}.json", content + "\n"
    yield Path("provisioning/alerting/santong.yaml"), alerts.as_yaml()


def _without_strays(board: dict[str, Any]) -> dict[str, Any]:
    """Return a dashboard without defaults of the SDK that Grafana's schema has not, or has not any more."""
    for variable in board["templating"]["list"]:
        for stray in ("auto", "auto_count", "auto_min"):  # of variables that are intervals
            variable.pop(stray, None)
    for panel in board["panels"]:
        if panel["type"] == "table":
            panel["options"].pop("footer", None)  # another thing since Grafana 12
    return board


def stale() -> list[Path]:
    """Return the files that are not what would be written, those that nothing writes any more among them."""
    wanted = dict(made())
    there = {file.relative_to(HERE) for file in (HERE / "dashboards").rglob("*.json")}
    changed = [
        file
        for file, content in wanted.items()
        if not (HERE / file).is_file() or (HERE / file).read_text("utf-8") != content
    ]
    return sorted({*changed, *(there - wanted.keys())})


def main() -> None:
    """Run the command line."""
    files = stale()
    if "--check" in sys.argv[1:]:
        for file in files:
            sys.stdout.write(f"{file}: is not current: run `make grafana`\n")
        sys.exit(1 if files else 0)
    wanted = dict(made())
    for file in files:
        if file in wanted:
            (HERE / file).parent.mkdir(parents=True, exist_ok=True)
            (HERE / file).write_text(wanted[file], encoding="utf-8")
        else:
            (HERE / file).unlink()
        sys.stdout.write(f"{file}\n")


if __name__ == "__main__":
    main()
