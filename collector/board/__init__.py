"""The board: a live page of what works now, for people who do not read dashboards."""
