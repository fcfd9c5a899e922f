"""Run a real Xandikos server without TLS: a program by itself.

`python xandikos_runner.py DIRECTORY USERS PORT`. Put together as `xandikos multi-user
--htpasswd USERS --defaults` does it, which asks for passwords over TLS alone; nothing
of the server is replaced. Users get what `--defaults` makes, when they first call.
"""

import sys
from typing import Final

from aiohttp import web
from xandikos.htpasswd import HtpasswdFile
from xandikos.multi_user import MultiUserFilesystemBackend, MultiUserXandikosApp
from xandikos.web import (
    WELLKNOWN_DAV_PATHS,
    RedirectDavHandler,
    basic_auth_middleware,
)

LOOPBACK: Final = "127.0.0.1"
ROOT: Final = "/"


def main(directory: str, users: str, port: str) -> None:
    """Serve until told to stop."""
    backend = MultiUserFilesystemBackend(directory, create_defaults=True)
    server = MultiUserXandikosApp(backend, "/%(REMOTE_USER)s/")

    async def answer(request: web.Request) -> web.StreamResponse:
        return await server.aiohttp_handler(request, ROOT)

    app = web.Application(middlewares=[basic_auth_middleware(HtpasswdFile(users))])
    for path in WELLKNOWN_DAV_PATHS:
        app.router.add_route("*", path, RedirectDavHandler(ROOT).__call__)
    app.router.add_route("*", "/{path_info:.*}", answer)
    web.run_app(app, host=LOOPBACK, port=int(port), access_log=None, print=None)


if __name__ == "__main__":
    main(*sys.argv[1:])
