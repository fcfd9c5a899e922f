"""A real Tryton server for tests: a database made once and copied, and one user."""

import contextlib
import fcntl
import importlib.metadata
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import aiohttp

from deploy.local import ports

MADE: Final = "made"
SERVE, INIT = "serve", "init"
USER: Final = "admin"
PASSWORD: Final = "a secret of admin"
RUNNER: Final = Path(__file__).with_name("tryton_runner.py")
STOP_S: Final = 10.0
_CONFIGURATION: Final = """\
[database]
uri = sqlite://
path = {data}
[web]
listen = 127.0.0.1:{port}
[session]
max_attempt = 10000
max_attempt_ip_network = 10000
"""


class Server:
    """One server, with databases that tests take and give back."""

    def __init__(self, directory: Path, *, template: Path) -> None:
        self._directory = directory
        self._template = template
        self.port = ports.free_port()
        self._clock = directory / "clock"
        self._process: subprocess.Popen[bytes] | None = None
        self._free: list[str] = []
        self._made = 0
        self.set_clock(0.0)

    def url_of(self, database: str) -> str:
        """Return where a database is served."""
        return f"http://{ports.LOOPBACK}:{self.port}/{database}"

    def set_clock(self, offset_s: float, *, at: float | None = None) -> None:
        """Move the server's clock, or have it stand still at a moment."""
        self._clock.write_text(f"by {offset_s}" if at is None else f"at {at}")

    def start(self) -> None:
        """Serve; return when calls are answered."""
        log = self._directory / "log"
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command(SERVE, self._directory, port=self.port),
                stderr=errors,
                stdout=subprocess.PIPE,
            )
        assert self._process.stdout is not None
        # It says one line once it listens, and nothing if it cannot.
        assert self._process.stdout.readline(), log.read_text()[-2000:]

    def stop(self) -> None:
        """Stop serving."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(STOP_S)

    def take(self) -> tuple[str, bool]:
        """Return a database that nobody uses, and whether it is a new one."""
        if self._free:
            return self._free.pop(), False
        self._made += 1
        name = f"tandem{self._made}"
        shutil.copy(self._template / f"{MADE}.sqlite", self.path_of(name))
        return name, True

    def path_of(self, database: str) -> Path:
        """Return where the server keeps a database."""
        return self._directory / "data" / f"{database}.sqlite"

    def give_back(self, database: str) -> None:
        """Let another test take a database."""
        self._free.append(database)

    @property
    def is_alone(self) -> bool:
        """Say whether one database alone is used."""
        return self._made - len(self._free) == 1

    def call(self, database: str, method: str, *params: Any, **context: Any) -> Any:
        """Call a method as the user does, with plain JSON."""
        body = {"id": 0, "method": method, "params": [*params, context]}
        request = urllib.request.Request(
            f"{self.url_of(database)}/rpc/",
            data=json.dumps(body).encode(),
            headers={
                "Authorization": aiohttp.encode_basic_auth(USER, PASSWORD),
                "Content-Type": "application/json",
            },
        )
        with urllib.request.urlopen(request) as reply:
            answer = json.loads(reply.read())
        assert "error" not in answer, answer
        return answer["result"]


def command(work: str, directory: Path, *, port: int = 0) -> list[str]:
    """Return how the server's program is run over a directory."""
    data = directory / "data"
    data.mkdir(exist_ok=True)
    configuration = directory / "trytond.conf"
    configuration.write_text(_CONFIGURATION.format(data=data, port=port))
    clock = directory / "clock"
    return [sys.executable, str(RUNNER), work, str(configuration), MADE, str(clock)]


def _template() -> Path:
    """Return where a database was made, by whoever of this user's came first."""
    version = importlib.metadata.version("trytond")
    place = Path(tempfile.gettempdir()) / f"tandem-tests-{os.getuid()}"
    place.mkdir(mode=0o700, exist_ok=True)
    assert place.stat().st_uid == os.getuid()
    made = place / f"trytond-{version}"
    with (place / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (made / "done").exists():
            shutil.rmtree(made, ignore_errors=True)
            made.mkdir()
            secret = made / "password"
            secret.write_text(PASSWORD)
            # It asks for an address of the user's, who needs none.
            subprocess.run(
                command(INIT, made),
                env=os.environ | {"TRYTONPASSFILE": str(secret)},
                input=b"\n",
                check=True,
            )
            (made / "done").touch()
    return made / "data"


@contextlib.contextmanager
def serving(directory: Path) -> Iterator[Server]:
    """Serve copies of a database, which takes some ten seconds to make at first."""
    directory.mkdir(exist_ok=True)
    server = Server(directory, template=_template())
    try:
        server.start()
        yield server
    finally:
        server.stop()
