"""Release bundles: all that a centre and its devices need, in one folder, for places without the Internet."""
