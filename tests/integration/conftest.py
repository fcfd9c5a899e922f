"""Real servers for every test in this folder; see `tests.servers`."""

from tests.servers import (
    database,
    nats_server,
    open_nats_server,
    postgres_server,
    servers_directory,
)

__all__ = [
    "database",
    "nats_server",
    "open_nats_server",
    "postgres_server",
    "servers_directory",
]
