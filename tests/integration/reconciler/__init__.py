"""The reconciler with real Postgres and NATS, between two vendors in memory."""
