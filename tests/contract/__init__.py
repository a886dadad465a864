"""Tests of the contract: what agent and collector agree on."""
