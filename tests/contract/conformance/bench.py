"""An app on its stage, driven by the connector's own transport through the proxy."""

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final, TypeVar

import msgspec

from proto.auth import IssueToken, Token
from proto.connector import Capabilities, Container
from proto.fields import Field, Fields, Role, Value
from proto.ids import AccountId, AppId, RecordId, TenantId
from proto.record import Presence, Record
from services.chassis.addresses import Guard
from services.connector import exchange, registry
from services.connector.accounts import AccountRef
from services.connector.config import Config
from services.connector.credentials import Credentials
from services.connector.errors import CallFailed
from services.connector.manifest import Manifest
from services.connector.pacing import Lane
from services.connector.port import (
    Alone,
    Call,
    Change,
    CreateResult,
    NewRecord,
    Operation,
    Snapshot,
    Update,
    UpdateResult,
    Written,
)
from services.connector.registry import Registry
from services.connector.transport import OpenAccount, Transport
from tests.contract.conformance import cards
from tests.contract.conformance.cards import Card
from tests.contract.conformance.proxy import Fault, Proxy
from tests.contract.conformance.stage import Stage
from tests.fakes.clock import JointClock, MovableClock, SkippingClock

T = TypeVar("T")
CATALOGUE: Final = registry.load()
PAGE_SIZE: Final = 10
"""Small, so that few people fill several pages."""
PAGES_MAX: Final = 500
LOOPBACK: Final = ("127.0.0.0/8",)


class Issuer:
    """Stands in for auth: hands out the stage's tokens for the proxy's address."""

    def __init__(self, stage: Stage, proxy: Proxy) -> None:
        self._stage = stage
        self._proxy = proxy
        self.asked: list[int] = []
        self.neighbours: dict[AccountId, Stage] = {}
        """Other accounts that the same client is authorised for."""

    async def request(self, command: Any, *, timeout_s: float = 10.0) -> Any:
        """Answer a request for a token; a newer one is asked for after a refusal."""
        del timeout_s
        assert isinstance(command, IssueToken)
        self.asked.append(command.version_min)
        stage = self.neighbours.get(command.account_id, self._stage)
        token: Token = stage.token(version_min=command.version_min)
        return msgspec.structs.replace(
            token,
            base_url=self._proxy.url,
            username=stage.username,
            limited_by="the client",
        )


