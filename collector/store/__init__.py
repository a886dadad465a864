"""Stores of evidence: one protocol, two implementations, opened by URL."""
