"""The reconciler's decisions, without its engine and without I/O."""
