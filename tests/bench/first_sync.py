"""First sync of two large accounts of one app, through all four services.

Both accounts are in one emulator process without limits; the outcome is checked at
both before any figure counts.
"""

import asyncio
import re
import tempfile
import time
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from deploy.demo import setting
from deploy.demo.browser import Browser
from deploy.demo.rest import Tandem
from deploy.local.access import create_key
from deploy.local.layout import Layout
from deploy.local.supervisor import Supervisor

SYNC_TIMEOUT_S = 900.0
SECONDS_MAX = 30.0
MEMORY_MAX_MIB = 200.0
SERVICES = ("auth", "connector", "reconciler", "api")
_SAMPLE = re.compile(r"^(\w+)(?:\{[^}]*\})? ([0-9.e+]+)$", re.MULTILINE)


async def measure(*, count: int, shared_count: int) -> dict[str, Any]:
    """Sync two accounts of ``count`` contacts and return the figures."""
    with tempfile.TemporaryDirectory(prefix="tandem-bench-") as folder:
        layout = Layout(Path(folder))
        options = setting.options(layout)
        timeout = aiohttp.ClientTimeout(total=SYNC_TIMEOUT_S)
        async with (
            Supervisor(layout, options) as system,
            aiohttp.ClientSession(timeout=timeout) as session,
        ):
            bench = _Bench(layout, system, session)
            return await bench.run(count=count, shared_count=shared_count)


class _Bench:
    def __init__(
        self, layout: Layout, system: Supervisor, session: aiohttp.ClientSession
    ) -> None:
        self._layout = layout
        self._system = system
        self._session = session
        self._emulator = system.url("constant_contact")

    async def run(self, *, count: int, shared_count: int) -> dict[str, Any]:
        accounts = [a["account_id"] for a in await self._admin("GET", "/accounts")]
        left, right = accounts[:2]
        await self._admin("POST", f"/accounts/{left}/contacts", people(0, count))
        others = people(count - shared_count, count, is_other=True)
        await self._admin("POST", f"/accounts/{right}/contacts", others)
        key = await create_key(self._layout, self._system, tenant="bench")
        tandem = Tandem(self._session, self._system.url("api"), key=key)
        connection_id = await self._connect(tandem, (left, right))
        await self._admin("DELETE", "/statistics")
        before = await self._figures()
        began = time.monotonic()
        await tandem.call("POST", f"/v1/connections/{connection_id}/start")
        status = await tandem.until(
            connection_id, state="live", timeout_s=SYNC_TIMEOUT_S
        )
        seconds = time.monotonic() - began
        after = await self._figures()
        statistics = await self._admin("GET", "/statistics")
        check = await self._check(left, right)
        expected = 2 * count - shared_count
        is_right = check == {"left": expected, "right": expected, "different": 0}
        services = {name: _spent(before[name], after[name]) for name in SERVICES}
        memory = max(s["peak_memory_mib"] for s in services.values())
        return {
            "contacts_a_side": count,
            "shared": shared_count,
            "seconds": round(seconds, 2),
            "contacts_per_second": round(2 * count / seconds),
            "calls": statistics["total"],
            "calls_by_route": statistics["calls"],
            "counts": status["counts"],
            "services": services,
            "outcome": check,
            "is_right": is_right,
            "is_within_target": is_right
            and seconds <= SECONDS_MAX
            and memory <= MEMORY_MAX_MIB,
        }

    async def _connect(self, tandem: Tandem, accounts: tuple[str, str]) -> str:
        client = setting.client(self._layout, self._emulator)
        await tandem.call("PUT", "/v1/apps/constant_contact/client", body=client)
        for account in accounts:
            begun = await tandem.call(
                "POST", "/v1/accounts/authorisations", body={"app": "constant_contact"}
            )
            async with Browser() as browser:
                await browser.agree(begun["authorise_url"], account=account)
        ours = [a["account_id"] for a in await tandem.pages("/v1/accounts")]
        connection = await tandem.call(
            "POST",
            "/v1/connections",
            body={
                "name": "bench",
                "left": {"account_id": ours[0]},
                "right": {"account_id": ours[1]},
            },
        )
        return str(connection["connection_id"])

    async def _check(self, left: str, right: str) -> dict[str, int]:
        """Compare both accounts at the emulator, person by person."""
        sides = []
        for account in (left, right):
            shown = await self._admin("GET", f"/accounts/{account}/contacts")
            contacts = [s["contact"] for s in shown]
            sides.append({c["email_address"]["address"]: _content(c) for c in contacts})
        different = sum(
            sides[0].get(email) != sides[1].get(email)
            for email in sides[0].keys() | sides[1].keys()
        )
        return {
            "left": len(sides[0]),
            "right": len(sides[1]),
            "different": different,
        }

    async def _figures(self) -> dict[str, dict[str, float]]:
        return {name: await self._of(name) for name in SERVICES}

    async def _of(self, service: str) -> dict[str, float]:
        url = self._system.operations_url(service) + "/metrics"
        async with self._session.get(url) as answer:
            found: dict[str, float] = {}
            for name, value in _SAMPLE.findall(await answer.text()):
                found[name] = found.get(name, 0.0) + float(value)
        status = Path(f"/proc/{self._system.pids()[service]}/status")
        peak = re.search(r"VmHWM:\s+(\d+)", await asyncio.to_thread(status.read_text))
        found["peak_kib"] = float(peak[1]) if peak else 0.0
        return found

    async def _admin(self, method: str, path: str, body: object = None) -> Any:
        data = None if body is None else msgspec.json.encode(body)
        url = f"{self._emulator}/_emulator{path}"
        headers = {"Content-Type": "application/json"}
        async with self._session.request(
            method, url, data=data, headers=headers
        ) as answer:
            content = await answer.read()
            if answer.status >= 400:
                raise RuntimeError(f"{method} {path} answered {answer.status}")
            return msgspec.json.decode(content) if content else None


