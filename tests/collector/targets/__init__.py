"""Tests of targets: what was promised, and which evidence proves it."""
