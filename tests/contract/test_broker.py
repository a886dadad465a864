"""How agent and collector reach the broker: URL, credentials, TLS, and no password in any log."""

import ssl
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agent.config import Settings
from contract.broker import Address, BrokerSettings, address, tls_context
from contract.errors import ConfigError
from contract.settings import hide_password, load

SECRET = "geheim"  # noqa: S105


def _settings(url: str, **more: str | Path) -> BrokerSettings:
    return load(BrokerSettings, None, {}, {"url": url, **more})


def _problem(function: str, settings_: BrokerSettings) -> str:
    with pytest.raises(ConfigError) as caught:
        {"address": address, "tls": tls_context}[function](settings_)
    return str(caught.value)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("mqtt://192.0.2.1", Address("192.0.2.1", 1883, False, False, "/mqtt", None, None)),
        ("mqtts://broker.example", Address("broker.example", 8883, True, False, "/mqtt", None, None)),
        ("ws://broker.example", Address("broker.example", 80, False, True, "/mqtt", None, None)),
        ("wss://broker.example:8084/ws", Address("broker.example", 8084, True, True, "/ws", None, None)),
        ("mqtt://[2001:db8::1]:1884", Address("2001:db8::1", 1884, False, False, "/mqtt", None, None)),
        ("mqtt://a@192.0.2.1", Address("192.0.2.1", 1883, False, False, "/mqtt", "a", None)),
        ("mqtt://a:b%40c%3A@192.0.2.1", Address("192.0.2.1", 1883, False, False, "/mqtt", "a", "b@c:")),
        ("mqtt://a:b@c@192.0.2.1", Address("192.0.2.1", 1883, False, False, "/mqtt", "a", "b@c")),
    ],
)
def test_a_url_says_how_to_connect(url: str, expected: Address) -> None:
    """Scheme, host, port, path and credentials of the URL are what the client will use; ports have their defaults."""
    assert address(_settings(url)) == expected


def test_user_name_and_password_file_stand_above_the_url(tmp_path: Path) -> None:
    """A password from a file, without its line feed, and a user name of its own replace those of the URL."""
    file = tmp_path / "password"
    file.write_text("密码 with space\n", encoding="utf-8")
    got = address(_settings("mqtt://a:b@192.0.2.1", username="c", password_file=file))
    assert (got.username, got.password) == ("c", "密码 with space")


def test_a_missing_password_file_is_one_line(tmp_path: Path) -> None:
    """A password file that cannot be read is a mistake in the settings, with its path."""
    got = _problem("address", _settings("mqtt://192.0.2.1", password_file=tmp_path / "no"))
    assert got == f"settings: broker.password_file: {tmp_path / 'no'}: No such file or directory"


def test_a_password_file_in_another_encoding_is_one_line(tmp_path: Path) -> None:
    """A password file that is not UTF-8 is a mistake in the settings, with its path, and is not shown."""
    file = tmp_path / "password"
    file.write_bytes("密码".encode("gbk"))
    got = _problem("address", _settings("mqtt://192.0.2.1", password_file=file))
    assert got.startswith(f"settings: broker.password_file: {file}: ")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "192.0.2.1",
        "192.0.2.1:1883",
        "tcp://192.0.2.1",
        "MQTT//192.0.2.1",
        "mqtt://",
        "mqtt://:1883",
        "mqtt://a:b@",
        "mqtt://192.0.2.1:0",
        "mqtt://192.0.2.1:65536",
        "mqtt://192.0.2.1:18a3",
        "mqtt://[2001:db8::1",
    ],
)
def test_what_is_no_broker_url(url: str) -> None:
    """A URL without a known scheme, a host or a port that exists is refused in the settings."""
    with pytest.raises(ConfigError) as caught:
        _settings(url)
    assert [problem.path for problem in caught.value.problems] == ["url"]


@pytest.mark.parametrize(
    "url",
    [
        f"mqtt://agent:{SECRET}@192.0.2.1",
        f"mqtt://:{SECRET}@192.0.2.1",
        f"mqtt://agent:x@{SECRET}@192.0.2.1",
        f"mqtt://agent@school:{SECRET}@192.0.2.1",
        f"mqtt://agent:a/b:{SECRET}@192.0.2.1",
        f"mqtt://agent:a:{SECRET}@192.0.2.1",
    ],
)
def test_a_url_is_shown_without_its_password(url: str) -> None:
    """Wherever a broker URL is printed or logged, there are stars for its password and the rest can be read."""
    shown = hide_password(url)
    assert SECRET not in shown
    assert shown.startswith("mqtt://")
    assert shown.endswith("@192.0.2.1")


