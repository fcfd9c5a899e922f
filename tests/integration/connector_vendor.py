"""A vendor made up for tests of the connector: a small HTTP API, and an app for it.

Contacts are held in memory; faults are switched on by the test. Every call is noted.
"""

import asyncio
import contextlib
import datetime
import inspect
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import msgspec
from aiohttp import web

from proto.connector import AuthMethod, Capabilities, Container
from proto.errors import ErrorCode
from proto.fields import Field, FieldKind, Role
from proto.ids import AppId, ContainerId, FieldId, RecordId
from proto.record import Consent, Presence, Record
from services.connector.errors import CallFailed, Meaning
from services.connector.manifest import Limits, Manifest
from services.connector.port import (
    Answer,
    Call,
    Change,
    CreateResult,
    Exists,
    Facts,
    Identity,
    Missing,
    Moved,
    NewRecord,
    Operation,
    Page,
    Refused,
    Snapshot,
    UpdateResult,
    Written,
)

APP = AppId("fake")
EMAIL = FieldId("email")
NAME = FieldId("name")


class Contact(msgspec.Struct, kw_only=True):
    id: str
    email: str | None = None
    name: str | None = None
    tags: tuple[str, ...] = ()
    lists: tuple[str, ...] = ()
    consent: str = "unknown"
    version: int = 1
    created_at: datetime.datetime | None = None
    is_deleted: bool = False


class Contacts(msgspec.Struct, kw_only=True):
    contacts: tuple[Contact, ...]
    next: str | None = None
    resume: str | None = None
    count: int | None = None
    is_reread: bool = False


class Vendor:
    """The vendor's side."""

    def __init__(self) -> None:
        self.contacts: dict[str, Contact] = {}
        self.changes: list[str] = []
        self.calls: list[tuple[str, str]] = []
        self.page_size = 10
        self.counts_pages = True
        self.shows_all_as_changed = False
        """Nothing tells who changed, so that everybody is shown again and again."""
        self.base_url = ""
        self.faults: list[Callable[[web.Request], Any]] = []
        """Each may answer a request instead of us; an async one may also do more."""
        self.cuts: list[str] = []
        """Methods of which one request each is applied, and its answer lost."""
        self.gate: asyncio.Event | None = None
        """While there, writes wait for it before they are applied."""
        self.write_arrived = asyncio.Event()

    def add(self, count: int) -> None:
        for _ in range(count):
            number = len(self.contacts) + 1
            self.put(f"r{number:05}", email=f"p{number}@example.org", name=f"P{number}")

    def put(self, record_id: str, **values: Any) -> Contact:
        contact = self.contacts.setdefault(record_id, Contact(id=record_id, version=0))
        for name, value in values.items():
            setattr(contact, name, value)
        contact.version += 1
        self.changes.append(record_id)
        return contact

    def made(self, method: str, path: str = "") -> list[str]:
        """Return the paths of the calls of one kind, in order."""
        return [p for m, p in self.calls if m == method and p.startswith(path)]

    def routes(self) -> list[web.RouteDef]:
        return [
            web.get("/api/me", self._me),
            web.get("/api/contacts", self._list),
            web.get("/api/changes", self._changes),
            web.get("/api/find", self._find),
            web.get("/api/contacts/{id}", self._get),
            web.post("/api/contacts", self._create),
            web.put("/api/contacts/{id}", self._update),
        ]

    @contextlib.asynccontextmanager
    async def listening(self) -> AsyncIterator["Vendor"]:
        application = web.Application(middlewares=[self._note])
        application.add_routes(self.routes())
        runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.base_url = f"http://127.0.0.1:{runner.addresses[0][1]}/api"
            yield self
        finally:
            await runner.cleanup()

    @web.middleware
    async def _note(self, request: web.Request, handler: Any) -> web.StreamResponse:
        self.calls.append((request.method, request.path))
        for fault in list(self.faults):
            answer = fault(request)
            if inspect.isawaitable(answer):
                answer = await answer
            if answer is not None:
                return answer
        is_write = request.method != "GET"
        if is_write and self.gate is not None:
            self.write_arrived.set()
            await self.gate.wait()
        answer = await handler(request)
        if request.method in self.cuts:
            self.cuts.remove(request.method)
            assert request.transport is not None
            request.transport.close()
        return answer

    async def _me(self, _request: web.Request) -> web.Response:
        return answered({"id": "me-1", "name": "Fake Ltd"})

    async def _list(self, request: web.Request) -> web.Response:
        start = int(request.query.get("after", "0"))
        live = [c for c in self.contacts.values() if not c.is_deleted]
        end = start + self.page_size
        return answered(
            Contacts(
                contacts=tuple(live[start:end]),
                next=str(end) if end < len(live) else None,
                resume=str(len(self.changes)),
                count=len(live) if self.counts_pages else None,
            )
        )

    async def _changes(self, request: web.Request) -> web.Response:
        since = int(request.query["since"])
        changed = dict.fromkeys(self.changes[since:])
        if self.shows_all_as_changed:
            changed = dict.fromkeys(self.contacts)
        return answered(
            Contacts(
                contacts=tuple(self.contacts[record_id] for record_id in changed),
                resume=str(len(self.changes)),
                is_reread=self.shows_all_as_changed,
            )
        )

    async def _find(self, request: web.Request) -> web.Response:
        emails = {email.lower() for email in request.query.getall("email")}
        found = [
            c
            for c in self.contacts.values()
            if not c.is_deleted and (c.email or "").lower() in emails
        ]
        return answered(Contacts(contacts=tuple(found)))

    async def _get(self, request: web.Request) -> web.Response:
        contact = self.contacts.get(request.match_info["id"])
        return (
            answered({"error": "none"}, 404) if contact is None else answered(contact)
        )

    async def _create(self, request: web.Request) -> web.Response:
        values = msgspec.json.decode(await request.read())
        if values.get("name") == "refuse me":
            return answered({"error": "no"}, 400)
        return answered(self.put(f"n{len(self.contacts) + 1:05}", **values), 201)

    async def _update(self, request: web.Request) -> web.Response:
        record_id = request.match_info["id"]
        contact = self.contacts.get(record_id)
        if contact is None or contact.is_deleted:
            return answered({"error": "none"}, 404)
        if request.headers.get("If-Match", str(contact.version)) != str(
            contact.version
        ):
            return answered({"error": "moved"}, 412)
        return answered(
            self.put(record_id, **msgspec.json.decode(await request.read()))
        )


