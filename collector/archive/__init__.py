"""Evidence of a period as one signed file, and what it still has in common with a store."""
