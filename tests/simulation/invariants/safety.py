"""What no write of ours may ever do: checked after each one, against the truth.

Each checker looks at one entry of the ledger and yields what is wrong with it.
"""

from collections.abc import Callable, Iterator
from typing import Final

from proto.fields import Role
from proto.record import Consent
from proto.rules import Unsubscribes
from tests.simulation import taint
from tests.simulation.invariants import acts, recognition
from tests.simulation.invariants.truth import (
    Truth,
    Wrong,
    is_overtaken,
    ours,
    same,
    serials,
    tell,
)
from tests.simulation.ledger import Act, Entry, Key, Who
from tests.simulation.vendors.book import CONSENTS, address_key
from tests.simulation.vendors.forms import NAMES

Checker = Callable[[Entry, Truth], Iterator[Wrong]]

TRASH: Final = "PieSync Trash"
FIND_S_MAX: Final = 600.0
"""A search for an address counts for a create that is sent so much later."""
SHOWN_S: Final = 900.0
"""What was shown to us so long ago is known to every part of us."""
DENIALS_APART_S: Final = 60.0
"""Two answers so far apart that an app does not know a record make a deletion (4.6)."""
BELIEF_S: Final = 300.0
"""A deletion that was taken back so recently may still be acted on."""
TAGS_AN_HOUR: Final = 10
TAGS_SHARE: Final = 0.05


def authored(entry: Entry, truth: Truth) -> Iterator[Wrong]:
    """I3b: what we write was entered by a user, for this person and this field."""
    ways = truth.ways(entry.place)
    person = truth.people.person_of.get(entry.key)
    for name in entry.changed:
        role, value = ways.role_of(name), entry.cause.asked.get(name)
        if role is Role.UNKNOWN or not isinstance(value, str):
            continue
        where = f"{tell(entry.key)} {name} {value!r}"
        origins = taint.origins(value)
        if not origins:
            yield Wrong("I3b", f"nobody entered {where}")
        for origin in origins:
            known = truth.people.authored.get(origin.serial)
            if known is None or known.origin.person != origin.person:
                yield Wrong("I3b", f"nobody entered {where}")
            elif person is None or not truth.people.are_one(person, origin.person):
                yield Wrong("I3b", f"entered for somebody else: {where}")
            elif not _is_of(role, known.role):
                yield Wrong("I3b", f"entered in another field: {where}")
        if _was_there(entry, role, value, truth=truth):
            continue
        if _is_put_back(entry, name, truth):
            truth.excuse("I3b put back by a whole write")
            continue
        yield Wrong("I3b", f"the other side never had {where}")


def in_order(entry: Entry, truth: Truth) -> Iterator[Wrong]:
    """I3b: a field never goes back to something entered before what we wrote last."""
    person = truth.people.person_of.get(entry.key)
    if person is None or not truth.people.is_plain(person) or len(truth.owned) > 2:
        # In a ring each connection has a winner of its own.
        return
    history = truth.ledger.of(entry.key)
    known = [
        *history,
        *(e for key in truth.others_of(entry.key) for e in _of(truth, key)),
    ]
    if any(e.act in (Act.RESTORE, Act.MERGE) for e in known):
        # What comes back is compared as if it had never been seen.
        return
    entered = [each for each in known if each.who is Who.USER]
    for earlier in ours(history):
        for name in set(entry.changed) & set(earlier.changed):
            if _is_put_back(entry, name, truth):
                continue
            stood = earlier.was(name), earlier.after.fields[name]
            was, now = (
                {
                    role: _entered_at(serial, each.at, entered)
                    for role, serial in _come_anew(each, name, to, truth).items()
                }
                for each, to in zip((earlier, entry), stood, strict=True)
            )
            if any(now[role] < was[role] for role in now.keys() & was.keys()):
                text = f"{tell(entry.key)} {name}, {was} to {now}"
                yield Wrong("I3b", f"an older entry came back: {text}")


