"""Backups of the centre, and the centre from a backup."""
