"""The proofs: what each folder holds is said in docs/conventions.md."""
