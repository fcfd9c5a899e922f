"""A connection from when it is accepted until its TLS stands.

asyncio itself would tell nobody of it before: it could neither be counted nor closed.
So what is accepted is taken as a plain socket, and TLS is begun on that.
"""

import asyncio
import contextlib
import os
import socket
import ssl
from collections.abc import Callable
from typing import TypeAlias, cast

Carry: TypeAlias = Callable[[socket.socket | None], None]
"""Is told what carries a connection beneath TLS; None: TLS stands."""


class Shaking(asyncio.Protocol):
    """Has a client and us shake hands, then lets the connection go on."""

    def __init__(
        self,
        connection: asyncio.Protocol,
        context: ssl.SSLContext,
        *,
        carry: Carry,
        limit_s: float,
    ) -> None:
        self._connection = connection
        self._context = context
        self._carry = carry
        self._limit_s = limit_s
        self._task: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the socket, before anything is read from it."""
        number = os.dup(transport.get_extra_info("socket").fileno())
        cast(asyncio.Transport, transport).abort()
        beneath = socket.socket(fileno=number)
        self._carry(beneath)
        self._task = asyncio.create_task(self._shake(beneath))

    async def _shake(self, beneath: socket.socket) -> None:
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: self._connection,
                beneath,
                ssl=self._context,
                ssl_handshake_timeout=self._limit_s,
            )
        except OSError as err:
            self._connection.connection_lost(err)
        finally:
            self._carry(None)


def cut(beneath: socket.socket) -> None:
    """End a connection whose TLS does not stand; its socket is closed by that."""
    with contextlib.suppress(OSError):
        beneath.shutdown(socket.SHUT_RDWR)