def people(first: int, count: int, *, is_other: bool = False) -> list[dict[str, Any]]:
    """Return contacts numbered from ``first``; the other side knows some differently.

    One in ten differs in a field, as two hand-kept lists do.
    """
    return [_person(first + n, is_other=is_other) for n in range(count)]


def _person(number: int, *, is_other: bool) -> dict[str, Any]:
    differs = is_other and number % 10 == 0
    return {
        "email_address": {
            "address": f"person.{number}@example.com",
            "permission_to_send": "implicit",
        },
        "first_name": f"Anna {number % 97}",
        "last_name": f"Müller {number}",
        "job_title": "Owner" if differs else f"Clerk {number % 13}",
        "company_name": f"Firma {number % 501} GmbH",
        "phone_numbers": [
            {"phone_number": f"+49 30 {1_000_000 + number}", "kind": "work"}
        ],
        "street_addresses": [
            {
                "kind": "work",
                "street": f"Hauptstraße {number % 200}",
                "city": "Berlin",
                "postal_code": f"{10_000 + number % 4_000}",
                "country": "Germany",
            }
        ],
        "create_source": "Account",
    }


def _content(contact: dict[str, Any]) -> tuple[Any, ...]:
    phones = sorted(p["phone_number"] for p in contact.get("phone_numbers", ()))
    places = sorted(
        (p.get("street"), p.get("city"), p.get("postal_code"), p.get("country"))
        for p in contact.get("street_addresses", ())
    )
    names = ("first_name", "last_name", "job_title", "company_name")
    return (*(contact.get(name) for name in names), phones, places)


def _spent(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    def grown(name: str) -> float:
        return after.get(name, 0.0) - before.get(name, 0.0)

    return {
        "cpu_seconds": round(grown("process_cpu_seconds_total"), 2),
        "peak_memory_mib": round(after["peak_kib"] / 1024, 1),
        "queries": round(grown("tandem_database_queries_total")),
        "messages": round(grown("tandem_messages_received_total")),
    }
