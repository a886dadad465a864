"""What is wrong now: states, incidents and messages, from events and times alone; joined in `collector.watching`."""
