"""The read-only HTTP API: what there is, cut to what whoever asks may see, as JSON and CSV."""
