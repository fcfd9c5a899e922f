"""The made-up vendor, where it takes several contacts in one call, and its app."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any

import msgspec
from aiohttp import web

from proto.errors import ErrorCode
from proto.ids import RecordId
from proto.record import Presence, Record
from services.connector.errors import CallFailed, Meaning
from services.connector.port import (
    Alone,
    BatchResult,
    Call,
    CreateResult,
    Exists,
    Missing,
    Moved,
    NewRecord,
    Operation,
    Refused,
    Snapshot,
    Unsure,
    Update,
    UpdateResult,
    Written,
)
from tests.integration import connector_vendor
from tests.integration.connector_vendor import EMAIL, NAME, Contact, FakeApp, Vendor
from tests.integration.connector_world import World

REFUSED_NAME = "refuse me"
SILENT_NAME = "say nothing of me"
ALONE_NAME = "with nobody"
LEFT_OUT = "left.out@example.org"
COMING = "coming@example.org"
"""Nobody can say whether somebody with this address is there."""
CAPABILITIES = {"get_batch": 10, "create_batch": 3, "update_batch": 3}


class Told(msgspec.Struct, kw_only=True):
    """What a batch tells of one contact."""

    status: int
    contact: Contact | None = None


class BatchVendor(Vendor):
    """Takes batches: all of it or nothing where ``is_strict``, else one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.is_strict = False
        self.forgets = 0
        """So many results are left out at the end of an answer."""

    def routes(self) -> list[web.RouteDef]:
        return [
            *super().routes(),
            web.get("/api/many", self._get_many),
            web.post("/api/many", self._write_many),
        ]

    async def _get_many(self, request: web.Request) -> web.Response:
        ids = request.query.getall("id")
        found = [self.contacts[each] for each in ids if each in self.contacts]
        return connector_vendor.answered(found)

    async def _write_many(self, request: web.Request) -> web.Response:
        asked = msgspec.json.decode(await request.read(), type=list[dict[str, Any]])
        if self.is_strict and any(one.get("name") == REFUSED_NAME for one in asked):
            return connector_vendor.answered({"error": "no"}, 422)
        told = [self._write_one(one) for one in asked]
        return connector_vendor.answered(told[: len(told) - self.forgets])

    def _write_one(self, asked: dict[str, Any]) -> Told:
        version, record_id = asked.pop("version", None), asked.pop("id", None)
        if asked.get("name") == REFUSED_NAME:
            return Told(status=400)
        if asked.get("name") == SILENT_NAME:
            return Told(status=202)
        if record_id is None:
            same = [c for c in self.contacts.values() if c.email == asked["email"]]
            if same:
                return Told(status=409, contact=same[0])
            record_id = f"n{len(self.contacts) + 1:05}"
        elif record_id not in self.contacts:
            return Told(status=404)
        elif str(self.contacts[record_id].version) != version:
            return Told(status=412)
        return Told(status=200, contact=self.put(record_id, **asked))


class BatchFakeApp(FakeApp):
    """Our side of it."""

    def get(self, record_ids: Sequence[RecordId]) -> Operation[tuple[Snapshot, ...]]:
        query = tuple(("id", each) for each in record_ids)
        answer = yield Call(method="GET", path="/many", query=query)
        records = {
            record.record_id: record
            for record in map(connector_vendor.record_of, answer.decode(list[Contact]))
        }
        return tuple(
            Snapshot(
                record=records.get(each)
                or Record(record_id=each, presence=Presence.MISSING)
            )
            for each in record_ids
        )

    def create_many(
        self, news: Sequence[NewRecord]
    ) -> Operation[tuple[CreateResult, ...]]:
        told = yield from self._write([dict(new.fields) for new in news])
        return tuple(map(_created, told))

    def update_many(
        self, updates: Sequence[Update]
    ) -> Operation[tuple[UpdateResult, ...]]:
        told = yield from self._write(
            [
                {
                    **one.change.fields,
                    "id": one.snapshot.record.record_id,
                    "version": one.snapshot.record.version,
                }
                for one in updates
            ]
        )
        return tuple(map(_updated, told))

    def _write(self, bodies: Sequence[dict[str, Any]]) -> Operation[list[Told]]:
        answer = yield Call(
            method="POST",
            path="/many",
            body=msgspec.json.encode(bodies),
            is_write=True,
        )
        return answer.decode(list[Told])


def _created(told: Told) -> CreateResult:
    match told:
        case Told(status=409, contact=Contact(id=record_id)):
            return Exists(record_id=RecordId(record_id))
        case Told(status=200, contact=Contact() as contact):
            return Written(record=connector_vendor.record_of(contact))
        case Told(status=202):
            return Unsure()
    return Refused(code=ErrorCode.VALUE_REFUSED, field_id=NAME)


def _updated(told: Told) -> UpdateResult:
    match told:
        case Told(status=200, contact=Contact() as contact):
            return Written(record=connector_vendor.record_of(contact))
        case Told(status=202):
            return Unsure()
        case Told(status=404):
            return Missing()
        case Told(status=412):
            return Moved()
    return Refused(code=ErrorCode.VALUE_REFUSED, field_id=NAME)


class SelectiveFakeApp(BatchFakeApp):
    """Makes some people with others, of one name; and not all whom it said it would."""

    def together(self, news: Sequence[NewRecord]) -> list[list[int]]:
        """Return those of each name but of one, the first of them twice."""
        names = [new.fields.get(NAME) for new in news]
        groups = {
            name: [place for place, own in enumerate(names) if own == name]
            for name in names
            if name != ALONE_NAME
        }
        return [[own[0], *own] for own in groups.values()]

    def create_many(
        self, news: Sequence[NewRecord]
    ) -> Operation[tuple[BatchResult, ...]]:
        taken = [new for new in news if new.fields.get(EMAIL) != LEFT_OUT]
        results = iter((yield from super().create_many(taken)))
        return tuple(
            next(results) if new.fields.get(EMAIL) != LEFT_OUT else Alone()
            for new in news
        )

    def find_by_email(self, emails: Sequence[str]) -> Operation[tuple[Record, ...]]:
        found = yield from super().find_by_email(emails)
        if not found and COMING in emails:
            raise CallFailed(Meaning.UNSETTLED, "not yet")
        return found


@contextlib.asynccontextmanager
async def batch_world(
    database: Any, *, app_class: type[FakeApp] = BatchFakeApp, **capabilities: Any
) -> AsyncIterator[World]:
    """Run a connector against a vendor that takes three contacts a call."""
    can = {**CAPABILITIES, "writes_conditionally": True, **capabilities}
    async with BatchVendor().listening() as vendor:
        world = World(database, vendor, app_class=app_class, **can)
        async with world.standing():
            yield world
