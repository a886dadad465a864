"""The edge: measures, keeps what it measured, publishes, forgets only what the centre has stored."""
