"""Two made-up apps, a connection between them, and a planner of a few lines."""

import datetime
from collections.abc import Callable

import msgspec

from proto.connector import Capabilities, ContactWritten, WriteKind, WriteOutcome
from proto.fields import Field, FieldKind, Fields, Item, Role
from proto.ids import AccountId, AppId, FieldId, IntentId, LinkId, RecordId
from proto.reconciler import Direction, End, Settings, Side
from proto.record import Consent, Presence, Record
from services.reconciler.engine import fold, mapping, model, plan, renewal
from services.reconciler.engine.case import Case
from services.reconciler.engine.model import (
    Config,
    Folded,
    Intent,
    Link,
    Plan,
    Reason,
    Seen,
    SideConfig,
)

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)


def field(
    name: str,
    kind: FieldKind = FieldKind.TEXT,
    role: Role = Role.UNKNOWN,
    **more: object,
) -> Field:
    return Field(field_id=FieldId(name), label=name, kind=kind, role=role, **more)


NEWSLETTER = (
    field("email", FieldKind.EMAIL, Role.EMAIL, length_max=80),
    field("first", role=Role.NAME_GIVEN, length_max=50),
    field("last", role=Role.NAME_FAMILY, length_max=50),
    field("job", role=Role.JOB_TITLE, length_max=50),
    field("company", role=Role.COMPANY, length_max=50),
    field("birthday", FieldKind.MONTH_DAY, Role.BIRTHDAY),
    field("anniversary", FieldKind.DATE, Role.ANNIVERSARY),
    field(
        "phones",
        FieldKind.PHONE,
        Role.PHONE,
        is_multiple=True,
        count_max=3,
        length_max=25,
        labels=("home", "work", "mobile", "other"),
    ),
    field(
        "addresses",
        FieldKind.ADDRESS,
        Role.ADDRESS,
        is_multiple=True,
        count_max=3,
        length_max=50,
        labels=("home", "work", "other"),
    ),
)
"""Like a newsletter tool: one email, parts of the name, three of the others."""

CARDS = (
    field("fn", role=Role.NAME_FULL),
    field("emails", FieldKind.EMAIL, Role.EMAIL, is_multiple=True),
    field("tel", FieldKind.PHONE, Role.PHONE, is_multiple=True),
    field("adr", FieldKind.ADDRESS, Role.ADDRESS, is_multiple=True),
    field("title", role=Role.JOB_TITLE),
    field("org", role=Role.COMPANY),
    field("bday", FieldKind.DATE, Role.BIRTHDAY, is_year_optional=True),
    field("anniv", FieldKind.DATE, Role.ANNIVERSARY),
)
"""Like an address book: a full name, several of everything."""

SLOTTED = (
    field("mail", FieldKind.EMAIL, Role.EMAIL),
    field("mobile", FieldKind.PHONE, Role.PHONE_MOBILE),
    field("home", FieldKind.PHONE, Role.PHONE_HOME),
    field("work", FieldKind.PHONE, Role.PHONE_WORK),
)
"""Like an older tool: one field for each kind of phone."""


ABLE = Capabilities(
    settle_s=5,
    detects_deletions=True,
    detects_unsubscribes=True,
    has_consent=True,
    can_unsubscribe=True,
    can_tag=True,
    can_change_containers=True,
)
"""An app that can do everything."""


def end(fields: tuple[Field, ...], **more: object) -> SideConfig:
    return SideConfig(
        account_id=AccountId("acct_1"),
        app=AppId("app"),
        fields=fields,
        **{"capabilities": Capabilities(settle_s=5), **more},
    )


def config(
    left: tuple[Field, ...] = NEWSLETTER,
    right: tuple[Field, ...] = CARDS,
    *,
    direction: Direction = Direction.BOTH,
    winner: Side = Side.LEFT,
    off: tuple[str, ...] = (),
    avoids_duplicates: bool = True,
    version: int = 1,
    left_more: dict[str, object] | None = None,
    right_more: dict[str, object] | None = None,
    **options: object,
) -> Config:
    return mapping.config_of(
        left=end(left, **(left_more or {})),
        right=end(right, **(right_more or {})),
        settings=Settings(
            name="test",
            left=End(account_id=AccountId("acct_1")),
            right=End(account_id=AccountId("acct_2")),
            direction=direction,
            winner=winner,
            mappings_off=off,
            avoids_duplicates=avoids_duplicates,
            **options,
        ),
        version=version,
    )


