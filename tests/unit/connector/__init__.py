"""Proofs about the parts of the connector, without servers of others."""
