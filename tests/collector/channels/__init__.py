"""Tests of messages to people outside, with real receivers on this machine."""
