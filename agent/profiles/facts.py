"""What is known of this machine, by the names that a profile's `match` has."""

import platform
from pathlib import Path

from agent.gather.identity import device_tree_model, maker_and_product


def facts(root: Path = Path("/")) -> dict[str, str]:
    """Return what can be read; what the machine does not have is absent."""
    release = _os_release(root)
    maker, product = maker_and_product(root)
    found = {
        "device_tree": device_tree_model(root),
        "dmi_vendor": maker,
        "dmi_product": product,
        "system": platform.system().lower(),
        "os_id": release.get("ID", ""),
        "os_like": release.get("ID_LIKE", ""),
    }
    return {name: fact for name, fact in found.items() if fact}


def _os_release(root: Path) -> dict[str, str]:
    """Return what the distribution says of itself (os-release(5)), without quotes."""
    for name in ("etc/os-release", "usr/lib/os-release"):
        try:
            lines = (root / name).read_text(encoding="utf-8", errors="replace").splitlines()
        except OSError:
            continue
        pairs = (line.partition("=") for line in lines if "=" in line and not line.startswith("#"))
        return {name.strip(): value.strip().strip("\"'") for name, _, value in pairs}
    return {}
