"""Hand-made histories for tests of the invariants: two vendors, one connection.

Users and Tandem do here what a test says, so that each invariant can be shown a
history that breaks it, and one that almost does.
"""

import datetime
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

import msgspec

from proto.connector import WriteKind
from proto.fields import FieldKind, Role, Value
from proto.ids import (
    AccountId,
    AppId,
    ConnectionId,
    FieldId,
    IntentId,
    LinkId,
    RecordId,
)
from proto.reconciler import SIDES, Direction, End, MappingView, Settings, Side
from services.reconciler.engine import model
from services.reconciler.engine.model import FieldChange, Intent
from tests.simulation.invariants import safety
from tests.simulation.invariants.aftermath import Aftermath, Held, Loss, Planned
from tests.simulation.invariants.truth import LinkRow, Owned, Truth, Version, Wrong
from tests.simulation.ledger import Cause, Entry, Key, Ledger, Place, Who
from tests.simulation.people import People
from tests.simulation.scenario import draw
from tests.simulation.vendors.api import Sight, Vendor
from tests.simulation.vendors.book import Book
from tests.simulation.vendors.ways import Ways

ROLES: Final = (Role.EMAIL, Role.NAME_GIVEN, Role.NAME_FAMILY, Role.JOB_TITLE)
START: Final = 1_767_225_600.0
CONNECTION: Final = ConnectionId("conn_1")
LEFT_ACCOUNT: Final = AccountId("acct_1")
RIGHT_ACCOUNT: Final = AccountId("acct_2")
TENANT: Final = "tnt_one"
OTHER_TENANT: Final = "tnt_two"
AT_ONCE: Final = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
NO_CHANGE: Final[Mapping[str, Any]] = MappingProxyType({})