def test_settings_are_shown_without_the_password() -> None:
    """Printing, formatting or logging the URL does not show the password, and the URL itself still has it."""
    loaded = _settings(f"mqtt://agent:{SECRET}@192.0.2.1")
    assert loaded.url.startswith("mqtt://agent:")
    for shown in (str(loaded.url), f"{loaded.url}", "%s" % loaded.url):  # noqa: UP031
        assert shown == "mqtt://agent:***@192.0.2.1"


def test_settings_as_a_whole_are_shown_without_the_password() -> None:
    """Settings that end up in a log or a traceback as a whole do not show the password."""
    loaded = _settings(f"mqtt://agent:{SECRET}@192.0.2.1")
    assert SECRET not in repr(loaded)
    assert SECRET not in str(loaded)


@pytest.mark.parametrize(
    "url",
    [
        f"mqqt://agent:{SECRET}@192.0.2.1",
        f"mqtt://agent:{SECRET}@192.0.2.1:0",
        f"mqtt://agent:{SECRET}@",
        f"mqtt://agent:{SECRET}@[2001:db8::1",
        f"mqtt://agent:x@{SECRET}@192.0.2.1:0",
        f"mqtt://agent:{SECRET}@192.0.2.1：1883",
    ],
)
def test_a_mistake_in_a_url_does_not_show_its_password(url: str) -> None:
    """The message about a wrong URL does not repeat the password in it, full-width colon of a Chinese keyboard too."""
    with pytest.raises(ConfigError) as caught:
        _settings(url)
    assert SECRET not in str(caught.value)


def test_a_url_for_the_whole_section_does_not_show_its_password(tmp_path: Path) -> None:
    """`broker = "mqtt://…"`, easily written for a section, is refused without repeating the password."""
    file = tmp_path / "collector.toml"
    file.write_text(f'broker = "mqtt://agent:{SECRET}@192.0.2.1"\n')
    with pytest.raises(ConfigError) as caught:
        load(Settings, file, {"SANTONG_AGENT": "441802-1.c1"})
    assert SECRET not in str(caught.value)


@settings(max_examples=100, deadline=None)
@given(text=st.text(max_size=60))
def test_text_without_a_password_is_left_alone(text: str) -> None:
    """A URL without a password is shown as it is."""
    url = f"mqtt://{text.replace('@', '')}"
    assert hide_password(url) == url


def test_tls_verifies_the_broker() -> None:
    """TLS is 1.2 or later, and the broker's certificate and name are always verified."""
    context = tls_context(_settings("mqtts://192.0.2.1"))
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


def test_a_missing_ca_is_one_line(tmp_path: Path) -> None:
    """A CA file that is not there is a mistake in the settings, named by path."""
    got = _problem("tls", _settings("mqtts://192.0.2.1", ca=tmp_path / "ca.pem"))
    assert got == f"settings: broker.ca: {tmp_path / 'ca.pem'}: No such file or directory"


@pytest.mark.parametrize(
    "content", [b"", b"garbage", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_garbage_ca_is_one_line(tmp_path: Path, content: bytes) -> None:
    """A CA file that holds no certificate is a mistake in the settings, named by path, in one line."""
    file = tmp_path / "ca.pem"
    file.write_bytes(content)
    got = _problem("tls", _settings("mqtts://192.0.2.1", ca=file))
    assert got.startswith(f"settings: broker.ca: {file}: ")
    assert "\n" not in got


def test_a_missing_client_certificate_is_one_line(tmp_path: Path) -> None:
    """A client certificate that is not there is a mistake in the settings, named by path."""
    got = _problem("tls", _settings("mqtts://192.0.2.1", certificate=tmp_path / "a.crt", key=tmp_path / "a.key"))
    assert got.startswith(f"settings: broker.certificate: {tmp_path / 'a.crt'}")
    assert got.endswith("No such file or directory")
