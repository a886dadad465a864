"""Profiles where YAML may be loaded: the commands, and the process that resolves them for the loop."""
