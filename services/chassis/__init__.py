"""What makes any service a process: bus, database, configuration, logs, health.

Knows nothing of contacts. The only importer of nats and asyncpg.
"""
