"""Stands in for a service where the supervisor is tested: ready, and told how to fail.

Run as `stand_in.py <service> [migrate]`. `STAND_IN` in its environment names one
misbehaviour: deaf (ignores SIGTERM), crash, crash-migrate.
"""

import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer


class _Answers(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/readyz" else 404)
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        pass


def _main(service: str, command: str) -> int:
    prefix = service.upper()
    misbehaviour = os.environ.get("STAND_IN", "")
    if command == "migrate":
        print(f"{prefix} migrated" if misbehaviour != "crash-migrate" else "no luck")
        return int(misbehaviour == "crash-migrate")
    if misbehaviour == "crash":
        print("the moon is in the wrong phase")
        return 7
    if misbehaviour == "deaf":
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    else:
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    port = os.environ[f"{prefix}_HTTP_PORT"]
    port = os.environ.get(f"{prefix}_OPERATIONS_PORT", port)
    HTTPServer((os.environ[f"{prefix}_HTTP_HOST"], int(port)), _Answers).serve_forever()
    return 0


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else ""))
