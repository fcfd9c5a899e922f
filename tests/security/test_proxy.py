"""The proxy's configuration in `deploy/proxy` does what a listener of ours does.

Where nginx is not installed these tests are skipped, and say so.
"""

import asyncio
import contextlib
import json
import re
import shutil
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import NamedTuple

import pytest
import pytest_asyncio
from aiohttp import ClientSession, TCPConnector, web

from deploy.local import nats, ports
from services.api import plain
from tests.security import peers
from tests.security.peers import HOST, Papers
from tests.security.test_listeners import shake, trusting
from tests.security.test_logs import environment, run
from tests.servers import Database
from tests.tidy.tree import ROOT

CONFIGURATION = ROOT / "deploy" / "proxy" / "nginx.conf"
PROGRAM = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")

MAIN = """
daemon off;
user {user};
pid {folder}/pid;
error_log {folder}/error.log;
events {{ }}
http {{
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  include {folder}/tandem.conf;
}}
"""


class Proxied(NamedTuple):
    """A proxy with a real api behind it, and a stand-in for the connector's port."""

    tls: int
    plain: int
    papers: Papers
    pushed: list[tuple[str, list[str]]]
    folder: Path


@contextlib.asynccontextmanager
async def connector(port: int) -> AsyncIterator[list[tuple[str, list[str]]]]:
    heard: list[tuple[str, list[str]]] = []

    async def answer(request: web.BaseRequest) -> web.Response:
        heard.append((request.path, request.headers.getall("X-Forwarded-For", [])))
        return web.Response(text="pushed")

    runner = web.ServerRunner(web.Server(answer))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield heard
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def proxy(folder: Path, changes: dict[str, str]) -> AsyncIterator[None]:
    text = CONFIGURATION.read_text()
    for old, new in changes.items():
        assert old in text, f"the configuration has no {old}"
        text = text.replace(old, new)
    (folder / "tandem.conf").write_text(text)
    (folder / "main.conf").write_text(
        MAIN.format(folder=folder, user=Path.home().owner())
    )
    assert PROGRAM is not None
    child = await asyncio.create_subprocess_exec(
        PROGRAM, "-p", str(folder), "-c", str(folder / "main.conf")
    )
    try:
        yield
    finally:
        assert child.returncode is None, (folder / "error.log").read_text()
        child.terminate()
        await child.wait()


@pytest_asyncio.fixture
async def proxied(
    database: Database, nats_server: nats.Server, tmp_path: Path
) -> AsyncIterator[Proxied]:
    if PROGRAM is None:
        pytest.skip("nginx is not installed")
    papers = peers.papers(tmp_path / "papers")
    own = papers.of(HOST)
    tls, clear, api, pushes = (ports.free_port() for _ in range(4))
    env = environment(
        database,
        nats_server,
        API_PUBLIC_URL=f"https://{HOST}:{tls}",
        API_HTTP_PORT=str(api),
        API_PROXIES="127.0.0.1/32",
    )
    assert (await run("migrate", env=env))[0] == 0
    log = tmp_path / "api.log"
    changes = {
        "https://tandem.example.org": f"https://{HOST}:{tls}",
        "server_name tandem.example.org": f"server_name {HOST}",
        "listen 80": f"listen 127.0.0.1:{clear}",
        "listen 443": f"listen 127.0.0.1:{tls}",
        "server 127.0.0.1:8080": f"server 127.0.0.1:{api}",
        "server 127.0.0.1:8081": f"server 127.0.0.1:{pushes}",
        "/etc/tandem/certificate.pem": str(own),
        "/etc/tandem/key.pem": str(own),
        "/var/log/nginx/tandem.log": str(tmp_path / "access.log"),
    }
    with log.open("wb") as output:
        child = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "services.api"), env=env, stdout=output
        )
    try:
        async with connector(pushes) as heard, proxy(tmp_path, changes):
            async with asyncio.timeout(30):
                while b"listening" not in log.read_bytes() or (
                    await shake(tls, trusting(papers)) is None
                ):
                    await asyncio.sleep(0.1)
            yield Proxied(tls, clear, papers, heard, tmp_path)
    finally:
        child.terminate()
        await child.wait()


async def test_the_proxy_does_as_the_api_does(proxied: Proxied) -> None:
    papers, second = proxied.papers, ssl.TLSVersion.TLSv1_2
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        old = trusting(papers, minimum_version=version, maximum_version=version)
        assert await shake(proxied.tls, old) is None
    offered = trusting(papers, maximum_version=second).get_ciphers()
    names = {each["name"] for each in offered if each["protocol"] != "TLSv1.3"}
    taken = {
        name
        for name in names
        if await shake(
            proxied.tls, trusting(papers, maximum_version=second, suites=name)
        )
    }
    assert taken
    assert all(name.startswith("ECDHE-") for name in taken), taken
    assert all("GCM" in name or "POLY1305" in name for name in taken), taken

    connector = TCPConnector(ssl=trusting(papers))
    async with ClientSession(connector=connector) as session:
        forged = {"X-Forwarded-For": "9.9.9.9", "Authorization": "Bearer s3cr3t"}
        url = f"https://{HOST}:{proxied.tls}"
        async with session.get(
            f"{url}/v1/apps?secret=s3cr3t", headers=forged
        ) as answer:
            assert answer.status == 401
            assert "max-age=31536000" in answer.headers["Strict-Transport-Security"]
            assert answer.headers["Server"].startswith("nginx")
        async with session.get(f"{url}/push/s3cr3t", headers=forged) as answer:
            assert await answer.text() == "pushed"
        assert proxied.pushed == [("/push/s3cr3t", ["127.0.0.1"])]
        await _without_tls(session, proxied)
    access = (proxied.folder / "access.log").read_text()
    assert "/v1/apps 401" in access
    assert "s3cr3t" not in access


async def _without_tls(session: ClientSession, proxied: Proxied) -> None:
    async def ask(method: str, path: str) -> tuple[int, str, str]:
        url = f"http://{HOST}:{proxied.plain}{path}"
        async with session.request(method, url, allow_redirects=False) as answer:
            where = answer.headers.get("Location", "")
            return answer.status, where, await answer.text()

    for path in plain.PATHS:
        status, where, _ = await ask("GET", f"{path}?note=x")
        assert (status, where) == (308, f"https://{HOST}:{proxied.tls}{path}")
        assert (await ask("POST", path))[:2] == (403, "")
    for method, path in (
        ("GET", "/v1/apps"),
        ("POST", "/v1/apps"),
        ("GET", "/oauth/callback/acme?code=x"),
        ("GET", "/push/x"),
        ("GET", "/nowhere"),
    ):
        status, where, text = await ask(method, path)
        assert (status, where) == (403, "")
        problem = json.loads(text)
        assert (problem["code"], problem["detail"]) == (plain.CODE, plain.DETAIL)


def test_the_proxy_redirects_the_pages_that_the_api_does() -> None:
    (pattern,) = re.findall(r"location ~ \^/\((.+)\)\$ \{", CONFIGURATION.read_text())
    assert {f"/{name}" for name in pattern.split("|")} == plain.PATHS
