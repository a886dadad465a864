"""Malformed batches by the million, through the centre's check and into real stores."""
