"""Sources: one module a source, each yields samples of one instant."""
