"""One account of the Constant Contact emulator: called as an app, used by people."""

import contextlib
from collections.abc import AsyncIterator, Iterable
from typing import Any, TypeVar

import aiohttp
from yarl import URL

from proto.ids import RecordId
from proto.record import Record
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Answer, Call, Operation, Snapshot
from tests.contract.constant_contact import new_app
from tests.emulators.constant_contact.emulator import running
from tests.emulators.constant_contact.settings import Behaviour, Settings
from tests.emulators.core.limits import Limits

T = TypeVar("T")

LONG_AGO = "2020-01-01T00:00:00Z"
PAGES_MAX = 100


class Vendor:
    """The emulator's only account: called as an app, and acted on as its user."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self._session = session
        self._url = url
        self.calls: list[Call] = []
        self.app = new_app(f"{url}/v3")

    async def log_in(self) -> None:
        accounts = await self._admin("GET", "accounts")
        self._account = f"accounts/{accounts[0]['account_id']}"
        client = {"client_id": "emulated-client"}
        tokens = await self._admin("POST", f"{self._account}/tokens", client)
        self._headers = {"Authorization": f"Bearer {tokens['access_token']}"}

    async def seed(self, contacts: list[dict]) -> None:
        await self._admin("POST", f"{self._account}/contacts", contacts)

    async def act(self, name: str, **about: object) -> None:
        acts = [{"act": name, **about}]
        await self._admin("POST", f"{self._account}/acts", acts)

    async def define(self, label: str, **about: object) -> None:
        """Define a custom field, as the account's staff would."""
        await self._post("contact_custom_fields", {"label": label, **about})

    async def tag(self, name: str) -> str:
        """Make a tag, as the account's staff would; return its id."""
        made = await self._post("contact_tags", {"name": name})
        return made["tag_id"]

    async def tags(self) -> dict[str, str]:
        """Return the account's tags: ids by name."""
        async with self._session.get(
            f"{self._url}/v3/contact_tags?limit=500", headers=self._headers
        ) as response:
            found = await response.json()
        return {one["name"]: one["tag_id"] for one in found["tags"]}

    async def delete_tag(self, name: str) -> None:
        await self._change_tag("DELETE", name)

    async def rename_tag(self, name: str, *, to: str) -> None:
        await self._change_tag("PUT", name, {"name": to})

    async def _change_tag(self, method: str, name: str, body: object = None) -> None:
        tag_id = (await self.tags())[name]
        async with self._session.request(
            method,
            f"{self._url}/v3/contact_tags/{tag_id}",
            json=body,
            headers=self._headers,
        ) as response:
            assert response.status < 300, await response.text()

    def restart(self) -> None:
        """Forget what the app remembers, as another process would not know it."""
        self.app = new_app(f"{self._url}/v3")

    async def new_list(self, name: str) -> str:
        """Make a list; return its id."""
        return (await self._post("contact_lists", {"name": name}))["list_id"]

    async def fault(self, **rule: object) -> None:
        await self._admin("POST", "faults", rule)

    async def contact(self, email: str) -> dict[str, Any]:
        """Return a contact whole, as the vendor keeps it."""
        for shown in await self._admin("GET", f"{self._account}/contacts"):
            one = shown["contact"]
            if one.get("email_address", {}).get("address") == email:
                return one
        raise AssertionError("there is no such contact")

    async def _post(self, path: str, body: object) -> dict[str, Any]:
        async with self._session.post(
            f"{self._url}/v3/{path}", json=body, headers=self._headers
        ) as response:
            assert response.status == 201, await response.text()
            return await response.json()

    async def revoke(self) -> None:
        await self._admin("POST", f"{self._account}/revoke", {})

    async def _admin(self, method: str, path: str, body: object = None):
        url = f"{self._url}/_emulator/{path}"
        async with self._session.request(method, url, json=body) as response:
            assert response.status < 300, await response.text()
            return await response.json()

    async def run(self, operation: Operation[T]) -> T:
        try:
            call = next(operation)
            while True:
                reply = await self._reply(call)
                if isinstance(reply, CallFailed):
                    call = operation.throw(reply)
                else:
                    call = operation.send(reply)
        except StopIteration as stop:
            return stop.value

    async def _reply(self, call: Call) -> Answer | CallFailed:
        """Call as the transport does: only what is no write is called again."""
        for _ in range(1 if call.is_write else 2):
            try:
                answer = await self._answer(call)
            except aiohttp.ClientConnectionError:
                continue
            known = answer.status in call.accepts
            return answer if known else self.app.meaning_of(answer)
        return CallFailed(Meaning.NO_ANSWER, "the connection was dropped")

    async def _answer(self, call: Call) -> Answer:
        self.calls.append(call)
        base = self._url if call.from_origin else f"{self._url}/v3"
        url = URL(base + call.path, encoded=True)
        if call.query:
            url = url.with_query(call.query)
        async with self._session.request(
            call.method,
            url,
            data=call.body,
            headers=self._headers | {"Content-Type": call.content_type},
        ) as response:
            return Answer(
                status=response.status,
                headers={name.lower(): text for name, text in response.headers.items()},
                body=await response.read(),
            )

    async def scan(self) -> tuple[dict[RecordId, Record], str]:
        """Return every contact, and where changes go on from."""
        found: dict[RecordId, Record] = {}
        cursor = None
        for _ in range(PAGES_MAX):
            page = await self.run(self.app.scan(cursor))
            found |= {one.record_id: one for one in page.records}
            if page.resume:
                return found, page.resume
            cursor = page.next
        raise AssertionError("the scan has no end")

    async def changes(self, cursor: str) -> tuple[dict[RecordId, Record], str]:
        found: dict[RecordId, Record] = {}
        for _ in range(PAGES_MAX):
            page = await self.run(self.app.changes(cursor))
            found |= {one.record_id: one for one in page.records}
            if page.resume:
                return found, page.resume
            assert page.next is not None
            cursor = page.next
        raise AssertionError("the changes have no end")

    async def read(self, record_id: RecordId) -> Snapshot:
        (snapshot,) = await self.run(self.app.get([record_id]))
        return snapshot


def _session() -> aiohttp.ClientSession:
    session = aiohttp.ClientSession()
    # It would repeat a PUT by itself whose answer is lost.
    session._retry_connection = False
    return session


@contextlib.asynccontextmanager
async def connected(**behaviour: bool) -> AsyncIterator[Vendor]:
    settings = Settings(
        limits=Limits(requests_per_second=None, requests_per_day=None),
        behaviour=Behaviour(**behaviour),
    )
    async with running(settings) as emulator, _session() as session:
        vendor = Vendor(session, emulator.url)
        await vendor.log_in()
        yield vendor


def people(numbers: Iterable[int]) -> list[dict]:
    return [
        {
            "email_address": {
                "address": f"person{number}@example.org",
                "permission_to_send": "implicit",
            },
            "first_name": "Person",
            "last_name": str(number),
            "created_at": LONG_AGO,
            "updated_at": LONG_AGO,
        }
        for number in numbers
    ]


def by_email(records: dict[RecordId, Record]) -> dict[object, Record]:
    return {one.fields["email"]: one for one in records.values()}
