"""A message counts as taken when the other side said so, and nothing shows what is secret in an address."""

import logging

import pytest

from collector.channels.service import Address, Message, Unknown, address_of
from tests.collector.channels.receivers import mail, web
from tests.services import free_port

HIDDEN = "s3cretw0rd"
MESSAGE = Message("证据日根", "第一行\nline two\n")


def test_a_webhook_gets_title_text_and_urgency() -> None:
    """What a web server takes is what was said, and what it answers counts."""
    with web() as server:
        address = address_of(f"json://127.0.0.1:{server.port}/{HIDDEN}")
        assert address.send(MESSAGE._replace(urgency="critical")) == "taken"
        assert server.got[0]["title"] == "证据日根"
        assert server.got[0]["message"] == "第一行\nline two"
        assert server.got[0]["type"] == "failure"
        server.status = 503
        assert address.send(MESSAGE) == "http_503"
        server.status = 302  # to a page where somebody should log in
        assert address.send(MESSAGE) == "http_302"


def test_a_mail_has_the_lines_as_they_are() -> None:
    """A mail is plain text, so that lines can be copied out of it; a receiver whom the server refuses has no mail."""
    with mail() as (port, box):
        there = f"mailto://127.0.0.1:{port}?from=centre@example.org&mode=insecure"
        assert address_of(f"{there}&to=auditor@example.org").send(MESSAGE) == "taken"
        (got,) = box.mails
        assert got["Subject"] == "证据日根"
        assert got["To"] == "auditor@example.org"
        assert got.get_content_type() == "text/plain"
        assert got.get_content().splitlines() == ["第一行", "line two"]
        assert address_of(f"{there}&to=nobody@example.org").send(MESSAGE) == "failed"
        assert len(box.mails) == 1


def test_nobody_there_is_told_from_a_refusal() -> None:
    """A port where nobody listens could not be reached; `optional` in a URL makes no yes of that."""
    assert address_of(f"json://127.0.0.1:{free_port()}?optional=yes").send(MESSAGE) == "unreachable"


def _bot(url: str, port: int, monkeypatch: pytest.MonkeyPatch) -> Address:
    """Return a bot whose service is a server of ours."""
    address = address_of(url)
    service = address._service
    monkeypatch.setattr(service, "api_url", f"http://127.0.0.1:{port}/", raising=False)
    monkeypatch.setattr(type(service), "notify_url", f"http://127.0.0.1:{port}/", raising=False)
    return address


@pytest.mark.parametrize("url", [f"wecombot://{HIDDEN}", f"dingtalk://{'a' * 20}{HIDDEN}"])
def test_bots_that_answer_200_to_everything_are_read(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """企业微信 and 钉钉 say no inside an answer of 200: that is no message taken, and neither is what is no answer."""
    with web() as server:
        address = _bot(url, server.port, monkeypatch)
        server.answer = b'{"errcode": 0, "errmsg": "ok"}'
        assert address.send(MESSAGE) == "taken"
        server.answer = b'{"errcode": 93000, "errmsg": "invalid webhook url"}'
        monkeypatch.setattr(address._service, "request_rate_per_sec", 0)
        assert address.send(MESSAGE) == "refused_93000"
        server.answer = b'{"errcode": -1, "errmsg": "system busy"}'
        assert address.send(MESSAGE) == "refused_-1"
        server.answer = b'{"errcode": 1' + b"0" * 30 + b"}"
        assert address.send(MESSAGE) == "failed"
        server.answer = b"<html>a proxy says hello</html>"
        assert address.send(MESSAGE) == "failed"


def test_a_feishu_bot_that_says_no_is_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """飞书 answers 200 with a code, which is the reason."""
    with web() as server:
        address = _bot(f"feishu://{HIDDEN}", server.port, monkeypatch)
        server.answer = b'{"code": 19001, "msg": "param invalid: incoming webhook access token invalid"}'
        assert address.send(MESSAGE) == "refused_19001"


@pytest.mark.parametrize(
    ("url", "name"),
    [
        (f"wecombot://{HIDDEN}", "wecombot#"),
        (f"dingtalk://{HIDDEN}@{'a' * 20}", "dingtalk#"),
        (f"feishu://{HIDDEN}", "feishu#"),
        (f"mailtos://me:{HIDDEN}@mail.example.org?to=a@example.org", "mailtos://mail.example.org#"),
        (f"jsons://me:{HIDDEN}@hook.example.org/{HIDDEN}?+X-Key={HIDDEN}", "jsons://hook.example.org#"),
        (f"https://qyapi.weixin.qq.com/cgi-bin/webhook/send?key={HIDDEN}", "wecombot#"),
    ],
)
def test_a_name_has_no_secret_in_it(url: str, name: str) -> None:
    """An address is shown as its kind, its host where that is no key, and eight digits that tell it from others."""
    shown = address_of(url).name
    assert shown.startswith(name)
    assert len(shown) == len(name) + 8
    assert HIDDEN not in shown


def test_a_name_stays_when_a_password_changes_and_tells_receivers_apart() -> None:
    """Who has what is remembered by name: a new password is the same address, another receiver is not."""
    mails = [
        f"mailtos://me:{password}@mail.example.org?to={to}"
        for password, to in (("old", "a@example.org"), ("new", "a@example.org"), ("new", "b@example.org"))
    ]
    names = [address_of(url).name for url in mails]
    assert names[0] == names[1] != names[2]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        (f"wecombott://{HIDDEN}", "wecombott:// is unknown, did you mean wecombot"),
        (f"wecom://{HIDDEN}", "did you mean wecombot://"),
        (f"https://hook.example.org/{HIDDEN}", "did you mean jsons://"),
        ("feishu://", "is not a whole feishu:// address: it has the form feishu://{token}"),
        (HIDDEN, "does not begin with a kind"),
        (f"{HIDDEN * 9}://x", "does not begin with a kind"),
        (f"jsons://me:half@{HIDDEN}@hook.example.org/", "write %40"),
        (f"jsons://me:{HIDDEN}/{HIDDEN}@hook.example.org/", "is not a whole jsons:// address"),
        (f"jsons://[{HIDDEN}", "brackets"),
    ],
)
def test_what_is_no_address_is_said_in_a_line(url: str, words: str, caplog: pytest.LogCaptureFixture) -> None:
    """A mistake names the kind and what may have been meant; neither it nor a log has the rest of the URL."""
    caplog.set_level(logging.DEBUG)
    with pytest.raises(Unknown) as caught:
        address_of(url)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)
    assert HIDDEN not in str(caught.value) + caplog.text


def test_nothing_is_logged_of_what_is_sent(caplog: pytest.LogCaptureFixture) -> None:
    """Whoever logs everything finds no key in it, whatever becomes of a message."""
    caplog.set_level(logging.INFO)
    assert address_of(f"json://me:{HIDDEN}@127.0.0.1:{free_port()}/{HIDDEN}").send(MESSAGE) == "unreachable"
    assert HIDDEN not in caplog.text


def test_a_title_that_stands_above_the_text_takes_room_of_it() -> None:
    """企业微信 takes 2,048 bytes in all, in which a Chinese character is three."""
    assert address_of(f"wecombot://{HIDDEN}").room("证据日根") <= 2048 - 12