class FakeApp:
    """Our side: what an app's folder would hold."""

    def __init__(self, manifest: Manifest, facts: Facts) -> None:
        self.manifest = manifest
        self.facts = facts

    def meaning_of(self, answer: Answer) -> CallFailed:
        return meaning_of(answer)

    def verify(self) -> Operation[Identity]:
        answer = yield Call(method="GET", path="/me")
        found = answer.decode(dict[str, str])
        return Identity(vendor_account_id=found["id"], display_name=found["name"])

    def describe_fields(self) -> Operation[tuple[Field, ...]]:
        yield Call(method="GET", path="/me")
        return (
            Field(field_id=EMAIL, label="Email", kind=FieldKind.EMAIL, role=Role.EMAIL),
            Field(field_id=NAME, label="Name", kind=FieldKind.TEXT),
        )

    def list_containers(self) -> Operation[tuple[Container, ...]]:
        yield Call(method="GET", path="/me")
        return (Container(container_id=ContainerId("all"), name="All"),)

    def scan(self, cursor: str | None) -> Operation[Page]:
        answer = yield Call(
            method="GET", path="/contacts", query=(("after", cursor or "0"),)
        )
        return _page(answer)

    def changes(self, cursor: str) -> Operation[Page]:
        answer = yield Call(method="GET", path="/changes", query=(("since", cursor),))
        return _page(answer)

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        found = []
        for record_id in record_ids:
            answer = yield Call(
                method="GET", path=f"/contacts/{record_id}", accepts=(200, 404)
            )
            if answer.status == 404:
                record = Record(record_id=record_id, presence=Presence.MISSING)
            else:
                record = record_of(answer.decode(Contact))
            found.append(Snapshot(record=record, raw=answer.body))
        return tuple(found)

    def find_by_email(self, emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        answer = yield Call(
            method="GET", path="/find", query=tuple(("email", e) for e in emails)
        )
        return tuple(record_of(c) for c in answer.decode(Contacts).contacts)

    def find_by_markers(self, markers: Sequence[str]) -> Operation[dict[str, Record]]:
        return {}
        yield

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        body = {
            **new.fields,
            "tags": new.tags,
            "lists": new.containers,
            "consent": new.consent,
        }
        answer = yield Call(
            method="POST",
            path="/contacts",
            body=msgspec.json.encode(body),
            accepts=(201, 400, 409),
            is_write=True,
        )
        if answer.status == 400:
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=NAME)
        if answer.status == 409:
            return Exists(record_id=RecordId(answer.decode(dict[str, str])["id"]))
        return Written(record=record_of(answer.decode(Contact)))

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Put the whole contact: what is not to change goes along as it was read."""
        record, members = snapshot.record, change.memberships
        consent = change.consent
        if consent is Consent.UNKNOWN:
            consent = record.consent
        body = {
            **change.fields,
            "tags": changed(record.tags, members.tags_add, members.tags_remove),
            "lists": changed(
                record.containers, members.containers_add, members.containers_remove
            ),
            "consent": consent,
        }
        is_conditional = self.manifest.capabilities.writes_conditionally
        answer = yield Call(
            method="PUT",
            path=f"/contacts/{record.record_id}",
            headers=(("If-Match", record.version),) if is_conditional else (),
            body=msgspec.json.encode(body),
            accepts=(200, 404, 412),
            is_write=True,
        )
        if answer.status == 404:
            return Missing()
        if answer.status == 412:
            return Moved()
        return Written(record=record_of(answer.decode(Contact)))


def meaning_of(answer: Answer) -> CallFailed:
    meaning = {
        401: Meaning.UNAUTHORISED,
        403: Meaning.FORBIDDEN,
        410: Meaning.CURSOR_EXPIRED,
        422: Meaning.REFUSED,
        429: Meaning.RATE_LIMITED,
        503: Meaning.UNAVAILABLE,
    }.get(answer.status, Meaning.BROKEN)
    return CallFailed(meaning, f"status {answer.status}")


def changed(
    held: Sequence[str], more: Sequence[str], less: Sequence[str]
) -> tuple[str, ...]:
    return tuple(each for each in dict.fromkeys((*held, *more)) if each not in less)


def manifest(**capabilities: Any) -> Manifest:
    members = (
        "detects_deletions",
        "can_find_by_email",
        "keeps_marks",
        "can_tag",
        "can_change_containers",
        "can_unsubscribe",
        "has_consent",
    )
    can = {**dict.fromkeys(members, True), **capabilities}
    return Manifest(
        app=APP,
        name="Fake",
        tier="bronze",
        auth_method=AuthMethod.OAUTH,
        limits=Limits(calls_per_second=100, calls_per_day=100_000, timeout_s=2.0),
        capabilities=Capabilities(**can),
    )


def _page(answer: Answer) -> Page:
    found = answer.decode(Contacts)
    return Page(
        records=tuple(record_of(c) for c in found.contacts),
        next=found.next,
        resume=found.resume if found.next is None else None,
        expected_count=found.count,
        is_reread=found.is_reread,
    )


def record_of(contact: Contact) -> Record:
    return Record(
        record_id=RecordId(contact.id),
        version=str(contact.version),
        presence=Presence.DELETED if contact.is_deleted else Presence.LIVE,
        fields={EMAIL: contact.email, NAME: contact.name},
        containers=tuple(map(ContainerId, contact.lists)),
        tags=contact.tags,
        consent=Consent(contact.consent),
        created_at=contact.created_at,
    )


def answered(value: object, status: int = 200) -> web.Response:
    return web.Response(
        body=msgspec.json.encode(value), status=status, content_type="application/json"
    )
