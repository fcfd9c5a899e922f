"""The NATS configuration of every installation: one user per service, allow-lists."""
