"""Roster 台账: the sites, rooms and devices that should exist, and from when to when."""
