"""Proofs about how Tandem is deployed."""
