"""Profiles for tests, written into folders."""

from pathlib import Path

from contract.settings import checked
from firmware_profiles.schema import Profile

HEAD = "id: {0}\ntitle: {{zh: 型号{0}, en: Model {0}}}\nverified: false\n"


def write(folder: Path, name: str, rest: str = "", *, role: str = "role: other\n") -> Path:
    """Write a profile of the given id; what is not said of it is as little as possible."""
    folder.mkdir(exist_ok=True)
    file = folder / f"{name}.yaml"
    file.write_text(HEAD.format(name) + role + rest, encoding="utf-8")
    return file


def profile(**parts: object) -> Profile:
    """Return a profile that was not read from a file."""
    plain = {"id": "model", "title": {"zh": "型号", "en": "Model"}, "role": "other", "verified": False}
    return checked(Profile, {**plain, **parts}, "model")
