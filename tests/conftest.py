"""Fixtures of every test: the real servers."""

from tests.services import influx_url, influxd, mosquitto, shared_influxd

__all__ = ["influx_url", "influxd", "mosquitto", "shared_influxd"]
