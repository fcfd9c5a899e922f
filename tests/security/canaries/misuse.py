"""Requests with secrets and contacts in all the wrong places."""

import asyncio
import contextlib
import json
import urllib.parse
from typing import Final
from urllib.parse import urlsplit

from deploy.demo import cards
from tests.security.canaries.running import World

ANSWER_BYTES_MAX: Final = 1_000_000
_PATHS: Final = (
    "/{}",
    "/v1/{}",
    "/v1/connections/{}",
    "/v1/connections/{}/status",
    "/v1/accounts/{}/description",
    "/v1/apps/{}/client",
    "/v1/api-keys/{}",
    "/oauth/start/{}",
    "/invitations/{}",
)
_QUERIES: Final = (
    "/v1/accounts?after={}",
    "/v1/accounts?limit={}",
    "/v1/accounts?access_token={}",
    "/v1/connections?sort={}",
    "/oauth/callback/constant_contact?state={0}&code={0}",
    "/oauth/callback/constant_contact?error={0}&error_description={0}&iss={0}",
    "/sign-in/oidc/callback?state={0}&code={0}",
    "/sign-in?tenant={}&note={}",
)


async def of_the_api(world: World) -> None:
    """Send everything that should not be sent there."""
    before = len(world.notes.found)
    world.notes.is_misuse = True
    person = world.installation.story.crowd.left[0]
    texts = [
        *{c.group: c.text for c in world.nest if not c.is_personal}.values(),
        person.emails[0],
        person.family,
    ]
    for text in texts:
        sent = urllib.parse.quote(text, safe="")
        await asyncio.gather(
            *(world.send("GET", path.format(sent, sent)) for path in _PATHS),
            *(world.send("GET", path.format(sent, sent)) for path in _QUERIES[:4]),
            *(world.send("GET", p.format(sent, sent), key="") for p in _QUERIES[4:]),
            *(world.send("GET", "/v1/accounts", headers=h) for h in _heads(text)),
        )
    head = {"X-Request-Id": world.installation.key}
    assert (await world.send("GET", "/v1/nothing", headers=head))[0] == 404
    for body in _bodies(world, texts):
        for method, path in (
            ("POST", "/v1/connections"),
            ("POST", "/v1/accounts"),
            ("PUT", "/v1/apps/constant_contact/client"),
            ("POST", "/v1/session"),
            ("POST", "/v1/invitations"),
        ):
            head = {"Content-Type": "application/json"}
            await world.send(method, path, data=body, headers=head)
    await asyncio.gather(*(_raw(world, line) for line in _raws(world.installation.key)))
    world.notes.is_misuse = False
    assert len(world.notes.found) > before + 100


def _heads(text: str) -> list[dict[str, str]]:
    """Return headers that are wrong, or that are nobody's business."""
    plain = urllib.parse.quote(text)
    return [
        {"Authorization": f"Bearer {plain}"},
        {"Authorization": f"Basic {plain}"},
        {"Authorization": plain},
        {"Authorization": "", "Cookie": f"tandem_session={plain}"},
        {"X-Request-Id": f"id {plain}", "User-Agent": plain, "Referer": plain},
        {"X-Forwarded-For": plain, "Forwarded": plain, "Origin": plain},
        {"Accept": plain, "If-Match": plain, "Content-Type": plain},
    ]


def _bodies(world: World, texts: list[str]) -> list[bytes]:
    """Return bodies that are refused, with values that are not to be repeated."""
    person = world.installation.story.crowd.left[0]
    found = [json.dumps(cards.contact(person)).encode()]
    for text in texts:
        found += [
            f'{{"name": "{text}"'.encode(),
            json.dumps({"name": text, "winner": text, "left": text}).encode(),
            json.dumps({"app": text, "base_url": text, "password": text}).encode(),
            json.dumps({"email": [text], "role": text}).encode(),
            json.dumps(text).encode(),
            json.dumps({"client_id": text, "client_secret": {"is": text}}).encode(),
            text.encode() + b"\xff",
        ]
    return found


def _raws(secret: str) -> list[bytes]:
    """Return what is hardly HTTP."""
    return [
        f"{secret} / HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
        f"GET /{secret} HTTP/9.9\r\nHost: x\r\n\r\n".encode(),
        f"GET / HTTP/1.1\r\nHost: x\r\n{secret}\r\n\r\n".encode(),
        f"GET / HTTP/1.1\r\nHost: x\r\nX: \x01{secret}\r\n\r\n".encode(),
        f"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: {secret}\r\n\r\n".encode(),
        f"GET / HTTP/1.1\r\nHost: x\r\nX: {secret * 400}\r\n\r\n".encode(),
        f"GET /{secret * 400} HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
        f"GET http://{secret}@x:y/ HTTP/1.1\r\nHost: x\r\n\r\n".encode(),
        f"POST /v1/session HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n"
        f"Content-Type: application/json\r\n\r\n{secret}\r\n".encode(),
    ]


async def _raw(world: World, line: bytes) -> None:
    """Send bytes, and keep what comes back."""
    parts = urlsplit(world.system.url("api"))
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    answered = b""
    try:
        writer.write(line)
        with contextlib.suppress(ConnectionError, TimeoutError):
            async with asyncio.timeout(3.0):
                while data := await reader.read(ANSWER_BYTES_MAX):
                    answered += data
                    if b"\r\n\r\n" in answered:
                        break
    finally:
        writer.transport.abort()
    world.notes.note("error", "of hardly HTTP", answered)
