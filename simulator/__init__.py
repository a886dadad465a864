"""A city of pretend agents whose truth is known."""
