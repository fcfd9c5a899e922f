"""Proofs of single parts, without servers where that is possible."""
