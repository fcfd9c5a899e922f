"""A small client of Tandem's REST API, as an integrator would write it."""

import asyncio
from typing import Any, Final

import aiohttp

TIMEOUT_S: Final = 90.0
POLL_S: Final = 0.4
BUSY_TRIES_MAX: Final = 20


class ApiRefused(Exception):
    """The API answered with a problem; its sentence is the message."""


class Tandem:
    """Calls the API of one installation with one key."""

    def __init__(self, session: aiohttp.ClientSession, url: str, *, key: str) -> None:
        self._session = session
        self._url = url
        self._headers = {"Authorization": f"Bearer {key}"}

    async def call(self, method: str, path: str, *, body: object = None) -> Any:
        """Send a request; wait and try again where the API asks for patience."""
        for _ in range(BUSY_TRIES_MAX):
            async with self._session.request(
                method, self._url + path, json=body, headers=self._headers
            ) as answer:
                if answer.status in (429, 503):
                    await asyncio.sleep(float(answer.headers.get("Retry-After", "1")))
                    continue
                found = (
                    await answer.json(content_type=None)
                    if answer.status != 204
                    else None
                )
                if answer.status >= 400:
                    raise ApiRefused(f"{method} {path}: {_sentence(found)}")
                return found
        raise ApiRefused(f"{method} {path}: busy for too long")

    async def pages(self, path: str) -> list[dict[str, Any]]:
        """Return everything of a list, page by page."""
        found: list[dict[str, Any]] = []
        after = ""
        while True:
            joint = "&" if "?" in path else "?"
            page = await self.call("GET", f"{path}{joint}limit=200{after}")
            found.extend(page["items"])
            if not page.get("next"):
                return found
            after = f"&after={page['next']}"

    async def until(
        self, connection_id: str, *, state: str, timeout_s: float, watch: Any = None
    ) -> dict[str, Any]:
        """Wait until a connection is in a state and return its status."""
        path = f"/v1/connections/{connection_id}/status"
        async with asyncio.timeout(timeout_s):
            while True:
                status = await self.call("GET", path)
                if watch is not None:
                    watch(status)
                if status["state"] == state:
                    return dict(status)
                if status["state"] == "needs_attention":
                    raise ApiRefused(f"needs attention: {status.get('attention')}")
                await asyncio.sleep(POLL_S)


def _sentence(problem: Any) -> str:
    if not isinstance(problem, dict):
        return "failed"
    detail = problem.get("detail") or problem.get("title") or "failed"
    faults = "; ".join(str(fault) for fault in problem.get("errors", ()))
    return f"{detail}{f' ({faults})' if faults else ''}"
