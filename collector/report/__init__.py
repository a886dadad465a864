"""The report of a period: from verdicts to files that are signed, filed and recomputed. Pure: no store, no clock."""
