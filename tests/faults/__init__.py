"""The fault harness: real processes, faults by a printed seed, and a ledger that the product does not write."""
