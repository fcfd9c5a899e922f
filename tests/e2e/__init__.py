"""Everything together: four services, real Postgres and NATS, emulator and Radicale."""
