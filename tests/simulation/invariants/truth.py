"""What really happened, put so that invariants can be checked against it."""

import itertools
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from typing import Final, NamedTuple

import msgspec

from proto.fields import Role
from proto.ids import AppId, ConnectionId, LinkId, RecordId
from proto.reconciler import SIDES, MappingView, Settings, Side
from tests.simulation import taint
from tests.simulation.features import PRESENT, Features
from tests.simulation.ledger import Act, Entry, Key, Ledger, Place, State, Status, Who
from tests.simulation.people import People
from tests.simulation.vendors import forms
from tests.simulation.vendors.api import Calls, Vendor
from tests.simulation.vendors.book import Book, Holder
from tests.simulation.vendors.forms import Held
from tests.simulation.vendors.numbers import NUMBERS
from tests.simulation.vendors.ways import Merges, Ways

IN_FLIGHT_S: Final = 900.0
"""How long after a change of settings a write decided before may still come."""
GIVEN_AWAY_S: Final = 300.0
"""How long after an id was shown to mean somebody else an older write may come: so long
after it was decided none is sent any more."""


class LinkRow(NamedTuple):
    """A link as Tandem keeps it, as far as it is looked at after each act."""

    connection_id: ConnectionId
    link_id: LinkId
    left_id: RecordId | None
    right_id: RecordId | None
    state: str = "in_sync"
    reason: str = ""

    def record_id(self, side: Side) -> RecordId | None:
        """Return the record on one side."""
        return self.left_id if side is Side.LEFT else self.right_id

    @property
    def mark(self) -> str:
        """Return what new records of the link are marked with."""
        return self.link_id.rpartition("_")[2]


class Bond(NamedTuple):
    """Since when two records are known to be bound, and by which link first."""

    at: float
    link_id: LinkId


