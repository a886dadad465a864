"""Fixtures of every test: the real servers; and what hypothesis must not judge."""

from hypothesis import HealthCheck, settings

from tests.services import influx_url, influxd, mosquitto, shared_influxd

__all__ = ["influx_url", "influxd", "mosquitto", "shared_influxd"]

# How long an example takes says how busy the machine is, not whether the product is right.
settings.register_profile("any-machine", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any-machine")
