"""What happened to records: the ledger, entry by entry."""

from collections import defaultdict
from typing import Final

from proto.reconciler import Direction, Side
from proto.record import Consent
from services.reconciler.engine import model
from tests.simulation.invariants import scope
from tests.simulation.invariants.truth import Owned
from tests.simulation.ledger import Act, Entry, Key, Place, State, Who
from tests.simulation.situations.story import Found, Story
from tests.simulation.vendors.book import address_key
from tests.simulation.vendors.ways import Merges

SOON_S: Final = 90.0
"""The longest that anybody takes to do the same on the other side."""
AT_ONCE_S: Final = 1.0
SKEW_S: Final = 1.0
"""A clock that is further from the true time is wrong."""
_MERGES: Final = {
    Merges.POINTS: "A09a",
    Merges.REDIRECTS: "A09b",
    Merges.SILENT: "A09c",
}
_NOES: Final = (Consent.UNSUBSCRIBED, Consent.SUPPRESSED)


def of(story: Story) -> Found:
    """Yield the situations that records were in."""
    reader = _Reader(story)
    for entry in story.entries:
        match entry.who:
            case Who.USER:
                yield from reader.of_user(entry)
            case Who.TANDEM:
                yield from reader.of_ours(entry)
            case Who.VENDOR:
                yield from reader.of_vendor(entry)
        reader.remember(entry)


