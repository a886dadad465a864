"""Tests of profiles: loading, inheriting, checking, matching."""
