"""The servers of the run: Postgres that wants passwords and logs, NATS with a tap.

Both are as in production otherwise: roles, permissions and the file of NATS.
"""

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

import nats as nats_client
from nats.aio.client import Client
from nats.aio.msg import Msg

import deploy.nats
from deploy.local import children, nats, ports, postgres
from deploy.local.supervisor import DATABASE

TAP: Final = "tap"
_CONFIGURATION: Final = Path(deploy.nats.__file__).parent
_READING: Final = "$JS.API.STREAM.MSG.GET"
"""What nobody but the tap may ask for."""
_API_USER: Final = "{ nkey: $API_NKEY, permissions: $API_PERMISSIONS }"
_ACCESS: Final = """\
host all postgres 127.0.0.1/32 trust
host all all 127.0.0.1/32 scram-sha-256
"""
_TALKATIVE: Final = {
    "log_statement": "all",
    "log_min_duration_statement": "0",
    "log_connections": "on",
    "log_error_verbosity": "verbose",
    "log_parameter_max_length_on_error": "0",
}
"""As much as an operator may ask for who looks for a fault."""


@contextlib.asynccontextmanager
async def postgres_that_talks(
    directory: Path, *, log: Path
) -> AsyncIterator[postgres.Server]:
    """Run a Postgres with the services' database, where roles need their passwords."""
    server = postgres.Server(
        directory,
        programs=postgres.find_programs(),
        durable=False,
        log_path=log,
    )
    try:
        await server.start()
        (directory / "pg_hba.conf").write_text(_ACCESS)
        for name, value in _TALKATIVE.items():
            await server.execute(f"ALTER SYSTEM SET {name} = '{value}'")
        await server.execute("SELECT pg_reload_conf()")
        await server.create_database(DATABASE)
        yield server
    finally:
        await server.stop(immediate=True)


class TappedNats(nats.Server):
    """NATS under the file of production, with one more user who hears everything."""

    def __init__(self, directory: Path, *, keys_directory: Path, log: Path) -> None:
        super().__init__(
            directory,
            program=nats.find_program(),
            keys_directory=keys_directory,
            secured=True,
            log_path=log,
        )
        self.tap_password = "only-for-the-tap"

    def _launch(self) -> children.Child:
        folder = self.directory / "conf"
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(_CONFIGURATION / "permissions.conf", folder)
        text = (_CONFIGURATION / "nats.conf").read_text()
        assert _API_USER in text
        user = f'{{ user: {TAP}, password: "{self.tap_password}" }}'
        (folder / "nats.conf").write_text(
            text.replace(_API_USER, f"{_API_USER}\n      {user}")
        )
        return children.spawn(
            [
                self._program,
                *("-c", folder / "nats.conf", "-D"),
                *("-a", ports.LOOPBACK, "-p", str(self.port)),
                *("-sd", self.store_directory),
                *("--ports_file_dir", self._run_directory),
            ],
            name="nats",
            log_path=self.log_path,
            environment={**os.environ, **self._public_keys()},
            death_signal=signal.SIGTERM,
        )


class Tap:
    """Everything that was said over NATS, from the beginning."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.messages: list[tuple[str, bytes]] = []
        """What each was, and its headers and content; an answer is named after what
        was asked."""
        self.planted: list[bytes] = []
        """What was said by the test itself, and no service would."""
        self._asked: dict[str, str] = {}

    async def hear(self, message: Msg) -> None:
        """Keep a message."""
        name = self._asked.pop(message.subject, "") or message.subject
        if message.reply:
            self._asked[message.reply] = f"answer to {message.subject}"
        if message.data in self.planted or _READING in name:
            return
        headers = repr(dict(message.headers or {})).encode()
        self.messages.append((name, headers + b"\n" + message.data))

    async def streams(self) -> list[tuple[str, bytes]]:
        """Return what is left in every stream, from its beginning."""
        found = []
        jetstream = self.client.jetstream()
        for info in await jetstream.streams_info():
            name = str(info.config.name)
            for number in range(info.state.first_seq, info.state.last_seq + 1):
                with contextlib.suppress(nats_client.js.errors.NotFoundError):
                    message = await jetstream.get_msg(name, number)
                    found.append((str(message.subject), message.data or b""))
        return found


@contextlib.asynccontextmanager
async def tapped_nats(
    directory: Path, *, keys_directory: Path, log: Path
) -> AsyncIterator[tuple[TappedNats, Tap]]:
    """Run a NATS, and hear everything that is said there."""
    server = TappedNats(directory, keys_directory=keys_directory, log=log)
    await server.start()
    try:
        client = await nats_client.connect(
            server.url, user=TAP, password=server.tap_password
        )
        try:
            tap = Tap(client)
            await client.subscribe(">", cb=tap.hear)
            await client.flush()
            yield server, tap
        finally:
            await client.close()
    finally:
        await server.stop()
        await asyncio.sleep(0)
