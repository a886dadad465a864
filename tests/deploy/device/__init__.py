"""Tests of the programs on devices: releases, their trial, and pull."""
