"""Proofs of one part with a real Postgres or NATS."""
