"""Tests of the stores: one suite over both, and what only one of them has."""