class _Reader:
    """Reads the ledger and remembers what came before."""

    def __init__(self, story: Story) -> None:
        self._story = story
        self._truth = story.truth
        self._last: dict[Key, Entry] = {}
        self._edited: dict[tuple[Key, str], float] = {}
        """When users changed a field, by its role."""
        self._touched: dict[Key, float] = {}
        """When users last edited a record."""
        self._deleted: dict[Key, float] = {}
        self._rewritten: set[Key] = set()
        self._addresses: dict[Place, dict[str, set[Key]]] = defaultdict(dict)
        """Who has an address now."""
        self._entered: dict[tuple[str, Place], float] = {}
        """When users made a record with an address."""
        self._ours: dict[Place, Entry] = {}

    def remember(self, entry: Entry) -> None:
        """Have an entry belong to what came before."""
        key = entry.key
        self._last[key] = entry
        for address, there in (
            (_address(self, entry.before, entry.place), False),
            (_address(self, entry.after, entry.place), True),
        ):
            if address:
                held = self._addresses[entry.place].setdefault(address, set())
                (held.add if there else held.discard)(key)
        if entry.who is Who.TANDEM:
            self._ours[entry.place] = entry
        if entry.who is Who.VENDOR:
            self._rewritten.add(key)
        if entry.who is Who.USER:
            self._remember_user(entry)

    def _remember_user(self, entry: Entry) -> None:
        key, at = entry.key, entry.at
        if entry.act is Act.DELETE:
            self._deleted[key] = at
        if entry.act is Act.EDIT:
            self._touched[key] = at
            ways = self._truth.ways(entry.place)
            for name in entry.changed:
                self._edited[key, ways.role_of(name)] = at
        if entry.act is Act.CREATE:
            address = _address(self, entry.after, entry.place)
            self._entered[address, entry.place] = at

    # What users did

    def of_user(self, entry: Entry) -> Found:
        """Yield what a user's act makes of a record."""
        partners = self._truth.partners(entry.key)
        match entry.act:
            case Act.CREATE:
                yield from self._of_entering(entry, is_linked=bool(partners))
            case Act.EDIT:
                yield "C37", bool(partners) and self._truth.is_unread(entry)
                yield from self._of_edit(entry, partners)
            case Act.DELETE:
                yield from self._of_deletion(entry, partners)
            case Act.RESTORE:
                yield "E74", bool(partners)
            case Act.MERGE:
                code = _MERGES[self._truth.ways(entry.place).merges]
                yield code, bool(partners)
        consent = entry.after.consent
        is_news = entry.before is not None and entry.before.consent != consent
        yield "F82", is_news and consent is Consent.UNSUBSCRIBED and bool(partners)
        yield "F86", is_news and consent is Consent.SUPPRESSED
        was_no = entry.before is not None and entry.before.consent in _NOES
        yield "F85", was_no and consent is Consent.SUBSCRIBED
        if entry.act in (Act.CREATE, Act.EDIT):
            address = _address(self, entry.after, entry.place)
            held = self._addresses[entry.place].get(address, set()) - {entry.key}
            yield "A02", bool(address and held)

    def _of_entering(self, entry: Entry, *, is_linked: bool) -> Found:
        yield "A11", is_linked and entry.key in self._last
        address = _address(self, entry.after, entry.place)
        for owned, side in self._truth.ends_at(entry.place):
            there = self._entered.get((address, owned.place(model.other(side))))
            is_soon = there is not None and entry.at - there <= SOON_S
            yield "A01", bool(address) and is_soon

    def _of_edit(self, entry: Entry, partners: list[Key]) -> Found:
        ways, is_linked = self._truth.ways(entry.place), bool(partners)
        is_address = is_linked and ways.email_name in entry.changed
        is_gone = entry.after.fields.get(ways.email_name) is None
        yield "A03", is_address and is_gone
        yield "A04", is_address and not is_gone
        yield "B17", ways.stamp_s >= AT_ONCE_S
        yield "B18", ways.stamp_s >= AT_ONCE_S and self._is_hidden(entry)
        yield "B19", abs(ways.skew_s) > SKEW_S
        yield "B26", is_linked
        yield from self._of_scope(entry, is_linked=is_linked)
        yield from self._of_open_writes(entry)
        for partner in partners:
            deleted_at = self._deleted.get(partner)
            yield "E73", deleted_at is not None and entry.at - deleted_at <= SOON_S
            for name in entry.changed:
                other_at = self._edited.get((partner, ways.role_of(name)))
                is_soon = other_at is not None and entry.at - other_at <= SOON_S
                yield "D56a", is_soon
                yield "D59", is_soon and ways.is_several(ways.role_of(name))

    def _is_hidden(self, entry: Entry) -> bool:
        """Say whether an edit has the stamp of an earlier one that could be seen."""
        last = self._last.get(entry.key)
        return (
            last is not None
            and last.at < entry.at
            and last.after.stamp == entry.after.stamp
            and bool(entry.changed)
        )

    def _of_scope(self, entry: Entry, *, is_linked: bool) -> Found:
        before, after = entry.before, entry.after
        assert before is not None
        for owned, side in self._truth.ends_at(entry.place):
            container = owned.container(side)
            yield (
                "B30a",
                container is not None
                and (container in before.lists) != (container in after.lists),
            )
            yield "B30b", is_linked and _is_moved_by_rules(owned, side, entry)
            only = Direction.TO_LEFT if side is Side.LEFT else Direction.TO_RIGHT
            yield (
                "D66",
                is_linked
                and any(
                    each.settings.direction is only for each in owned.during(entry.at)
                ),
            )

    def _of_open_writes(self, entry: Entry) -> Found:
        email = self._truth.ways(entry.place).email_name
        for window in self._story.open_writes(entry.key, entry.at):
            yield "A13", window.is_create
            yield "C41", not window.is_create
            is_theirs = window.is_create and window.target == entry.key
            yield "A12", is_theirs and email in entry.changed

    def _of_deletion(self, entry: Entry, partners: list[Key]) -> Found:
        yield "E72", bool(partners)
        for partner in partners:
            touched_at = self._touched.get(partner)
            yield "E73", touched_at is not None and entry.at - touched_at <= SOON_S
        for window in self._story.open_writes(entry.key, entry.at):
            yield "C35", window.is_create and window.target == entry.key

    # What we and the vendors did

    def of_ours(self, entry: Entry) -> Found:
        """Yield what a write of ours met, and what became of it."""
        ways, asked = self._truth.ways(entry.place), entry.cause.asked
        got = entry.after.fields
        yield "D52", True
        yield "D53", any(got.get(name) != value for name, value in asked.items())
        yield "D55", any(_is_cut(value, got.get(name)) for name, value in asked.items())
        yield "C40", ways.replaces_whole and entry.act is Act.EDIT
        read_at, last = entry.cause.read_at, self._last.get(entry.key)
        is_overtaken = last is not None and last.who is Who.USER
        if is_overtaken and read_at is not None and last is not None:
            yield "C39", read_at < last.at < entry.at
        before = self._ours.get(entry.place)
        if before is not None and before.key != entry.key:
            yield "A14", entry.at - before.at < AT_ONCE_S
        if entry.act is Act.CREATE and ways.has_consent:
            yield "F83a", ways.default_consent == Consent.SUBSCRIBED
            yield "F83b", self._has_said_no(self._truth.source_of(entry), entry.at)

    def _has_said_no(self, source: Key | None, at: float) -> bool:
        state = None if source is None else self._truth.holder(source).at(at)
        return state is not None and state.consent in _NOES

    def of_vendor(self, entry: Entry) -> Found:
        """Yield what a vendor did by itself."""
        yield "D54a", True
        for partner in self._truth.partners(entry.key):
            yield "D54b", partner in self._rewritten


def _address(reader: _Reader, state: State | None, place: Place) -> str:
    """Return the address of a record that is there."""
    if state is None or not state.is_live:
        return ""
    return address_key(state.fields.get(reader._truth.ways(place).email_name))


def _is_cut(asked: object, got: object) -> bool:
    is_text = isinstance(asked, str) and isinstance(got, str)
    return is_text and len(str(got)) < len(str(asked).strip())


def _is_moved_by_rules(owned: Owned, side: Side, entry: Entry) -> bool:
    """Say whether a record came to match a rule by an edit, or ceased to."""
    assert entry.before is not None
    for version in owned.during(entry.at):
        settings = version.settings
        rules = settings.left_rules if side is Side.LEFT else settings.right_rules
        before = any(scope.matches(rule, entry.before) for rule in rules)
        if before != any(scope.matches(rule, entry.after) for rule in rules):
            return True
    return False
