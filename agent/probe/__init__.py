"""Probes: what a pupil or a passer-by would experience. One module a probe, all of one shape (`base.py`)."""