def no_doubles(entry: Entry, truth: Truth) -> Iterator[Wrong]:
    """I4: one record of ours for each source, none where the address was there."""
    if entry.act is not Act.CREATE:
        return
    person = truth.people.person_of.get(entry.key)
    # In a ring two connections may make somebody at once, in a third account.
    is_plain = (
        person is not None and truth.people.is_plain(person) and len(truth.owned) < 3
    )
    email = address_key(entry.after.fields.get(truth.ways(entry.place).email_name))
    for holder in truth.book(entry.place).holders.values():
        other = (entry.place, holder.record_id)
        if holder.record_id == entry.record_id or not holder.now.is_live:
            continue
        made = truth.ledger.of(other)[0]
        is_ours = made.who is Who.TANDEM
        is_of_link = is_ours and made.cause.marker == entry.cause.marker != ""
        is_of_person = is_plain and truth.people.person_of.get(other) == person
        if (is_of_link or (is_ours and is_of_person)) and _is_lost(
            other, entry, truth=truth
        ):
            truth.excuse("I4 rewritten before it was seen (hazard 35)")
        elif is_of_link:
            yield Wrong("I4", f"{tell(entry.key)} doubles {tell(other)}, of one link")
        elif is_ours and is_of_person:
            yield Wrong("I4", f"{tell(entry.key)} doubles {tell(other)}, of {person}")
        elif email and _was_to_be_seen(entry, other, email, truth=truth):
            yield Wrong("I4", f"{tell(entry.key)} doubles {tell(other)}, by {email}")


def no_resurrection(entry: Entry, truth: Truth) -> Iterator[Wrong]:
    """I5: what a user deleted is not made again from its counterpart."""
    if entry.act is not Act.CREATE:
        return
    source = truth.source_of(entry)
    if source is None:
        return
    for partner in truth.partners(source):
        if partner[0] != entry.place or truth.holder(partner).now.is_live:
            continue
        if truth.is_back_alone(source, partner):
            truth.excuse("I5 restored when its counterpart had another")
            continue
        ended = truth.ledger.of(partner)[-1]
        yield Wrong("I5", f"{tell(entry.key)} comes after {tell(partner)}: {ended.act}")


def no_destruction(entry: Entry, truth: Truth) -> Iterator[Wrong]:
    """I6: nothing is deleted, and only counterparts of what is gone are tagged."""
    if entry.act in (Act.DELETE, Act.MERGE):
        yield Wrong("I6", f"{tell(entry.key)} was deleted by us")
    if not _is_trashed(entry):
        return
    partners = truth.partners(entry.key)
    is_gone = any(_was_gone(partner, entry.at, truth=truth) for partner in partners)
    is_denied = any(_was_denied(partner, entry.at, truth=truth) for partner in partners)
    if not is_gone and is_denied:
        truth.excuse("I6 two answers that it is gone (hazard 70)")
    elif not is_gone:
        yield Wrong("I6", f"{tell(entry.key)} was tagged, and nobody deleted anything")
    recent = [
        each
        for each in truth.ledger.ours()
        if each.place == entry.place and each.at > entry.at - 3600 and _is_trashed(each)
    ]
    most = max(TAGS_AN_HOUR, TAGS_SHARE * len(list(truth.links())))
    is_approved = any(
        entry.at - 3600 < approval <= entry.at
        for owned, _ in truth.ends_at(entry.place)
        for approval in owned.approvals
    )
    if len(recent) > most and not is_approved:
        yield Wrong("I6", f"{len(recent)} were tagged in an hour at {entry.place.app}")


def consent_only_tightens(entry: Entry, truth: Truth) -> Iterator[Wrong]:
    """I7: no write of ours subscribes anybody, or loosens what is there."""
    del truth
    now = entry.after.consent
    was = Consent.UNKNOWN if entry.before is None else entry.before.consent
    if now is Consent.SUBSCRIBED and was is not Consent.SUBSCRIBED:
        yield Wrong("I7", f"{tell(entry.key)} was subscribed by us")
    elif CONSENTS.index(now) < CONSENTS.index(was):
        yield Wrong("I7", f"{tell(entry.key)} went from {was} to {now}")


