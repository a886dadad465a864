"""Stores are opened by URL; what cannot be opened is said in one line, without a password."""

import re
from pathlib import Path

import pytest

from collector.store.influx import InfluxStore
from collector.store.open import StoreUrl, open_store
from collector.store.sqlite import SqliteStore
from contract.errors import ConfigError


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("sqlite:///var/lib/santong/store.db", "/var/lib/santong/store.db"),
        ("sqlite:/var/lib/store.db", "/var/lib/store.db"),
        ("sqlite:santong-data/store.db", "santong-data/store.db"),
        ("sqlite:///data/%E4%B8%89%E9%80%9A%20%231.db", "/data/三通 #1.db"),
        ("sqlite:///data/三通.db", "/data/三通.db"),
    ],
)
def test_sqlite_urls_name_a_file(url: str, path: str) -> None:
    """Absolute and relative paths, percent-encoded or not, name the file; opening alone creates nothing."""
    store = open_store(url)
    assert isinstance(store, SqliteStore)
    assert store.path == Path(path)


@pytest.mark.parametrize(
    ("url", "server", "login"),
    [
        ("influxdb://db.example:8086/santong", "http://db.example:8086", None),
        ("influxdb://db.example/santong/", "http://db.example:8086", None),
        ("influxdbs://any:t%2Fk%3D%3D@db.example/santong", "https://db.example:8086", "any:t/k=="),
        ("influxdb://us%40er:p%3Aw@[::1]:9/santong", "http://[::1]:9", "us@er:p:w"),
    ],
)
def test_influx_urls_name_server_database_and_login(url: str, server: str, login: str | None) -> None:
    """Port, user and password may be absent; TLS follows from the scheme; names are percent-decoded."""
    store = open_store(url)
    assert isinstance(store, InfluxStore)
    assert store.database == "santong"
    assert store.server == server
    assert store.login == login
    store.close()


@pytest.mark.parametrize(
    ("url", "says"),
    [
        ("", "is no store"),
        ("/var/lib/store.db", "is no store"),
        ("postgres://u:secret@host/db", "is no store"),
        ("sqlite:", "needs a path"),
        ("sqlite://store.db", "needs a path"),
        ("sqlite:///a?mode=ro", "%3F"),
        ("influxdb://u:secret@host:8086", "database"),
        ("influxdb://u:secret@host:8086/a/b", "database"),
        ("influxdb://u:secret@host:0/db", "port"),
        ("influxdb://u:secret@host:70000/db", "is not a URL"),
        ("influxdb://u:sec/ret@host:8086/db", "is not a URL"),
        ("influxdb://u:secret@/db", "needs a host"),
        ("influxdb://u:secret@[host/db", "is not a URL"),
        ("influxdb://u:secret@host/db?rp=x", "%3F"),
    ],
)
def test_anything_else_is_one_clear_line(url: str, says: str) -> None:
    """A URL that cannot be used is a configuration error that says why and keeps the password to itself."""
    with pytest.raises(ConfigError) as caught:
        open_store(url)
    with pytest.raises(ValueError, match=re.escape(says)) as as_setting:
        StoreUrl.parse(url)
    for message in (str(caught.value), str(as_setting.value)):
        assert says in message
        assert "\n" not in message
        assert "secret" not in message
        assert "ret@" not in message


def test_a_url_in_a_log_hides_its_password() -> None:
    """Printing the setting never prints the password, and it still opens the store."""
    url = StoreUrl.parse("influxdb://user:secret@host:8086/santong")
    assert f"{url}" == "influxdb://user:***@host:8086/santong"
    store = open_store(url)
    assert isinstance(store, InfluxStore)
    assert store.login == "user:secret"
    store.close()
