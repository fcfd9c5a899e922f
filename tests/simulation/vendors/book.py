"""One account at a vendor: its records with their history. Users act on it directly.

Every change goes through ``_put``, which rewrites values as the vendor does, stamps
them with the vendor's clock, and writes the change into the ledger.
"""

import math
from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import msgspec

from proto.fields import Role, Value
from proto.ids import RecordId
from proto.record import Consent
from tests.simulation.ledger import (
    Act,
    Cause,
    Entry,
    Ledger,
    Place,
    State,
    Status,
    Who,
)
from tests.simulation.vendors.ways import Markers, Ways

USER: Final = Cause()
VENDOR: Final = Cause(who=Who.VENDOR)

CONSENTS: Final = tuple(Consent)
"""From nothing known to the strongest no."""


class EmailTaken(Exception):
    """Another live record has the address, and the vendor takes each but once."""

    def __init__(self, record_id: RecordId) -> None:
        super().__init__(record_id)
        self.record_id = record_id


class Holder:
    """A record of a book: what it is now and what it was."""

    def __init__(self, record_id: RecordId, *, maker: Who, marker: str) -> None:
        self.record_id = record_id
        self.maker = maker
        self.marker = marker
        self.born = 0.0
        """When it was made, by the vendor's clock."""
        self.history: list[tuple[float, State]] = []

    @property
    def now(self) -> State:
        """Return its present state."""
        return self.history[-1][1]

    def at(self, moment: float) -> State | None:
        """Return its state at a time, None before it was there."""
        for since, state in reversed(self.history):
            if since <= moment:
                return state
        return None