def items(*values: str) -> tuple[Item, ...] | None:
    """Return items written as ``label:value`` or just ``value``."""
    found = []
    for value in values:
        label, colon, rest = value.partition(":")
        found.append(Item(value=rest if colon else value, label=label * bool(colon)))
    return tuple(found) or None


def blank(fields: tuple[Field, ...]) -> Fields:
    return {f.field_id: None for f in fields}


def seen(
    record: Record, *, at: datetime.datetime = NOW, life: int | None = None
) -> Seen:
    digest = model.digest_of(record)
    return Seen(record=record, read_at=at, digest=digest, live_number=life)


class Pair:
    """One link between two live apps that do as they are told.

    ``left`` and ``right`` are what the apps hold; ``turn`` plans and writes once.
    """

    def __init__(
        self,
        config: Config,
        left: Fields | None = None,
        right: Fields | None = None,
        *,
        link: Link | None = None,
    ) -> None:
        self.config = config
        self.records: dict[Side, Record | None] = {
            Side.LEFT: self._record("l1", config.left, left),
            Side.RIGHT: self._record("r1", config.right, right),
        }
        self.link = link or Link(
            link_id=LinkId("link_0001"),
            left_id=RecordId("l1") if left is not None else None,
            right_id=RecordId("r1") if right is not None else None,
        )
        self.lives = {Side.LEFT: 1, Side.RIGHT: 2}
        """Drawn anew whenever a record is back from the dead."""
        self.now = NOW
        self.writes: list[Intent] = []
        self.losses: list[model.Loss] = []
        self.normalise = {Side.LEFT: dict, Side.RIGHT: dict}
        self.last: Plan = model.NOTHING
        self.silent: set[Side] = set()
        """Where the app tells nothing of a write, so that the record is read after."""
        self.meanwhile: Callable[[Side], None] = lambda _side: None
        """What somebody does between such a write and the read."""

    @staticmethod
    def _record(name: str, side: SideConfig, given: Fields | None) -> Record | None:
        if given is None:
            return None
        fields = {**blank(side.fields), **{FieldId(k): v for k, v in given.items()}}
        return Record(record_id=RecordId(name), fields=fields)

    @property
    def left(self) -> Fields:
        record = self.records[Side.LEFT]
        return record.fields if record is not None else {}

    @property
    def right(self) -> Fields:
        record = self.records[Side.RIGHT]
        return record.fields if record is not None else {}

    def edit(self, side: Side, **fields: object) -> None:
        record = self.records[side]
        assert record is not None
        changed = self.normalise[side]({**record.fields, **fields})
        self.records[side] = msgspec.structs.replace(record, fields=changed)

    def mark(self, side: Side, presence: Presence) -> None:
        self.put(side, presence=presence)

    def put(self, side: Side, **changes: object) -> None:
        """Change a record in what is not its fields."""
        record = self.records[side]
        assert record is not None
        changed = msgspec.structs.replace(record, **changes)
        if changed.presence is Presence.LIVE is not record.presence:
            self.lives[side] = max(self.lives.values()) + 1
        self.records[side] = changed

    def seen(self, side: Side) -> Seen | None:
        record = self.records[side]
        if record is None:
            return None
        return seen(record, at=self.now, life=self.lives[side])

    def case(self) -> Case:
        return Case(
            renewal.apply(self.link, self.config),
            self.seen(Side.LEFT),
            self.seen(Side.RIGHT),
            self.config,
            self.now,
            IntentId(f"int_{len(self.writes)}"),
        )

    def plan(self) -> Plan:
        self.now += datetime.timedelta(seconds=1)
        is_forced = self.link.reason == Reason.MASS_CHANGE
        return self._take(plan.plan(self.case(), is_forced=is_forced))

    def hold_back(self) -> Plan:
        """Hold what was planned, as the guard against mass changes does."""
        return self._take(plan.hold_back(self.case()))

    def _take(self, decided: Plan) -> Plan:
        self.last = decided
        if decided.link is not None:
            self.link = decided.link
        self.losses.extend(decided.losses)
        return decided

    def apply(self, intent: Intent) -> Record:
        """Do what an intent says, the way the app does it."""
        side = intent.side
        held = self.records[side]
        if held is None:
            base = blank(self.config.side(side).fields)
            name = "l1" if side is Side.LEFT else "r1"
            held = Record(record_id=RecordId(name), fields=base)
        changed = self.normalise[side]({**held.fields, **intent.fields})
        change, says_nothing = intent.memberships, intent.consent is Consent.UNKNOWN
        containers = {*held.containers, *intent.containers, *change.containers_add}
        tags = {*held.tags, *change.tags_add} - set(change.tags_remove)
        self.records[side] = msgspec.structs.replace(
            held,
            fields=changed,
            containers=tuple(sorted(containers - set(change.containers_remove))),
            tags=tuple(sorted(tags)),
            consent=held.consent if says_nothing else intent.consent,
        )
        return self.records[side]

    def answer(self, intent: Intent, outcome: WriteOutcome, **more: object) -> Folded:
        kind = more.pop("kind", intent.kind)
        if outcome is WriteOutcome.WRITTEN and kind is not WriteKind.LOOK:
            more = {"sent_at": self.now, **more}
        result = ContactWritten(
            intent_id=intent.intent_id,
            kind=kind,
            outcome=outcome,
            read_at=self.now,
            **more,
        )
        is_taken = bool(more.get("is_taken"))
        folded = fold.fold(
            self.link,
            intent,
            result=result,
            config=self.config,
            now=self.now,
            is_taken=is_taken,
        )
        self.link = folded.link
        return folded

    def turn(self) -> Intent | None:
        """Plan once, and carry out what comes out."""
        intent = self.plan().intent
        if intent is None:
            return None
        self.writes.append(intent)
        self.carry_out(intent)
        return intent

    def carry_out(self, intent: Intent) -> None:
        """Write, and tell what is there then."""
        side = intent.side
        self.apply(intent)
        if side in self.silent:
            self.meanwhile(side)
        self.answer(
            intent,
            WriteOutcome.WRITTEN,
            record=self.records[side],
            is_read_after=side in self.silent,
        )

    def write_unheard(self) -> Intent:
        """Write what is planned, and have no answer come."""
        intent = self.plan().intent
        assert intent is not None
        self.answer(intent, WriteOutcome.UNKNOWN)
        self.apply(intent)
        return intent

    def write_in_vain(self) -> None:
        """Write what is planned, if anything, over what was just changed there."""
        intent = self.plan().intent
        if intent is not None:
            record = self.records[intent.side]
            self.answer(intent, WriteOutcome.CHANGED, record=record)

    def come_to_rest(self, *, turns_max: int) -> None:
        """Go on until nothing is left to do, whatever is put off for its failures."""
        self.now = max(self.now, self.link.retry_at or self.now)
        self.settle(turns_max=turns_max)

    def look(self, intent: Intent, **changes: object) -> Folded:
        """Look for what a write has left, with what the app shows otherwise."""
        held = self.records[intent.side]
        assert held is not None
        record = msgspec.structs.replace(held, **changes)
        return self.answer(intent, WriteOutcome.EXISTS, kind=LOOK, record=record)

    def settle(self, *, turns_max: int = 4) -> int:
        """Go on until nothing is left to do; return the number of writes."""
        for count in range(turns_max):
            if self.turn() is None:
                return count
        raise AssertionError(f"not at rest after {turns_max} writes")


def linked(
    left: Fields | None = None, right: Fields | None = None, **settings: object
) -> Pair:
    """Return a newsletter's and a card's record in step, after their first match."""
    left = {"email": "ana@example.com", **(left or {})}
    right = {"emails": items("ana@example.com"), **(right or {})}
    pair = Pair(config(**settings), left, right)
    pair.settle()
    pair.writes.clear()
    pair.losses.clear()
    return pair


LOOK = WriteKind.LOOK