class Version(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of a connection from some time on."""

    at: float
    settings: Settings
    mappings: tuple[MappingView, ...]
    """Those that are switched on."""


class Owned(msgspec.Struct, kw_only=True):
    """A connection with every setting that it ever had."""

    tenant: str
    connection_id: ConnectionId
    left: Place
    right: Place
    versions: list[Version]
    approvals: list[float] = []
    """When somebody let a mass change go ahead."""
    guarded: dict[Side, float] = {}
    """Since when a mass change on a side waits for that."""
    was_guarded: set[Side] = set()
    """Sides on which one ever waited."""

    @property
    def now(self) -> Version:
        """Return what it is set to."""
        return self.versions[-1]

    def place(self, side: Side) -> Place:
        """Return the account at one end."""
        return self.left if side is Side.LEFT else self.right

    def during(self, at: float) -> Iterator[Version]:
        """Yield the settings by which a write at a time may have been decided."""
        for number, version in enumerate(self.versions):
            later = self.versions[number + 1 :]
            if version.at <= at and not (later and later[0].at < at - IN_FLIGHT_S):
                yield version

    def renewals(self, side: Side, name: str) -> list[float]:
        """Return when mappings of a field came that there were not just before.

        With each the two records begin as if they had never been in step (hazard 76).
        """
        return [
            version.at
            for before, version in itertools.pairwise(self.versions)
            if not _covering(version, side, name) <= _covering(before, side, name)
        ]

    def is_off(self, side: Side, name: str, *, at: float) -> bool:
        """Say whether no mapping had a field at a time."""
        since = [version for version in self.versions if version.at <= at]
        return bool(since) and not _covering(since[-1], side, name)

    def container(self, side: Side) -> str | None:
        """Return the list that is connected, where it is not the whole account."""
        settings = self.now.settings
        end = settings.left if side is Side.LEFT else settings.right
        return end.container_id


def _covering(version: Version, side: Side, name: str) -> set[tuple[object, ...]]:
    return {
        (view.mapping_id, view.left, view.right)
        for view in version.mappings
        if name in (view.left if side is Side.LEFT else view.right)
    }


class Wrong(NamedTuple):
    """An invariant that does not hold, and where that shows."""

    invariant: str
    text: str

    def __str__(self) -> str:
        return f"{self.invariant}: {self.text}"


class Truth:
    """The ground truth of one simulation."""

    def __init__(
        self,
        people: People,
        ledger: Ledger,
        vendors: Mapping[AppId, Vendor],
        *,
        owned: Callable[[], Sequence[Owned]],
        links: Callable[[], Iterable[LinkRow]],
        answered: Callable[[], Set[Key]] = frozenset,
        is_gone: Callable[[Key], bool] = lambda _key: False,
        now: Callable[[], float] = lambda: 0.0,
        features: Features = PRESENT,
    ) -> None:
        self.people = people
        self.ledger = ledger
        self.vendors = vendors
        self._owned = owned
        self.links = links
        self._answered = answered
        self._is_gone = is_gone
        self._awaited: set[int] = set()
        self._now = now
        self.features = features
        self.exempt: dict[str, int] = {}
        """What would be wrong but for an exemption that the invariant names."""
        self._bonds: dict[Key, dict[Key, Bond]] = {}
        """Records that were bound to each other."""

    @property
    def owned(self) -> Sequence[Owned]:
        """Return the connections that there are."""
        return self._owned()

    def book(self, place: Place) -> Book:
        """Return an account."""
        return self.vendors[place.app].books[place.account]

    def calls(self, place: Place) -> Calls:
        """Return what is remembered of the calls to an account."""
        return self.vendors[place.app].calls[place.account]

    def ways(self, place: Place) -> Ways:
        """Return what the vendor of an account is like."""
        return self.vendors[place.app].ways

    def holder(self, key: Key) -> Holder:
        """Return a record."""
        return self.book(key[0]).holders[key[1]]

    def excuse(self, what: str) -> None:
        """Count something that is exempt."""
        self.exempt[what] = self.exempt.get(what, 0) + 1

    def ends_at(self, place: Place) -> Iterator[tuple[Owned, Side]]:
        """Yield the connections that an account is an end of."""
        for owned in self.owned:
            for side in SIDES:
                if owned.place(side) == place:
                    yield owned, side

    def look(self) -> None:
        """Remember which records Tandem has bound by now."""
        places = {each.connection_id: (each.left, each.right) for each in self.owned}
        for row in self.links():
            if row.left_id is None or row.right_id is None:
                continue
            left_place, right_place = places[row.connection_id]
            left, right = (left_place, row.left_id), (right_place, row.right_id)
            if right not in self._bonds.setdefault(left, {}):
                bond = Bond(self._now(), row.link_id)
                self._bonds[left][right] = bond
                self._bonds.setdefault(right, {})[left] = bond
        self._answered()

    def note(self, entry: Entry) -> None:
        """Remember who is back of those whom Tandem knows as gone.

        Of whom it has made without having heard of it, it knows that only later.
        """
        is_known = bool(self._bonds.get(entry.key))
        if entry.act is Act.RESTORE and is_known and self._is_gone(entry.key):
            self._awaited.add(entry.number)

    def is_met_anew(self, entry: Entry) -> bool:
        """Say whether it brought somebody back whom Tandem knew as gone by then.

        Both records are compared as if they had just met then (hazard 74).
        """
        return entry.number in self._awaited

    def heir_of(self, key: Key, *, before: float = math.inf) -> Key | None:
        """Return the live record that one has become a part of, if its app says so.

        There is none of one that was merged without a word, nor where anybody on the
        way was deleted since, even for a while: that looks like the end of both.

        Args:
            before: What became of them from then on does not count.
        """
        since, state = self._history(key, before)[-1]
        while state.merged_into is not None:
            if self.ways(key[0]).merges is Merges.SILENT:
                return None
            key = (key[0], state.merged_into)
            history = self._history(key, before)
            later = [each for each in history if each[0] >= since]
            if any(each.status is Status.DELETED for _, each in later):
                return None
            since, state = history[-1]
        return key if state.is_live else None

    def _history(self, key: Key, before: float) -> list[tuple[float, State]]:
        """Return what a record was like before a time, and when it was made."""
        first, *later = self.holder(key).history
        return [first, *(each for each in later if each[0] < before)]

    def known_until(self, key: Key, *, at: float) -> float | None:
        """Return as of when we knew a record at a time; None if nobody had told of it.

        A listing is a little old, and what nobody was there to hear told nothing.
        """
        return max(self.known_at(key, until=at), default=None)

    def known_at(self, key: Key, *, until: float) -> list[float]:
        """Return as of when we were told of a record up to a time."""
        sights = self.calls(key[0]).sights.get(key[1], ())
        return [each.as_of for each in sights if each.at <= until]

    def is_unread(self, act: Entry) -> bool:
        """Say whether a user's act came between our write and our read after it.

        So it may where the vendor does not show what it has written.
        """
        if self.ways(act.place).tells_writes:
            return False
        before = [each for each in self.ledger.of(act.key) if each.number < act.number]
        ours = next((e for e in reversed(before) if e.who is Who.TANDEM), None)
        if ours is None:
            return False
        reads = self.calls(act.place).reads_for[act.record_id, ours.cause.errand]
        read_at = min((at for at in reads if at > ours.at), default=None)
        return read_at is not None and act.at <= read_at

    def are_several(self, role: Role) -> bool:
        """Say whether a role's values are several to some vendor: ``numbers`` judges.

        So are telephone numbers where one keeps a list of them.
        """
        return role in NUMBERS and any(
            vendor.ways.numbers.is_list for vendor in self.vendors.values()
        )

    def is_answered(self, key: Key) -> bool:
        """Say whether Tandem has stored that an app made a record at our word."""
        return key in self._answered()

    def partners(self, key: Key) -> list[Key]:
        """Return every record that this one was ever bound to."""
        return list(self._bonds.get(key, ()))

    def bound_at(self, key: Key) -> list[float]:
        """Return when a record was first seen bound to each of its partners."""
        return [bond.at for bond in self._bonds.get(key, {}).values()]

    def was_back_alone(self, key: Key, partner: Key, *, until: Key) -> bool:
        """Say whether a record was one of those when it was bound to another one.

        Whatever becomes of its former counterpart after that was nothing to go by.

        Args:
            until: The one that it was bound to.
        """
        then = self.bound_to_at(key, until)
        return self.is_back_alone(key, partner, at=then, before=then)

    def was_part_of(self, lost: Key, heir: Key, *, of: Key) -> bool:
        """Say whether one was merged into another before a third was bound to that."""
        return self.heir_of(lost, before=self.bound_to_at(of, heir)) == heir

    def bound_to_at(self, key: Key, other: Key) -> float:
        """Return when a record was first seen bound to another one; inf if never."""
        bond = self._bonds.get(key, {}).get(other)
        return math.inf if bond is None else bond.at

    def is_back_alone(
        self,
        key: Key,
        partner: Key,
        *,
        at: float = math.inf,
        before: float = math.inf,
    ) -> bool:
        """Say whether a user restored a record whose counterpart had got another.

        It is somebody to be made anew then, as if its user had entered it (hazard 74),
        until it is gone again or its id means somebody else. A counterpart that was
        merged is the record that it has become a part of (hazard 9).

        Args:
            at: When we saw it last.
            before: What became of its counterpart from then on does not count.
        """
        lives = [
            each
            for each in self.ledger.of(key)
            if each.act is not Act.EDIT and each.at <= at
        ]
        is_restored = lives[-1].act is Act.RESTORE and lives[-1].who is Who.USER
        heir = self.heir_of(partner, before=before) or partner
        bonds = [
            other
            for other, bond in self._bonds.get(heir, {}).items()
            if bond.at <= before
        ]
        return is_restored and bonds[-1:] not in ([], [key])

    def is_of_former(self, key: Key, partner: Key, *, mark: str, at: float) -> bool:
        """Say whether a record was bound while its id meant somebody else.

        Whoever has the id since is made anew, but not by the link of those two, whose
        record is another now (hazard 11).

        Args:
            mark: That of the link which makes somebody.
            at: As of when we knew the record.
        """
        people, bond = self.people, self._bonds[key][partner]
        given_away_at = (
            until
            for person, until in people.earlier.get(key, ())
            if not people.are_one(person, people.person_of[key])
        )
        is_former = any(bond.at <= until <= at for until in given_away_at)
        return is_former and bond.link_id.rpartition("_")[2] != mark

    def row_of(self, mark: str) -> tuple[Owned, LinkRow] | None:
        """Return the link whose new records carry a mark."""
        if mark:
            for row in self.links():
                if row.mark == mark:
                    owned = next(
                        each
                        for each in self.owned
                        if each.connection_id == row.connection_id
                    )
                    return owned, row
        return None

    def source_of(self, entry: Entry) -> Key | None:
        """Return the record that a create of ours is a counterpart of."""
        found = self.row_of(entry.cause.marker)
        if found is None:
            return None
        owned, row = found
        for side in SIDES:
            record_id = row.record_id(side)
            if owned.place(side) != entry.place and record_id is not None:
                return owned.place(side), record_id
        return None

    def is_back_unbound(self, key: Key) -> bool:
        """Say whether a user restored a record that lost its counterpart to another."""
        return any(self.is_back_alone(key, each) for each in self.partners(key))

    def others_of(self, key: Key) -> list[Key]:
        """Return the records elsewhere that are about the same person."""
        people = self.people
        person = people.person_of.get(key)
        if person is None:
            return []
        return [
            other
            for other, theirs in people.person_of.items()
            if other[0] != key[0] and people.are_one(person, theirs)
        ]

    def states_elsewhere(self, key: Key, *, at: float) -> Iterator[tuple[Ways, State]]:
        """Yield what records elsewhere were like while they were about this person.

        One whose id means somebody else by now counts until its app has shown that,
        and as long after as what was decided before may still come (hazard 11).
        """
        for other in self.others_of(key):
            for _, state in self.holder(other).history:
                yield self.ways(other[0]), state
        for other, until in self._given_away(key):
            if at <= self._shown_at(other, since=until) + GIVEN_AWAY_S:
                history = self.holder(other).history
                earlier = [state for since, state in history if since < until]
                yield from ((self.ways(other[0]), state) for state in earlier)

    def _given_away(self, key: Key) -> Iterator[tuple[Key, float]]:
        """Yield the ids elsewhere that meant the same person, and until when."""
        person = self.people.person_of.get(key)
        for other, earlier in self.people.earlier.items():
            for theirs, until in earlier:
                is_elsewhere = person is not None and other[0] != key[0]
                if is_elsewhere and self.people.are_one(person, theirs):
                    yield other, until

    def _shown_at(self, key: Key, *, since: float) -> float:
        """Return when a record was first shown with an address of its new holder."""
        shown = self.calls(key[0]).shown.items()
        times = [at for (record_id, _), at in shown if record_id == key[1]]
        return min((at for at in times if at >= since), default=math.inf)

    def allowed(self, place: Place, at: float) -> set[str]:
        """Return the fields that may be written at a time, by any setting then."""
        return {
            name
            for owned, side in self.ends_at(place)
            for version in owned.during(at)
            for view in version.mappings
            if view.direction in ("both", f"to_{side.value}")
            for name in (view.left if side is Side.LEFT else view.right)
        }

    def says(self, key: Key, name: str) -> Held:
        """Return a record's present value of a field, as its vendor holds it."""
        value = self.holder(key).now.fields.get(name)
        assert value is None or isinstance(value, str)
        return Held(value, self.ways(key[0]).forms)


def same(role: Role, left: object, right: object) -> bool:
    """Say whether two values mean the same to a person."""
    mine = left if isinstance(left, str) else None
    theirs = right if isinstance(right, str) else None
    return forms.key(role, mine) == forms.key(role, theirs)


def serials(value: object) -> set[int]:
    """Return the entries that a value is made of."""
    if not isinstance(value, str):
        return set()
    return {origin.serial for origin in taint.origins(value)}


def names_of(role: Role, ways: Ways) -> set[str]:
    """Return the fields of a vendor that a role's value may be in."""
    roles = forms.NAMES if role in forms.NAMES else (role,)
    return {name_of(each, ways) for each in roles}


def name_of(role: Role, ways: Ways) -> str:
    """Return a vendor's field of a role; those without one are mapped by hand."""
    return str(ways.own_name if role is Role.UNKNOWN else ways.name_of(role))


def tell(key: Key) -> str:
    """Return the name of a record."""
    return f"{key[0].app}/{key[0].account}/{key[1]}"


def ours(entries: Iterable[Entry]) -> Iterator[Entry]:
    """Yield our own writes."""
    return (entry for entry in entries if entry.who is Who.TANDEM)


def is_overtaken(entry: Entry, name: str, truth: Truth) -> bool:
    """Say whether a whole write undid what a user did since we read the record.

    Where an app takes single fields, a write undoes nothing but what it was sent for.
    """
    is_whole = truth.ways(entry.place).replaces_whole
    if not is_whole or entry.cause.is_conditional or entry.cause.read_at is None:
        return False
    return any(
        each.who is not Who.TANDEM
        and name in each.changed
        and each.at > entry.cause.read_at
        for each in truth.ledger.of(entry.key)
    )


def is_again(entry: Entry, truth: Truth) -> bool:
    """Say whether the network has brought a call again that was carried out before.

    What came of it then was looked at, and only what was written since is taken back:
    where an app takes no conditions, nobody can prevent that (hazard 39). A call that
    was refused, and is carried out when it comes again, is no such thing.
    """
    call = entry.cause.errand, entry.cause.sent_at
    return entry.cause.is_doubled and any(
        (each.cause.errand, each.cause.sent_at) == call
        for each in truth.ledger.of(entry.key)
        if each.who is Who.TANDEM and each.number < entry.number
    )
