"""Requests as a person sends them by hand, and what a person may never be shown."""

import asyncio
import json
import re
import sys
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from deploy.local import environment
from proto.subjects import SERVICES
from tests.e2e.installation import Installation

_INSIDES: Final = re.compile(
    r"Traceback|File \"|\.py\b|asyncpg|msgspec|nats\.errors|<class|Exception|Error\("
)
_FAULTS: Final = ("Traceback", "@example", '"exception"', '"level": "error"')


class Answer(NamedTuple):
    """What came back."""

    status: int
    text: str
    body: Any

    def assert_problem(self, status: int, code: str, *words: str) -> None:
        """Check that it is a problem of this kind that says what to do."""
        assert self.status == status, self
        assert not _INSIDES.search(self.text), self
        assert self.body["code"] == code, self
        assert self.body["type"] == f"urn:tandem:problem:{code}"
        assert self.body["request_id"]
        told = json.dumps(self.body, ensure_ascii=False)
        assert self.body["detail"].endswith("."), self
        for word in words:
            assert re.search(word, told), (word, self)


async def send(
    system: Installation,
    method: str,
    path: str,
    *,
    data: bytes | None = None,
    body: object = None,
    key: str | None = None,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Send a request to the REST API exactly as it is given."""
    if body is not None:
        data = json.dumps(body).encode()
    sent = {"Content-Type": "application/json"} if data is not None else {}
    sent |= {"Authorization": f"Bearer {key or system.key}"}
    url = system.system.url("api") + path
    async with system.session.request(
        method, url, data=data, headers={**sent, **(headers or {})}
    ) as answer:
        text = await answer.text()
        return Answer(answer.status, text, json.loads(text) if text else None)


async def new_key(system: Installation, *, tenant: str) -> str:
    """Make a key of another tenant, as an operator does."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "services.api", "create-key", "--tenant", tenant),
        env={**environment.inherited(), **system.system.settings("api")},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    output, said = await process.communicate()
    assert process.returncode == 0, said.decode()
    return output.decode().split()[-1]


def assert_logs_are_clean(system: Installation) -> None:
    """Check that no service failed in a way nobody planned for, or told a value.

    A traceback, a fault of ours or an email address of anybody is none of the log's
    business, whatever the apps answer.
    """
    for service in SERVICES:
        text = system.system.layout.log(service).read_text()
        for fault in _FAULTS:
            assert fault not in text, _around(text, fault)


def _around(text: str, found: str) -> str:
    place = text.index(found)
    return text[max(0, place - 1_000) : place + 2_000]
