"""Proofs of the stand-ins: what they promise to the simulation and the tests."""
