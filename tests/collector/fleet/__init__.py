"""Rollouts: inventory, waves, the gate, plans."""
