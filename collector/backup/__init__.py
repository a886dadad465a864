"""Backups: one file with everything that the centre would have to be rebuilt from, and its way back. docs/backup.md."""
