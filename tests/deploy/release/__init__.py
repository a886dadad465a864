"""Tests of release bundles."""
