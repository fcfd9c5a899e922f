"""The embedded NATS keeps its store and address, and can lose its store on request."""

import asyncio
import socket
from pathlib import Path

import nats as nats_client
import pytest

from deploy.local import nats, outside, ports
from deploy.local.errors import CannotStart

pytestmark = pytest.mark.integration

_WAIT_S = 5.0


async def _messages(server: nats.Server) -> int | None:
    """Return how many messages the stream holds, or None where there is no stream."""
    client = await nats_client.connect(server.url)
    try:
        info = await client.jetstream(timeout=_WAIT_S).stream_info("KEPT")
        return info.state.messages
    except nats_client.js.errors.NotFoundError:
        return None
    finally:
        await client.close()


async def _store_one(server: nats.Server) -> None:
    client = await nats_client.connect(server.url)
    js = client.jetstream(timeout=_WAIT_S)
    await js.add_stream(name="KEPT", subjects=["kept"])
    await js.publish("kept", b"1")
    await client.close()


async def test_a_stopped_server_comes_back_with_its_streams(tmp_path: Path):
    """Same directory, same address."""
    async with nats.running(tmp_path, secured=False) as server:
        url = server.url
        await _store_one(server)
        await server.stop()
        assert server.pid is None
        await server.start()
        assert server.url == url
        assert await _messages(server) == 1


async def test_a_server_whose_store_was_deleted_starts_empty(tmp_path: Path):
    """The worst that can happen to the broker, for tests to do on purpose."""
    async with nats.running(tmp_path, secured=False) as server:
        await _store_one(server)
        await server.kill()
        await server.delete_store()
        await server.start()
        assert await _messages(server) is None


async def test_the_same_keys_serve_after_a_restart(tmp_path: Path):
    """Seeds belong to the installation, not to one run of the server."""
    async with nats.running(tmp_path) as server:
        seed_file = server.seed_file("auth")
        seed = seed_file.read_bytes()
        assert seed_file.stat().st_mode & 0o777 == 0o600
    async with nats.running(tmp_path) as server:
        assert server.seed_file("auth").read_bytes() == seed
        client = await nats_client.connect(server.url, nkeys_seed=str(seed_file))
        await client.close()


async def test_a_taken_port_is_named(tmp_path: Path):
    """The message says which port, and what to do."""
    with socket.create_server((ports.LOOPBACK, 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(CannotStart, match=f"port {port} .* is taken. Stop "):
            async with nats.running(tmp_path, port=port):
                pass


async def test_a_server_of_the_users_own_is_accepted(open_nats_server: nats.Server):
    """What NATS_URL names is looked at before anything relies on it."""
    await outside.check_nats(open_nats_server.url)
    nobody = f"nats://{ports.LOOPBACK}:{ports.free_port()}"
    await outside.check_nats(f"{nobody}, {open_nats_server.url}")


async def test_an_unreachable_nats_is_told_without_its_login():
    """One paragraph with the address, the reason and the remedy."""
    url = f"nats://me:hunter2@{ports.LOOPBACK}:{ports.free_port()}"
    with pytest.raises(CannotStart, match="NATS_URL cannot be reached") as told:
        await outside.check_nats(url)
    assert "hunter2" not in str(told.value)
    assert "unset NATS_URL" in str(told.value)


@pytest.mark.parametrize(
    ("greeting", "told"),
    [
        (b'INFO {"version":"2.9.10","jetstream":true}\r\n', "version 2.9.10"),
        (b'INFO {"version":"dev","jetstream":true}\r\n', "version dev"),
        (b'INFO {"version":"2.15.1"}\r\n', "without JetStream"),
        (b"HTTP/1.1 400 Bad Request\r\n", "not NATS"),
        (b"INFO []\r\n", "not NATS"),
        (b"INFO {\r\n", "cannot be reached"),
        (b"", "not NATS"),
    ],
)
async def test_a_server_that_cannot_serve_is_refused(greeting: bytes, told: str):
    """Too old, without JetStream, or not NATS at all."""

    async def greet(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter):
        writer.write(greeting)
        writer.close()

    async with await asyncio.start_server(greet, ports.LOOPBACK, 0) as server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(CannotStart, match=told):
            await outside.check_nats(f"nats://{ports.LOOPBACK}:{port}")
