"""Tests of watch: what is wrong now, and who is told."""