def in_scope(entry: Entry, truth: Truth) -> Iterator[Wrong]:
    """I12: only mapped fields in allowed directions are written."""
    allowed = truth.allowed(entry.place, entry.at)
    for owned, side in truth.ends_at(entry.place):
        allowed |= acts.set_by_rules(owned, side)
    for name in entry.changed:
        if name in allowed:
            continue
        if entry.was(name) is None and entry.after.fields.get(name) is None:
            continue
        if is_overtaken(entry, name, truth):
            truth.excuse("I12 edit between read and write")
            continue
        yield Wrong("I12", f"{tell(entry.key)} {name} is not ours to write")
    if not allowed:
        yield Wrong("I12", f"{tell(entry.key)} is on a side that is only read")
    if entry.before is None:
        return
    tags, lists = acts.names_asked_for(entry, truth)
    if not set(entry.before.tags) ^ set(entry.after.tags) <= tags:
        yield Wrong("I12", f"{tell(entry.key)} has other tags: {entry.after.tags}")
    if not set(entry.before.lists) ^ set(entry.after.lists) <= lists:
        yield Wrong("I12", f"{tell(entry.key)} is in other lists: {entry.after.lists}")
    if entry.before.consent != entry.after.consent and not _may_tighten(entry, truth):
        yield Wrong("I12", f"{tell(entry.key)} has another consent")


CHECKERS: Final[tuple[Checker, ...]] = (
    authored,
    in_order,
    no_doubles,
    no_resurrection,
    no_destruction,
    consent_only_tightens,
    in_scope,
)


def check(entry: Entry, truth: Truth) -> Iterator[Wrong]:
    """Yield what is wrong with an entry; only our own can be."""
    if entry.who is Who.TANDEM:
        for checker in CHECKERS:
            yield from checker(entry, truth)


def _may_tighten(entry: Entry, truth: Truth) -> bool:
    """Say whether a setting asks for it, and somebody on the other side did it."""
    return acts.has_said(entry, truth) and any(
        version.settings.unsubscribes is Unsubscribes.STATUS
        for owned, _ in truth.ends_at(entry.place)
        for version in owned.versions
    )


def _is_put_back(entry: Entry, name: str, truth: Truth) -> bool:
    """Say whether a field is what it was when we read it, and somebody edited it since.

    Where an app takes whole records alone, what we leave as it is goes with the rest
    (hazards 39 and 40); I3 counts the edit between our read and our write.
    """
    if not is_overtaken(entry, name, truth):
        return False
    state = truth.holder(entry.key).at(entry.cause.read_at or 0.0)
    role = truth.ways(entry.place).role_of(name)
    asked = entry.cause.asked.get(name)
    return state is not None and same(role, state.fields.get(name), asked)


def _is_of(role: Role, entered: Role) -> bool:
    """Say whether what was entered in one field may stand in another."""
    if role in NAMES:
        # A full name is split by its words, and nobody knows which are which.
        return entered in NAMES
    return role is entered


def _was_there(entry: Entry, role: Role, value: str, *, truth: Truth) -> bool:
    """Say whether the other side had a value at any time, whole or in its words."""
    if role in NAMES:
        return _words_were_there(entry, value, truth=truth)
    return any(
        same(role, state.fields.get(ways.name_of(role)), value)
        for ways, state in truth.states_elsewhere(entry.key, at=entry.at)
    )


def _words_were_there(entry: Entry, value: str, *, truth: Truth) -> bool:
    """Say whether the words of a name were there; both sides' may be joined."""
    wanted, seen = set(value.casefold().split()), set[str]()
    own = truth.ways(entry.place)
    # The last state of the record itself is the write that is looked at.
    states = [(own, state) for _, state in truth.holder(entry.key).history[:-1]]
    states += truth.states_elsewhere(entry.key, at=entry.at)
    for ways, state in states:
        for role in NAMES:
            held = state.fields.get(ways.name_of(role))
            seen |= set(str(held or "").casefold().split())
    return wanted <= seen


