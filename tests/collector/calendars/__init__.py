"""Tests of calendars: which minutes are service, lessons, agreed interruptions."""
