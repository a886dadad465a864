"""The board: its states, its counts, its pages in a real browser."""
