"""What the command says on a machine that cannot make a PDF: one line, before anything else is looked at."""

import os
import subprocess
from pathlib import Path

import pytest

from collector.report import pdf
from tests.collector.commands import run


def refused(folder: Path, language: str) -> str:
    """Return what the command says; it would complain of the roster next, which this folder has not."""
    out = folder / "never.pdf"
    _, said = run("report", "--out", out, "--lang", language, "--data", folder, code=2)
    assert not out.exists()
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize("error", ["ImportError('no module')", "OSError('cannot load library libpango-1.0-0')"])
def test_without_weasyprint_or_pango_one_line_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str
) -> None:
    """The package may be missing, or the library that it loads: the line names both, and another way."""
    (tmp_path / "weasyprint.py").write_text(f"raise {error}\n", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    said = refused(tmp_path, "en")
    assert "pip install 'santong[pdf]'" in said
    assert "apt-get install libpango-1.0-0" in said
    assert "write .html and print it" in said


def test_without_a_chinese_font_a_chinese_pdf_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It would be empty boxes. An English one needs no such font: the next thing that is missing is told."""
    program = tmp_path / "fc-list"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert "apt-get install fonts-noto-cjk" in refused(tmp_path, "zh")
    assert "there is no roster" in refused(tmp_path, "en")


def test_where_nobody_can_tell_the_fonts_it_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without fontconfig's program nothing is known of fonts: no reason to refuse."""

    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError("fc-list")

    monkeypatch.setattr(subprocess, "run", missing)
    pdf.check("zh")
