"""The api on real Postgres and NATS, among stand-ins that answer its commands."""