def _of(truth: Truth, key: Key) -> list[Entry]:
    return truth.ledger.of(key)


def _by_role(value: object, truth: Truth) -> dict[Role, int]:
    """Return the newest entry of each role that stands in a value."""
    found: dict[Role, int] = {}
    for serial in serials(value):
        known = truth.people.authored.get(serial)
        if known is not None:
            found[known.role] = max(serial, found.get(known.role, 0))
    return found


def _come_anew(entry: Entry, name: str, to: object, truth: Truth) -> dict[Role, int]:
    """Return the newest entries in a value, of names but for the words that stood.

    A write that exchanges one word of a full name neither carries the others nor
    brings them back (behaviour 14): somebody may have entered them on this side, or
    in another part of the name.
    """
    newest = _by_role(entry.after.fields[name], truth)
    is_name = truth.ways(entry.place).role_of(name) in NAMES
    stood = serials(to) if is_name else set[int]()
    return {role: serial for role, serial in newest.items() if serial not in stood}


def _entered_at(serial: int, until: float, entered: list[Entry]) -> float:
    """Return when somebody entered a value last, on either side."""
    return max(
        (
            each.at
            for each in entered
            if each.at <= until
            for name in each.changed
            if serial in serials(each.after.fields[name])
        ),
        default=0.0,
    )


def _was_to_be_seen(entry: Entry, other: Key, email: str, *, truth: Truth) -> bool:
    """Say whether we could know before a create that the address was there."""
    ways, calls = truth.ways(entry.place), truth.calls(entry.place)
    sent_at = entry.cause.sent_at
    if not _had(other, email, sent_at, truth=truth):
        return False
    if ways.finds_by_email:
        finds = [each for each in calls.finds.get(email, ()) if each <= sent_at]
        looked_at = finds[-1] if finds else sent_at - FIND_S_MAX
        looked_at = max(looked_at, sent_at - FIND_S_MAX)
        return _had(other, email, looked_at - ways.lag_s, truth=truth)
    shown_at = calls.shown.get((other[1], email))
    return (
        shown_at is not None
        and shown_at < sent_at - SHOWN_S
        and _had(other, email, sent_at - SHOWN_S, truth=truth)
    )


def _is_lost(other: Key, entry: Entry, *, truth: Truth) -> bool:
    """Say whether a record of ours was never bound, and could not be told for one."""
    return not truth.partners(other) and recognition.is_beyond(
        other, at=entry.cause.sent_at, truth=truth
    )


def _had(key: Key, email: str, at: float, *, truth: Truth) -> bool:
    state = truth.holder(key).at(at)
    name = truth.ways(key[0]).email_name
    return (
        state is not None
        and state.is_live
        and address_key(state.fields.get(name)) == email
    )


def _is_trashed(entry: Entry) -> bool:
    was = () if entry.before is None else entry.before.tags
    return TRASH in entry.after.tags and TRASH not in was


def _was_gone(key: Key, at: float, *, truth: Truth) -> bool:
    """Say whether a record is gone, or was just now."""
    return any(
        not state.is_live
        for since, state in truth.holder(key).history
        if since <= at and (state is truth.holder(key).at(at) or since > at - BELIEF_S)
    )


def _was_denied(key: Key, at: float, *, truth: Truth) -> bool:
    """Say whether an app denied a record so often that it had to be believed.

    A read in between that showed it makes the denials before it void.
    """
    calls = truth.calls(key[0])
    denied = [each for each in calls.denied[key[1]] if each <= at]
    shown = [each for each in calls.reads[key[1]] if each not in denied and each <= at]
    since = max(shown, default=0.0)
    told = [each for each in denied if each > since]
    return bool(told) and told[-1] - told[0] >= DENIALS_APART_S
