"""Starts `oidc_provider`, an OAuth server that others wrote, from the npm registry.

It is installed from its lock file on first use, into a folder that git ignores. Where
Node is missing the tests say so and are skipped; in CI (`CI` is set) they fail instead.
"""

import asyncio
import contextlib
import hashlib
import json
import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.tidy.tree import ROOT

SOURCE = Path(__file__).with_name("oidc_provider")
CACHE = ROOT / ".local" / "oidc_provider"
SCOPES = ("contact_data",)
"""What the server knows beside the scopes of OIDC."""
INSTALL_S_MAX = 180
START_S_MAX = 30.0
_FILES = ("package.json", "package-lock.json", "server.mjs")


class Missing(Exception):
    """Something that the server needs is not on this machine."""


@dataclass(frozen=True, kw_only=True)
class OidcServer:
    """A running server."""

    issuer: str
    client_id: str
    """With characters that HTTP's Basic scheme needs encoded (RFC 6749, 2.3.1)."""
    client_secret: str

    async def counts(self) -> dict[str, Any]:
        """Return how many codes and tokens were taken, refused and revoked."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.issuer}/test/counts") as answer,
        ):
            return await answer.json()

    async def who(self, access_token: str) -> dict[str, Any] | None:
        """Return whose a token is; None: it is refused."""
        headers = {"Authorization": f"Bearer {access_token}"}
        async with (
            aiohttp.ClientSession(headers=headers) as session,
            session.get(f"{self.issuer}/me") as answer,
        ):
            return await answer.json() if answer.status == 200 else None


def installed() -> Path:
    """Return a folder with the server and what it needs; skip or fail without."""
    try:
        return _install()
    except Missing as err:
        if os.environ.get("CI"):
            pytest.fail(f"{err}; in CI this suite must run")
        pytest.skip(str(err))


def _install() -> Path:
    """Install what the lock file names, once for each state of it.

    Raises:
        Missing: There is no Node, or its registry cannot be reached.
    """
    for program in ("node", "npm"):
        if shutil.which(program) is None:
            raise Missing(f"{program} is not installed, version 20 or newer is needed")
    digest = hashlib.sha256(b"".join((SOURCE / f).read_bytes() for f in _FILES))
    ready = CACHE / digest.hexdigest()[:16]
    if ready.exists():
        return ready
    CACHE.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CACHE) as name:
        making = Path(name) / "server"
        making.mkdir()
        for file in _FILES:
            shutil.copy(SOURCE / file, making)
        command = ("npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund")
        try:
            done = subprocess.run(
                command,
                cwd=making,
                capture_output=True,
                text=True,
                timeout=INSTALL_S_MAX,
            )
        except subprocess.TimeoutExpired as err:
            raise Missing("npm did not install oidc-provider in time") from err
        if done.returncode:
            said = " ".join(done.stderr.split())[:300]
            raise Missing(f"npm cannot install oidc-provider: {said}")
        # Another process may have been faster; then its folder is as good.
        with contextlib.suppress(OSError):
            making.rename(ready)
    return ready


@contextlib.asynccontextmanager
async def serving(
    folder: Path, *, redirect_uris: Sequence[str], port: int, lifetime_s: int = 3_600
) -> AsyncIterator[OidcServer]:
    """Run the server with one client until the end of the block."""
    client_id, secret = "tandem+100%", secrets.token_urlsafe(32)
    settings = {
        "port": port,
        "cookie_key": secrets.token_urlsafe(32),
        "scopes": SCOPES,
        "lifetime_s": lifetime_s,
        "clients": [
            {
                "client_id": client_id,
                "client_secret": secret,
                "redirect_uris": redirect_uris,
                "grant_types": ["authorization_code", "refresh_token"],
            }
        ],
    }
    child = await asyncio.create_subprocess_exec(
        *("node", "server.mjs"),
        cwd=folder,
        env={"PATH": os.environ["PATH"], "OIDC_SETTINGS": json.dumps(settings)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        assert child.stdout is not None
        async with asyncio.timeout(START_S_MAX):
            line = b""
            while not line.startswith(b"serving "):
                line = await child.stdout.readline()
                assert line, "oidc-provider ended instead of serving"
        issuer = line.decode().split()[1]
        yield OidcServer(issuer=issuer, client_id=client_id, client_secret=secret)
    finally:
        with contextlib.suppress(ProcessLookupError):
            child.kill()
        await child.wait()
