"""The worker process, in which probes and readings run, and the agent's end of it."""