class Book:
    """An account's records."""

    def __init__(
        self, place: Place, ways: Ways, *, ledger: Ledger, now: Callable[[], float]
    ) -> None:
        self.place = place
        self.ways = ways
        self.holders: dict[RecordId, Holder] = {}
        self._ledger = ledger
        self._true_now = now
        self._to_rewrite: list[tuple[float, RecordId]] = []

    def now(self) -> float:
        """Return the true time, having done what the vendor does by itself by then."""
        moment = self._true_now()
        while self._to_rewrite and self._to_rewrite[0][0] <= moment:
            due, record_id = self._to_rewrite.pop(0)
            self._rewrite(record_id, due)
        return moment

    @property
    def is_rewriting(self) -> bool:
        """Say whether the vendor has yet to do something by itself."""
        return bool(self._to_rewrite)

    def clock(self, moment: float) -> float:
        """Return what the vendor's clock shows at a time."""
        step = self.ways.stamp_s
        return round(math.floor((moment + self.ways.skew_s) / step) * step, 3)

    def live(self) -> list[Holder]:
        """Return the records that are there, in the order they were made."""
        self.now()
        return [holder for holder in self.holders.values() if holder.now.is_live]

    def owner_of(self, email: Value, *, but: RecordId | None = None) -> Holder | None:
        """Return the live record that has an address."""
        wanted = address_key(email)
        if not wanted:
            return None
        name = self.ways.email_name
        for holder in self.holders.values():
            state = holder.now
            is_other = state.is_live and holder.record_id != but
            if is_other and address_key(state.fields.get(name)) == wanted:
                return holder
        return None

    def create(
        self,
        fields: dict[str, Value],
        *,
        lists: tuple[str, ...] = (),
        tags: tuple[str, ...] = (),
        consent: Consent | None = None,
        cause: Cause = USER,
    ) -> RecordId:
        """Make a record and return its id.

        Raises:
            EmailTaken: Somebody else has the address.
        """
        self._check_email(fields, but=None)
        record_id = RecordId(f"{self.ways.app[-1]}{len(self.holders) + 1:04}")
        kept = cause.marker if self.ways.markers is not Markers.IGNORED else ""
        holder = Holder(record_id, maker=cause.who, marker=kept)
        self.holders[record_id] = holder
        holder.born = self.clock(self.now())
        state = self._fresh(fields, lists=lists, tags=tags, consent=consent)
        self._put(holder, state, act=Act.CREATE, cause=cause)
        return record_id

    def recycle(
        self, record_id: RecordId, fields: dict[str, Value], *, person: int
    ) -> None:
        """Have the id of a deleted record mean somebody else from now on.

        Raises:
            EmailTaken: Somebody else has the address.
        """
        self._check_email(fields, but=record_id)
        holder = self.holders[record_id]
        assert not holder.now.is_live
        holder.marker, holder.maker = "", Who.USER
        holder.born = self.clock(self.now())
        state = self._fresh(fields)
        self._put(holder, state, act=Act.CREATE, cause=Cause(person=person))

    def edit(
        self,
        record_id: RecordId,
        fields: dict[str, Value] | None = None,
        *,
        lists: Iterable[str] | None = None,
        tags: Iterable[str] | None = None,
        consent: Consent | None = None,
        cause: Cause = USER,
    ) -> None:
        """Change a live record; what is not mentioned stays.

        Raises:
            EmailTaken: Somebody else has the address.
        """
        holder = self.holders[record_id]
        state = holder.now
        assert state.is_live
        if fields:
            self._check_email(fields, but=record_id)
        changed = msgspec.structs.replace(
            state,
            fields={**state.fields, **(fields or {})},
            lists=state.lists if lists is None else tuple(sorted(set(lists))),
            tags=state.tags if tags is None else tuple(sorted(set(tags))),
            consent=state.consent if consent is None else consent,
        )
        self._put(holder, changed, act=Act.EDIT, cause=cause)

    def delete(self, record_id: RecordId, *, cause: Cause = USER) -> None:
        """Have a record gone."""
        self._end(record_id, Status.DELETED, act=Act.DELETE, cause=cause)

    def restore(self, record_id: RecordId, *, without: Iterable[str] = ()) -> None:
        """Bring a deleted record back as it was.

        Args:
            without: Fields that the vendor's trash has not kept.

        Raises:
            EmailTaken: Somebody else has its address by now.
        """
        holder = self.holders[record_id]
        fields = {**holder.now.fields, **dict.fromkeys(without)}
        self._check_email(fields, but=record_id)
        state = msgspec.structs.replace(
            holder.now, fields=fields, status=Status.LIVE, merged_into=None
        )
        self._put(holder, state, act=Act.RESTORE, cause=USER)

    def merge(self, loser_id: RecordId, winner_id: RecordId) -> None:
        """Make two records one: the winner's values, the loser's where it has none."""
        loser, winner = self.holders[loser_id].now, self.holders[winner_id].now
        self._end(
            loser_id, Status.MERGED, act=Act.MERGE, cause=USER, merged_into=winner_id
        )
        filled = {
            name: value if value is not None else loser.fields.get(name)
            for name, value in winner.fields.items()
        }
        self.edit(
            winner_id,
            filled,
            lists=(*winner.lists, *loser.lists),
            tags=(*winner.tags, *loser.tags),
            consent=max(winner.consent, loser.consent, key=CONSENTS.index),
        )

    def heir_of(self, record_id: RecordId) -> Holder | None:
        """Return the live record that one has become a part of, however often merged.

        Each is merged when both are there, so that no way leads round.
        """
        holder = self.holders[record_id]
        while holder.now.merged_into is not None:
            holder = self.holders[holder.now.merged_into]
        return holder if holder.now.is_live else None

    def _fresh(
        self,
        fields: dict[str, Value],
        *,
        lists: tuple[str, ...] = (),
        tags: tuple[str, ...] = (),
        consent: Consent | None = None,
    ) -> State:
        """Return the first state of a record."""
        default = Consent(self.ways.default_consent)
        if not self.ways.has_consent:
            consent = default = Consent.UNKNOWN
        if self.ways.mails_everybody and consent is Consent.UNKNOWN:
            consent = Consent.SUBSCRIBED
        return State(
            fields={**dict.fromkeys(map(str, self.ways.names)), **fields},
            lists=tuple(sorted(lists)),
            tags=tuple(sorted(tags)),
            consent=default if consent is None else consent,
        )

    def _end(
        self,
        record_id: RecordId,
        status: Status,
        *,
        act: Act,
        cause: Cause,
        merged_into: RecordId | None = None,
    ) -> None:
        holder = self.holders[record_id]
        assert holder.now.is_live
        state = msgspec.structs.replace(
            holder.now, status=status, merged_into=merged_into
        )
        self._put(holder, state, act=act, cause=cause)

    def _check_email(self, fields: dict[str, Value], *, but: RecordId | None) -> None:
        if not self.ways.unique_emails:
            return
        owner = self.owner_of(fields.get(self.ways.email_name), but=but)
        if owner is not None:
            raise EmailTaken(owner.record_id)

    def _put(self, holder: Holder, state: State, *, act: Act, cause: Cause) -> None:
        moment = self.now()
        if not self.ways.forms.after_s:
            state = msgspec.structs.replace(state, fields=self._formed(state.fields))
        self._keep(holder, state, act=act, cause=cause, moment=moment)
        if self.ways.forms.after_s and self._formed(state.fields) != state.fields:
            due = moment + self.ways.forms.after_s
            self._to_rewrite.append((due, holder.record_id))

    def _keep(
        self, holder: Holder, state: State, *, act: Act, cause: Cause, moment: float
    ) -> None:
        before = holder.now if holder.history else None
        after = msgspec.structs.replace(
            state,
            version=before.version + 1 if before else 1,
            stamp=self.clock(moment),
        )
        was = before.fields if before else {}
        changed = tuple(
            name for name, value in after.fields.items() if was.get(name) != value
        )
        holder.history.append((moment, after))
        self._ledger.add(
            Entry(
                number=len(self._ledger.entries),
                at=moment,
                place=self.place,
                record_id=holder.record_id,
                act=act,
                cause=cause,
                before=before,
                after=after,
                changed=changed,
            )
        )

    def _formed(self, fields: dict[str, Value]) -> dict[str, Value]:
        return {
            name: self.ways.forms.of_value(self.ways.role_of(name), value)
            if name != self.ways.own_name
            else value
            for name, value in fields.items()
        }

    def _rewrite(self, record_id: RecordId, moment: float) -> None:
        """Do to a record what the vendor does to all of them, some time later."""
        holder = self.holders[record_id]
        formed = self._formed(holder.now.fields)
        if holder.now.is_live and formed != holder.now.fields:
            state = msgspec.structs.replace(holder.now, fields=formed)
            self._keep(holder, state, act=Act.EDIT, cause=VENDOR, moment=moment)


class Found(NamedTuple):
    """A live record that somebody looks at."""

    book: Book
    holder: Holder

    @property
    def record_id(self) -> RecordId:
        """Return its id."""
        return self.holder.record_id

    @property
    def ways(self) -> Ways:
        """Return what its vendor is like."""
        return self.book.ways


def address_key(email: Value) -> str:
    """Return an address as a vendor compares it."""
    return email.strip().casefold() if isinstance(email, str) else ""


def value_of(state: State, ways: Ways, role: Role) -> str | None:
    """Return a state's value of a role."""
    value = state.fields.get(ways.name_of(role))
    assert value is None or isinstance(value, str)
    return value


def unless_taken(follow: Callable[[], None]) -> Callable[[], None]:
    """Return what does the same, but where its address is somebody else's."""

    def act() -> None:
        try:
            follow()
        except EmailTaken:
            return

    return act