class History:
    """A connection between two accounts, and everything that happens to it."""

    def __init__(
        self,
        *,
        left: dict[str, Any] | None = None,
        right: dict[str, Any] | None = None,
        roles: tuple[Role, ...] = ROLES,
    ) -> None:
        self.time = START
        self._roles = roles
        self.ledger = Ledger()
        self.people = People(draw(1).source("hand-made"))
        self.vendors: dict[AppId, Vendor] = {}
        self.books: dict[Side, Book] = {}
        for side, app, more in zip(SIDES, "ab", (left, right), strict=True):
            ways = Ways(
                app=AppId(f"sim_{app}"),
                is_shouting=side is Side.RIGHT,
                **({"roles": roles} | (more or {})),
            )
            vendor = Vendor(ways, ledger=self.ledger, now=lambda: self.time)
            self.vendors[ways.app] = vendor
            self.books[side] = vendor.open_book("acme")
        self.links: list[LinkRow] = []
        self.answered: set[Key] = set()
        self.gone: set[Key] = set()
        """Whom Tandem knows as gone."""
        self.losses: list[Loss] = []
        self.owned = Owned(
            tenant=TENANT,
            connection_id=CONNECTION,
            left=self.books[Side.LEFT].place,
            right=self.books[Side.RIGHT].place,
            versions=[self._version(Direction.BOTH)],
        )
        self.more: list[Owned] = []
        """Other connections of the same tenant."""
        self.truth = Truth(
            self.people,
            self.ledger,
            self.vendors,
            owned=lambda: [self.owned, *self.more],
            links=lambda: self.links,
            answered=lambda: self.answered,
            is_gone=lambda key: key in self.gone,
            now=lambda: self.time,
        )
        self.wrongs: list[Wrong] = []
        self.ledger.watchers.append(self._watch)

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.time += seconds

    def direct(self, direction: Direction) -> None:
        """Have the connection go one way from now on, and from always."""
        self.owned.versions[:] = [self._version(direction)]

    def choose(self, **options: Any) -> None:
        """Have the connection be set to something from the beginning."""
        [version] = self.owned.versions
        settings = msgspec.structs.replace(version.settings, **options)
        self.owned.versions[:] = [msgspec.structs.replace(version, settings=settings)]

    def choose_now(self, **options: Any) -> None:
        """Have the connection be set to something from now on."""
        now = self.owned.now
        settings = msgspec.structs.replace(now.settings, **options)
        version = msgspec.structs.replace(now, at=self.time, settings=settings)
        self.owned.versions.append(version)

    def suspend(self, role: Role) -> None:
        """Switch the mapping of a role off."""
        now = self.owned.now
        left = tuple(v for v in now.mappings if v.mapping_id != role.value)
        version = msgspec.structs.replace(now, at=self.time, mappings=left)
        self.owned.versions.append(version)

    def resume(self) -> None:
        """Switch on again what was on at first."""
        version = msgspec.structs.replace(self.owned.versions[0], at=self.time)
        self.owned.versions.append(version)

    def person(self, tenant: str = TENANT) -> int:
        """Return somebody new."""
        return self.people.new(tenant)

    def value(self, role: Role, person: int) -> str:
        """Return what a user enters."""
        value = self.people.value(role, person, self.books[Side.LEFT].ways)
        assert isinstance(value, str)
        return value

    def fields(self, side: Side, **values: Value) -> dict[str, Value]:
        """Return fields by the names that a side has for them."""
        ways = self.books[side].ways
        names = {"email": Role.EMAIL, "given": Role.NAME_GIVEN}
        names |= {"family": Role.NAME_FAMILY, "full": Role.NAME_FULL}
        names |= {"job": Role.JOB_TITLE, "phone": Role.PHONE}
        return {
            str(ways.name_of(names[key])) if key in names else key: value
            for key, value in values.items()
        }

    def enter(self, side: Side, person: int, **values: Value) -> RecordId:
        """Have a user make a record."""
        return self.books[side].create(
            self.fields(side, **values), cause=Cause(person=person)
        )

    def edit(self, side: Side, record_id: RecordId, **values: Value) -> None:
        """Have a user edit a record."""
        self.books[side].edit(record_id, self.fields(side, **values))

    def make(
        self, side: Side, *, mark: str = "1", sent_s_ago: float = 0.0, **values: Value
    ) -> RecordId:
        """Have Tandem make a record, and hear nothing of that."""
        fields = self.fields(side, **values)
        cause = Cause(
            who=Who.TANDEM, asked=fields, sent_at=self.time - sent_s_ago, marker=mark
        )
        return self.books[side].create(fields, cause=cause)

    def write(
        self,
        side: Side,
        record_id: RecordId,
        *,
        read_s_ago: float = 0.1,
        more: dict[str, Any] | None = None,
        **values: Value,
    ) -> None:
        """Have Tandem write to a record."""
        fields = self.fields(side, **values)
        cause = Cause(
            who=Who.TANDEM,
            asked=fields,
            sent_at=self.time,
            read_at=self.time - read_s_ago,
        )
        self.books[side].edit(record_id, fields, cause=cause, **(more or {}))

    def double(self, side: Side, record_id: RecordId, entry: Entry) -> None:
        """Have the network bring a call again that wrote to a record."""
        cause = msgspec.structs.replace(entry.cause, is_doubled=True)
        self.books[side].edit(record_id, cause.asked, cause=cause)

    def read(self, side: Side, record_id: RecordId) -> None:
        """Have Tandem read a record by its id."""
        calls = self.truth.calls(self.owned.place(side))
        calls.reads_for[record_id, 0].append(self.time)

    def tell(self, side: Side, record_id: RecordId, *, s_old: float = 0.0) -> None:
        """Have Tandem be told of a record, as it is or was."""
        sight = Sight(self.time, self.time - s_old)
        self.truth.calls(self.owned.place(side)).sights[record_id].append(sight)

    def link(
        self,
        left: RecordId | None,
        right: RecordId | None,
        *,
        state: str = "in_sync",
        reason: str = "",
    ) -> None:
        """Have Tandem bind two records, or name one."""
        link_id = LinkId(f"link_{len(self.links) + 1}")
        self.links.append(LinkRow(CONNECTION, link_id, left, right, state, reason))
        self.truth.look()

    def pair(self, **values: Value) -> tuple[int, RecordId, RecordId]:
        """Have a user make somebody on the left, and Tandem on the right."""
        person = self.person()
        given = {
            "email": self.value(Role.EMAIL, person),
            "given": self.value(Role.NAME_GIVEN, person),
        } | values
        left = self.enter(Side.LEFT, person, **given)
        right = self.make(Side.RIGHT, mark=str(len(self.links) + 1), **given)
        self.answered.add(self.key(Side.RIGHT, right))
        self.link(left, right)
        return person, left, right

    def lose(self, side: Side, **values: Value) -> None:
        """Have Tandem note what gave way."""
        self.losses.append(
            Loss(
                connection_id=CONNECTION,
                intent_id=IntentId("int_1"),
                mapping_id="job_title",
                side=side,
                fields=self.fields(side, **values),
            )
        )

    def after(self, held: dict[str, str] | None = None, **more: Any) -> Aftermath:
        """Return what Tandem holds; what is held is so on every link."""
        links = tuple(
            Held(row=row, held=tuple((held or {}).items())) for row in self.links
        )
        return Aftermath(links=links, losses=tuple(self.losses), now=self.time, **more)

    def key(self, side: Side, record_id: RecordId) -> Key:
        """Return a record's key."""
        return self.books[side].place, record_id

    def broken(self) -> set[str]:
        """Return the invariants that were broken so far."""
        return {wrong.invariant for wrong in self.wrongs}

    def _version(self, direction: Direction) -> Version:
        left, right = (self.books[side].ways for side in SIDES)
        views = tuple(
            MappingView(
                mapping_id=role.value,
                label=role.value,
                kind=FieldKind.TEXT,
                left=(left.name_of(role),),
                right=(right.name_of(role),),
                direction=direction,
            )
            for role in self._roles
        )
        settings = Settings(
            name="hand-made",
            left=End(account_id=LEFT_ACCOUNT),
            right=End(account_id=RIGHT_ACCOUNT),
            direction=direction,
        )
        return Version(at=START, settings=settings, mappings=views)

    def _watch(self, entry: Entry) -> None:
        place: Place = entry.place
        self.people.note(entry, self.truth.ways(place))
        self.truth.note(entry)
        self.truth.look()
        self.wrongs += safety.check(entry, self.truth)


def job(history: History, person: int) -> str:
    return history.value(Role.JOB_TITLE, person)


def intent(
    history: History,
    *,
    state: str = "done",
    change: Mapping[str, Any] = NO_CHANGE,
    **changes: Any,
) -> Planned:
    """Return an intent about the right record of the first link."""
    values = {FieldId(name): value for name, value in changes.items()}
    return Planned(
        connection_id=CONNECTION,
        intent=Intent(
            intent_id=IntentId("int_1"),
            link_id=LinkId("link_1"),
            side=Side.RIGHT,
            kind=WriteKind.UPDATE,
            record_id=history.links[0].right_id,
            fields=values,
            source_id=history.links[0].left_id,
            source={},
            source_read_at=AT_ONCE,
            mapping_ids=(),
            changes=tuple(
                FieldChange(
                    field_id=name,
                    mapping_id="m",
                    after=value,
                    **({"cause": model.Cause.CHANGED} | dict(change)),
                )
                for name, value in values.items()
            ),
            decided_at=AT_ONCE,
        ),
        state=state,
        decided_at=history.time,
    )
