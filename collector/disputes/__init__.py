"""Disputes and closures: who asked for what about which minutes, and who agreed. Records are added, never changed."""
