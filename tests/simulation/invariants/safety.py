"""What no write of ours may ever do: checked after each one, against the truth.

Each checker looks at one entry of the ledger and yields what is wrong with it.
"""

import math
from collections.abc import Callable, Iterator
from typing import Final

from proto.reconciler import SIDES
from proto.record import Consent
from proto.rules import Unsubscribes
from tests.simulation.invariants import (
    acts,
    agreement,
    denials,
    numbers,
    provenance,
    recognition,
)
from tests.simulation.invariants.truth import (
    Truth,
    Wrong,
    is_overtaken,
    tell,
)
from tests.simulation.ledger import Act, Entry, Key, Status, Who
from tests.simulation.vendors.book import CONSENTS, address_key
from tests.simulation.vendors.ways import Merges

Checker = Callable[[Entry, Truth], Iterator[Wrong]]

TRASH: Final = "PieSync Trash"
CHECKED_S_MAX: Final = 30.0
"""What a create rests on is read at the app so little before it is sent, by clocks that
differ and with a pace to keep (hazards 34 and 36)."""
SHOWN_S: Final = 900.0
"""What was shown to us so long ago is known to every part of us."""
TAGS_AN_HOUR: Final = 10
TAGS_SHARE: Final = 0.05


def no_doubles(entry: Entry, truth: Truth) -> Iterator[Wrong]:
    """I4: one record of ours for each source, none where the address was there."""
    if entry.act is not Act.CREATE:
        return
    person = truth.people.person_of.get(entry.key)
    is_plain = person is not None and truth.people.is_plain(person)
    email = address_key(entry.after.fields.get(truth.ways(entry.place).email_name))
    for holder in truth.book(entry.place).holders.values():
        other = (entry.place, holder.record_id)
        if holder.record_id == entry.record_id or not holder.now.is_live:
            continue
        made = truth.ledger.of(other)[0]
        # Whose id means somebody new is not who we made (hazard 11).
        is_ours = holder.maker is Who.TANDEM
        is_of_link = is_ours and made.cause.marker == entry.cause.marker != ""
        is_of_person = is_plain and truth.people.person_of.get(other) == person
        is_double = is_of_link or (is_ours and is_of_person)
        # Who was made anew for one of ours that nobody knew has a source of its own.
        of = (other,) if is_of_link else (other, truth.source_of(entry))
        if is_double and any(_is_lost(each, entry, truth=truth) for each in of if each):
            truth.excuse("I4 rewritten before it was seen (hazard 35)")
        elif is_of_link:
            yield Wrong("I4", f"{tell(entry.key)} doubles {tell(other)}, of one link")
        elif is_ours and is_of_person and not _is_any_shared(truth):
            yield Wrong("I4", f"{tell(entry.key)} doubles {tell(other)}, of {person}")
        elif email and _was_to_be_seen(entry, other, email, truth=truth):
            yield Wrong("I4", f"{tell(entry.key)} doubles {tell(other)}, by {email}")


def no_resurrection(entry: Entry, truth: Truth) -> Iterator[Wrong]:
    """I5: nobody is made again where a user deleted them, nor of whom one deleted."""
    if entry.act is not Act.CREATE:
        return
    source = truth.source_of(entry)
    if source is None:
        return
    if _was_known_to_be_gone(source, entry.cause.sent_at, truth=truth):
        yield Wrong("I5", f"{tell(entry.key)} is made for {tell(source)}, who is gone")
    seen_at = truth.known_until(source, at=entry.cause.sent_at)
    if seen_at is None:
        seen_at = entry.cause.sent_at
    for partner in truth.partners(source):
        if partner[0] != entry.place or truth.holder(partner).now.is_live:
            continue
        if truth.is_back_alone(source, partner, at=seen_at):
            truth.excuse("I5 restored when its counterpart had another")
            continue
        if truth.is_of_former(source, partner, mark=entry.cause.marker, at=seen_at):
            truth.excuse("I5 an id that means somebody new (hazard 11)")
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
    is_denied = any(denials.had_to_be_believed(p, entry.at, truth) for p in partners)
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
    """I7: no write of ours subscribes anybody, or loosens what is there.

    Nobody is made where whoever is there gets mail but who has agreed to it.
    """
    if agreement.is_asked_for(entry, truth):
        if not agreement.is_given(entry, truth):
            yield Wrong("I7", f"{tell(entry.key)} is mailed, and never agreed to it")
        return
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
    provenance.authored,
    provenance.in_order,
    numbers.authored,
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


def _is_any_shared(truth: Truth) -> bool:
    """Say whether an account is on two connections.

    They may make somebody at once there, where that finds nobody by an address: two
    records, and two sources of what either of them makes further on.
    """
    places = [owned.place(side) for owned in truth.owned for side in SIDES]
    return len(set(places)) < len(places)


def _was_to_be_seen(entry: Entry, other: Key, email: str, *, truth: Truth) -> bool:
    """Say whether we could know before a create that the address was there."""
    ways, calls = truth.ways(entry.place), truth.calls(entry.place)
    sent_at = entry.cause.sent_at
    if not _had(other, email, sent_at, truth=truth):
        return False
    if ways.finds_by_email:
        finds = [each for each in calls.finds.get(email, ()) if each <= sent_at]
        looked_at = max((*finds[-1:], sent_at - CHECKED_S_MAX))
        return _had(other, email, looked_at - ways.lag_s, truth=truth)
    shown_at = calls.shown.get((other[1], email))
    return (
        shown_at is not None
        and shown_at < sent_at - SHOWN_S
        and _had(other, email, sent_at - SHOWN_S, truth=truth)
    )


def _was_known_to_be_gone(source: Key, sent_at: float, *, truth: Truth) -> bool:
    """Say whether a read of its source before a create showed that it was deleted.

    One that was merged is followed, where its app tells of that (hazard 9).
    """
    since = sent_at - CHECKED_S_MAX - truth.ways(source[0]).lag_s
    known = [each for each in truth.holder(source).history if each[0] <= since]
    later = [state for at, state in truth.holder(source).history if since < at]
    states = [*(state for _, state in known[-1:]), *later]
    return bool(known) and all(each.status is Status.DELETED for each in states)


def _is_lost(other: Key, entry: Entry, *, truth: Truth) -> bool:
    """Say whether a record of ours never got to its source, and could not be told.

    It may have been bound to somebody else since, as anybody who is new.
    """
    bound = truth.partners(other)
    source = truth.source_of(truth.ledger.of(other)[0])
    is_known = source in bound if source is not None else bool(bound)
    return not is_known and recognition.is_beyond(
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
    """Say whether a record is gone, or was just now.

    Not while its app tells of which live record it has become a part (hazard 9).
    """
    history = truth.holder(key).history
    ends = [since for since, _ in history[1:]]
    return any(
        not state.is_live
        and since <= at
        and until > at - denials.BELIEF_S
        and (
            state.merged_into is None
            or truth.ways(key[0]).merges is Merges.SILENT
            or _was_gone((key[0], state.merged_into), at, truth=truth)
        )
        for (since, state), until in zip(history, [*ends, math.inf], strict=True)
    )
