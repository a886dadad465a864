"""Tests of what is deployed with other programs."""
