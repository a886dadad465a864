"""Verification: from evidence to verdicts. Pure: no clock, no files, no network."""
