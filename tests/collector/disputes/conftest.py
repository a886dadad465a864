"""Both stores under one name: a test that takes `store` runs over SQLite and over a real influxd."""

from tests.collector.store.conftest import store, url

__all__ = ["store", "url"]
