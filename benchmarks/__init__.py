"""Measurements of the figures in docs/performance.md: each script prints its figures beside their goals."""
