"""Calendars: when a site owes its service, and when its lessons are."""
