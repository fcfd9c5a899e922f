"""Tests of what the chassis decides by itself."""
