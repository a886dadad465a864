"""What agent and collector agree on: names, measurements, lines, batches, topics. Standard library only."""

__version__ = "0.1.0"
