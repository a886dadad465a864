"""Rollouts: which agents there are, in which waves they get a release, what proves it good, and where it stands."""
