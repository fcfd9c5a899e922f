"""Measurements: each prints JSON."""