class Bench:
    """One account of an app, with all that a test does to it.

    Its pages are small and nothing has a pace, unless ``is_unchanged`` has it all as
    the app's manifest says.
    """

    def __init__(
        self, stage: Stage, proxy: Proxy, session: Any, *, is_unchanged: bool = False
    ) -> None:
        self.stage = stage
        self.proxy = proxy
        app = AppId(stage.app)
        entry = CATALOGUE.entry(app)
        self.manifest: Manifest = entry.manifest
        if not is_unchanged:
            limits = msgspec.structs.replace(entry.manifest.limits, page_size=PAGE_SIZE)
            self.manifest = msgspec.structs.replace(entry.manifest, limits=limits)
        self._registry = Registry({app: entry._replace(manifest=self.manifest)})
        self.can: Capabilities = self.manifest.capabilities
        self.settings = Config(
            database_url="",
            nats_url="",
            calls_per_second_max=None if is_unchanged else 0.0,
            observations_waiting_max=10_000,
            private_addresses=LOOPBACK,
        )
        self.clock: MovableClock = JointClock() if is_unchanged else SkippingClock()
        self.issuer = Issuer(stage, proxy)
        self.ref = AccountRef(TenantId("tnt_1"), AccountId("acct_1"), app)
        self._session = session
        self._fields: tuple[Field, ...] | None = None
        self._begin()

    def _begin(self) -> None:
        """Be a process that knows nothing yet."""
        self.transport = Transport(
            self._session,
            self._registry,
            credentials=Credentials(self.issuer, self.clock),
            settings=self.settings,
            clock=self.clock,
        )
        self.opened: OpenAccount | None = None

    def restart(self) -> None:
        """Go on as another process would: with cursors, and without memory."""
        self._begin()

    def fault(self, kind: Any, **rule: Any) -> None:
        """Break calls that come."""
        self.proxy.faults.append(Fault(kind=kind, **rule))

    async def app(self) -> Any:
        """Return the app, as this process remembers it."""
        if self.opened is None:
            self.opened = await self.transport.open(self.ref)
        return self.opened.app

    async def run(self, operation: Operation[T], *, lane: Lane = Lane.POLL) -> T:
        """Drive an operation to its end, as the connector does."""
        await self.app()
        assert self.opened is not None
        return await self.transport.drive(
            self.opened, operation, lane=lane, before_call=self._note
        )

    async def outcome(
        self, operation: Operation[T], *, lane: Lane = Lane.POLL
    ) -> T | CallFailed:
        """Drive an operation to its end; return its result, or how it failed."""
        try:
            return await self.run(operation, lane=lane)
        except CallFailed as err:
            return err

    def _note(self, call: Call) -> None:
        self.proxy.is_writing = call.is_write

    async def fields(self) -> tuple[Field, ...]:
        """Return the fields, as the app describes them."""
        if self._fields is None:
            self._fields = await self.run((await self.app()).describe_fields())
        return self._fields

    async def field_of(self, role: Role) -> Field:
        """Return the field that plays a role."""
        found = [one for one in await self.fields() if one.role is role]
        assert len(found) == 1, f"{len(found)} fields play {role}"
        return found[0]

    async def own_field(self, label: str) -> Field:
        """Return the custom field of a label, described anew."""
        self._fields = None
        found = [one for one in await self.fields() if one.label == label]
        assert len(found) == 1, f"{len(found)} fields are called {label}"
        return found[0]

    async def containers(self) -> tuple[Container, ...]:
        """Return the lists."""
        return await self.run((await self.app()).list_containers())

    async def values(self, card: Card) -> Fields:
        """Return a card as fields to be written; only what can be written."""
        by_role = {one.role: one for one in await self.fields()}
        return {
            by_role[role].field_id: value
            for role, value in card.items()
            if by_role[role].is_writable
        }

    async def card_of(self, record: Record) -> dict[Role, Value]:
        """Return a record in the terms of cards."""
        return cards.of_record(record, await self.fields())

    async def value(self, record: Record, role: Role) -> Value:
        """Return what a record says of one role."""
        return (await self.card_of(record)).get(role)

    async def scan(self) -> tuple[dict[RecordId, Record], str]:
        """Read everybody; return them, and where changes go on."""
        records, resume = await self.scan_pages()
        return {one.record_id: one for page in records for one in page}, resume

    async def scan_pages(self) -> tuple[list[tuple[Record, ...]], str]:
        """Read everybody, page by page."""
        pages: list[tuple[Record, ...]] = []
        cursor = None
        for _ in range(PAGES_MAX):
            page = await self.run((await self.app()).scan(cursor), lane=Lane.SCAN)
            pages.append(page.records)
            if page.next is None:
                assert page.resume is not None
                return pages, page.resume
            assert page.resume is None
            cursor = page.next
        raise AssertionError("the scan has no end")

    async def changes(self, cursor: str) -> tuple[dict[RecordId, Record], str]:
        """Read what changed, by id, and where changes go on."""
        found: dict[RecordId, Record] = {}
        for _ in range(PAGES_MAX):
            page = await self.run((await self.app()).changes(cursor))
            found |= {one.record_id: one for one in page.records}
            if page.next is None:
                assert page.resume is not None
                return found, page.resume
            cursor = page.next
        raise AssertionError("the changes have no end")

    async def get(self, *record_ids: RecordId) -> list[Snapshot]:
        """Read records by id, in the batches that the app takes; in that order."""
        size = max(1, self.can.get_batch)
        found: dict[RecordId, Snapshot] = {}
        for start in range(0, len(record_ids), size):
            asked = record_ids[start : start + size]
            for one in await self.run((await self.app()).get(asked)):
                found[one.record.record_id] = one
        return [found[record_id] for record_id in record_ids]

    async def read(self, record_id: RecordId) -> Snapshot:
        """Read one record that is there."""
        (snapshot,) = await self.get(record_id)
        assert snapshot.record.presence is Presence.LIVE
        return snapshot

    async def find(self, *emails: str) -> tuple[Record, ...]:
        """Look for addresses."""
        return await self.run((await self.app()).find_by_email(emails))

    def new(self, fields: Fields, **more: Any) -> NewRecord:
        """Return a new record, with as much consent as the app needs to make it."""
        asked = {"consent": self.stage.least_consent, **more}
        return NewRecord(fields=fields, **asked)

    async def create(self, card: Card, **more: Any) -> CreateResult:
        """Create somebody."""
        new = self.new(await self.values(card), **more)
        return await self.run((await self.app()).create(new), lane=Lane.WRITE)

    async def created(self, card: Card, **more: Any) -> Record:
        """Create somebody, who must be taken."""
        return await self.made(await self.values(card), **more)

    async def made(self, fields: Fields, **more: Any) -> Record:
        """Create somebody with these fields, who must be taken."""
        new = self.new(fields, **more)
        result = await self.run((await self.app()).create(new), lane=Lane.WRITE)
        assert isinstance(result, Written), result
        return result.record

    async def update(self, record_id: RecordId, card: Card) -> UpdateResult:
        """Read somebody and change them."""
        return await self.update_read(await self.read(record_id), card)

    async def update_read(self, snapshot: Snapshot, card: Card) -> UpdateResult:
        """Change somebody who was read."""
        return await self._update(snapshot, fields=await self.values(card))

    async def change(
        self, record_id: RecordId, fields: Fields | None = None, **more: Any
    ) -> UpdateResult:
        """Read somebody and change fields of theirs, memberships or consent."""
        snapshot = await self.read(record_id)
        return await self._update(snapshot, fields=fields or {}, **more)

    async def _update(self, snapshot: Snapshot, **change: Any) -> UpdateResult:
        operation = (await self.app()).update(snapshot, Change(**change))
        return await self.run(operation, lane=Lane.WRITE)

    async def create_many(self, people: Sequence[Card]) -> tuple[CreateResult, ...]:
        """Create several people in one call, and alone who has to be.

        Also where a vendor makes only some people together.
        """
        more = await self.stage.together()
        news = [self.new(await self.values(card), **more) for card in people]
        app = await self.app()
        results = await self.run(app.create_many(news), lane=Lane.WRITE)
        return tuple(
            [
                await self.run(app.create(new), lane=Lane.WRITE)
                if isinstance(result, Alone)
                else result
                for new, result in zip(news, results, strict=True)
            ]
        )

    async def update_many(
        self, changes: Sequence[tuple[Snapshot, Card]]
    ) -> tuple[UpdateResult, ...]:
        """Change several people in one call."""
        updates = [
            Update(snapshot=snapshot, change=Change(fields=await self.values(card)))
            for snapshot, card in changes
        ]
        return await self.run((await self.app()).update_many(updates), lane=Lane.WRITE)


@contextlib.asynccontextmanager
async def standing(stage: Stage, *, is_unchanged: bool = False) -> AsyncIterator[Bench]:
    """Put an app on its stage until the block ends."""
    async with (
        Proxy(stage.base_url).listening() as proxy,
        exchange.session(Guard(LOOPBACK)) as session,
    ):
        yield Bench(stage, proxy, session, is_unchanged=is_unchanged)
