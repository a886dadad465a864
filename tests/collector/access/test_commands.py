"""`santong user`, as people and scripts run it."""

import json
import os
import pty
import subprocess
from pathlib import Path

from collector.access.log import Log
from collector.access.passwords import is_right
from collector.access.users import Users
from tests.collector.commands import run
from tests.processes import BIN

PASSWORD = "correct horse battery"  # noqa: S105


def user(data: Path, *words: str, typed: str = "", code: int = 0) -> tuple[str, str]:
    """Run `santong user …` with something on standard input."""
    line = [str(BIN / "santong"), "user", *words, "--data", str(data), "--lang", "en"]
    done = subprocess.run(line, input=typed, capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in done.stderr
    assert done.returncode == code, done
    return done.stdout, done.stderr


def test_somebody_from_the_first_day_to_the_last(tmp_path: Path) -> None:
    """Added, listed, given another scope and another password, removed; all of it in the log, no password anywhere."""
    user(tmp_path, "add", "李娜", "--role", "county", "--county", "441802", typed=f"{PASSWORD}\n")
    kept = Users(tmp_path).every()["李娜"]
    assert is_right(PASSWORD, kept.password)
    (listed,) = json.loads(user(tmp_path, "list", "--json")[0])
    assert {**listed, "changed": ""} == {
        "name": "李娜", "role": "county", "county": "441802", "site": "", "password": True, "changed": "",
    }  # fmt: skip
    assert "441802" in user(tmp_path, "list")[0]
    user(tmp_path, "scope", "李娜", "--role", "technician", "--site", "441802-3144000001")
    user(tmp_path, "passwd", "李娜", typed="another horse battery\n")
    assert is_right("another horse battery", Users(tmp_path).every()["李娜"].password)
    user(tmp_path, "add", "proxy", "--role", "viewer", "--no-password")
    assert not is_right("", Users(tmp_path).every()["proxy"].password)
    user(tmp_path, "remove", "李娜")
    said = json.loads(user(tmp_path, "log", "--json")[0])
    assert said["problems"] == []
    assert [(one["what"], one["on"], one["address"]) for one in said["entries"]] == [
        ("user.add", "李娜", "command line"),
        ("user.scope", "李娜", "command line"),
        ("user.passwd", "李娜", "command line"),
        ("user.add", "proxy", "command line"),
        ("user.remove", "李娜", "command line"),
    ]
    for file in (tmp_path / "access").iterdir():
        assert "horse" not in file.read_text()


def test_what_is_wrong_is_one_line(tmp_path: Path) -> None:
    """Exit code 2, what is wrong, and what to do; nothing is changed and nothing logged."""
    for words, typed, said in (
        (("add", "li", "--role", "admn"), "", "--role: 'admn' is not known, did you mean admin\n"),
        (("add", "li", "--role", "county"), "", "the role county needs a county and no site\n"),
        (("add", "li", "--role", "admin"), "short\n", "a password needs at least 10 characters\n"),
        (("add", "li", "--role", "admin"), "", "a password needs at least 10 characters\n"),
        (("passwd", "li"), PASSWORD, "'li' is nobody here; `santong user list` names everybody\n"),
        (("remove", "li"), "", "'li' is nobody here; `santong user list` names everybody\n"),
    ):
        assert user(tmp_path, *words, typed=typed, code=2)[1] == said
    assert Users(tmp_path).every() == {}
    assert Log(tmp_path).examine().entries == ()


def test_a_log_that_was_changed_is_said(tmp_path: Path) -> None:
    """Exit code 1, and the record is named."""
    user(tmp_path, "add", "li", "--role", "admin", typed=PASSWORD)
    log = tmp_path / "access" / "log.jsonl"
    log.write_text(log.read_text().replace('"on":"li"', '"on":"no"'))
    assert "record 1: changed since it was written" in user(tmp_path, "log", code=1)[1]
    assert user(tmp_path, "remove", "li", code=2)[1].count("\n") == 1, "and nothing is done unseen"
    assert list(Users(tmp_path).every()) == ["li"]


def test_a_typed_password_is_asked_twice_and_not_shown(tmp_path: Path) -> None:
    """At a terminal: two different ones are refused; what is typed does not appear."""
    for typed, code in ((f"{PASSWORD}\nanother horse battery\n", 2), (f"{PASSWORD}\n{PASSWORD}\n", 0)):
        ours, theirs = pty.openpty()
        line = [str(BIN / "santong"), "user", "add", "li", "--role", "admin", "--data", str(tmp_path), "--lang", "en"]
        child = subprocess.Popen(line, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)
        shown, at = b"", 0
        for one in typed.splitlines(keepends=True):
            while b"assword: " not in shown[at:] and b"gain: " not in shown[at:]:
                shown += os.read(ours, 1024)
            at = len(shown)
            os.write(ours, one.encode())
        assert child.wait(30) == code
        os.close(ours)
        assert b"horse" not in shown


def test_the_page_does_not_start_where_nobody_could_log_in(tmp_path: Path) -> None:
    """`santong api` on the network without a user: one line that says what to do, exit code 2."""
    (tmp_path / "santong.sqlite").touch()
    said = run("api", "--data", tmp_path, "--listen", "0.0.0.0:0", code=2)[1]
    assert said == (
        "0.0.0.0:0: nobody could log in: add somebody with `santong user add NAME --role admin`, "
        "or listen on 127.0.0.1\n"
    )
    said = run("api", "--data", tmp_path, "--listen", "nowhere", "--proxy", "x", code=2)[1]
    assert said.count("\n") == 2
    assert "--listen" in said
