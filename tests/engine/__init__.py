"""Tests of the pure engine: laws, behaviours by number, and a state machine."""
