"""Run a real Tryton server with a clock that a test may move: a program by itself.

`python tryton_runner.py init|serve CONFIGURATION DATABASE CLOCK`. Nothing of the server
is replaced but how dear a password is to check, which takes a tenth of a second each
time, and what time it is: CLOCK is a file with seconds to add, or with a moment at
which time stands still.
"""

import datetime
import sys
import threading
import time
from pathlib import Path
from typing import Any
from wsgiref.handlers import format_date_time

from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher
from trytond import config

MODULES = ("party",)
OPTIONAL = ("email_validator", "phonenumbers")
"""Parts that the server does without: the first asks the DNS for each address."""
SERVE, INIT = "serve", "init"
CHEAP = PasswordHash([Argon2Hasher(time_cost=1, memory_cost=8, parallelism=1)])


def main(work: str, configuration: str, database: str, clock: str) -> int:
    """Make a database, or serve it until told to stop."""
    for name in OPTIONAL:
        sys.modules[name] = None  # type: ignore[assignment]
    config.update_etc([configuration])
    from trytond.res import user  # noqa: PLC0415 - the configuration comes first

    user.PASSWORD_HASH = CHEAP
    if work == INIT:
        from trytond import admin, commandline  # noqa: PLC0415

        parser = commandline.get_parser_admin()
        base = ["-c", configuration, "-d", database, "--activate-dependencies"]
        Path(config.get("database", "path"), f"{database}.sqlite").touch()
        admin.run(parser.parse_args([*base, "-u", "ir", *MODULES]))
        return 0
    _set_clock(Path(clock))
    from trytond.pool import Pool  # noqa: PLC0415
    from trytond.transaction import Transaction  # noqa: PLC0415
    from trytond.wsgi import app  # noqa: PLC0415
    from werkzeug.serving import WSGIRequestHandler, make_server  # noqa: PLC0415

    Pool.start()
    known: set[str] = set()
    lock = threading.Lock()

    def prepared(environ: dict[str, Any], start_response: Any) -> Any:
        """Load a database before its first call, as `trytond -d` does."""
        name = environ["PATH_INFO"].split("/")[1]
        with lock:
            if name not in known:
                with Transaction().start(name, 0, readonly=True):
                    Pool(name).init()
                known.add(name)
        return app(environ, start_response)

    class Handler(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def date_time_string(self, timestamp: float | None = None) -> str:
            now = _now(Path(clock)) if timestamp is None else timestamp
            return format_date_time(now)

        def log_request(self, *_about: object) -> None:
            """Say nothing."""

    host, _, port = config.get("web", "listen").rpartition(":")
    server = make_server(
        host, int(port), prepared, threaded=True, request_handler=Handler
    )
    print("ready", flush=True)
    server.serve_forever()
    return 0


def _now(path: Path) -> float:
    kind, _, text = path.read_text().partition(" ")
    return float(text) if kind == "at" else time.time() + float(text)


def _set_clock(path: Path) -> None:
    from trytond.backend.sqlite import database  # noqa: PLC0415
    from trytond.transaction import Transaction  # noqa: PLC0415

    times: dict[float, str] = {}

    def now() -> str:
        began = Transaction().started_at
        if began not in times:
            times.clear()
            moment = datetime.datetime.fromtimestamp(_now(path), datetime.UTC)
            times[began] = moment.replace(tzinfo=None).isoformat(" ")
        return times[began]

    database.now = now


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
