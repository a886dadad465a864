"""Fixtures of the tests of what is deployed."""

from tests.deploy.city import city

__all__ = ["city"]
