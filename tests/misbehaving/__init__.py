"""Receivers that misbehave, played on real sockets to a whole platform. Building blocks; the claims are in test_*.py."""
