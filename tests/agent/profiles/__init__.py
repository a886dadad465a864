"""Tests of the agent's profiles: facts, the process that resolves, commands."""
