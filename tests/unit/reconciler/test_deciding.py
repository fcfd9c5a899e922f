"""A batch of dirty records becomes links and intents, the same whatever its order."""

import msgspec
import pytest

from proto.connector import Capabilities, ContactWritten, WriteKind, WriteOutcome
from proto.errors import ErrorCode
from proto.ids import FieldId, IntentId, LinkId, RecordId
from proto.reconciler import RecordState
from proto.record import Consent, Presence, Record
from services.reconciler import batches
from services.reconciler.batches import Decisions
from services.reconciler.engine import fold, model
from services.reconciler.engine.model import Link, Reason, Seen, Shadow
from services.reconciler.engine.newcomers import OpenCreate
from tests.unit.reconciler import values
from tests.unit.reconciler.batch import L, R, born, decide


def test_two_records_with_one_email_become_one_link_whichever_is_dirty():
    seen = [(L, values.seen("l1", "a@b.org")), (R, values.seen("r1", "A@B.org"))]
    for dirty in ([(L, "l1")], [(R, "r1")], [(L, "l1"), (R, "r1")]):
        (named,) = decide(*dirty, seen=seen).links
        assert (named.link.left_id, named.link.right_id) == ("l1", "r1")
        assert (named.name, named.email) == ("Ann Smith", "a@b.org")


def test_a_link_absorbs_its_partners_one_sided_link():
    alone = Link(link_id=LinkId("link_old"), right_id=RecordId("r1"), version=1)
    seen = [(L, values.seen("l1", "a@b.org")), (R, values.seen("r1", "a@b.org"))]
    found = decide((L, "l1"), (R, "r1"), seen=seen, links=[alone])
    assert found.dropped == ["link_old"]
    (named,) = found.links
    assert (named.link.left_id, named.link.right_id) == ("l1", "r1")


def test_somebody_new_is_created_on_the_other_side():
    found = decide((L, "l1"), seen=[(L, values.seen("l1", "a@b.org"))])
    (intent,) = found.intents
    (named,) = found.links
    assert (intent.side, intent.link_id) == (R, named.link.link_id)
    assert named.link.intent_id == intent.intent_id


def test_who_has_not_agreed_is_left_out_where_everybody_is_mailed_until_they_do():
    """The create was sent, refused and sent again: the contact stayed failed."""
    settings = values.connection().config
    right = msgspec.structs.replace(
        settings.right, capabilities=Capabilities(least_consent=Consent.SUBSCRIBED)
    )
    settings = msgspec.structs.replace(settings, right=right)
    known = Link(
        link_id=LinkId("link_1"),
        left_id=RecordId("l1"),
        state=RecordState.FAILED,
        reason=ErrorCode.APP_REFUSED.value,
        version=1,
    )
    seen = values.seen("l1", "a@b.org")
    for links in ((), (known,)):
        found = decide((L, "l1"), seen=[(L, seen)], links=links, config=settings)
        assert found.intents == []
        (left_out,) = (named.link for named in found.links)
        assert left_out.state is RecordState.EXCLUDED
        assert left_out.reason == Reason.NOT_AGREED
    record = msgspec.structs.replace(seen.record, consent=Consent.SUBSCRIBED)
    agreed = Seen(record=record, read_at=values.NOW, digest=model.digest_of(record))
    assert agreed.digest != seen.digest, "it is looked at again"
    found = decide((L, "l1"), seen=[(L, agreed)], links=[left_out], config=settings)
    (intent,) = found.intents
    assert (intent.kind, intent.consent) == (WriteKind.CREATE, Consent.SUBSCRIBED)


def test_rivals_that_are_not_dirty_are_marked_once_only():
    """Two duplicates must not keep each other busy."""
    seen = [(L, values.seen("l1", "a@b.org")), (L, values.seen("l2", "a@b.org"))]
    found = decide((L, "l1"), seen=seen)
    assert found.marked == {(L, "l2")}
    known = Link(
        link_id=LinkId("link_2"),
        left_id=RecordId("l2"),
        state=RecordState.DUPLICATE,
        version=1,
    )
    assert decide((L, "l1"), seen=seen, links=[known]).marked == set()


def test_a_one_sided_link_goes_with_its_record():
    alone = Link(link_id=LinkId("link_old"), left_id=RecordId("l1"), version=1)
    gone = values.seen("l1", "a@b.org")
    record = msgspec.structs.replace(gone.record, presence=Presence.DELETED)
    gone = msgspec.structs.replace(gone, record=record)
    found = decide((L, "l1"), seen=[(L, gone)], links=[alone])
    assert (found.dropped, found.links, found.intents) == (["link_old"], [], [])


def test_a_record_never_seen_or_dead_and_unlinked_needs_nothing():
    assert decide((L, "l1"), seen=[]) == Decisions()


def test_what_was_decided_is_not_decided_otherwise_again():
    """Deciding about what one has just decided saves nothing."""
    seen = [(L, values.seen("l1", None)), (L, values.seen("l2", None))]
    first = decide((L, "l1"), (L, "l2"), seen=seen)
    assert {n.link.state for n in first.links} == {RecordState.EXCLUDED}
    links = [named.link for named in first.links]
    again = decide((L, "l1"), (L, "l2"), seen=seen, links=links)
    assert again.links == again.intents == again.dropped == []
    assert again.marked == set()


def test_who_waits_for_a_link_is_freed_when_it_comes_to_an_end():
    """Decided before the end in the same batch, it would wait for ever (seed 112)."""
    whole = Link(
        link_id=LinkId("link_old"),
        left_id=RecordId("l1"),
        right_id=RecordId("r1"),
        state=RecordState.IN_SYNC,
        version=1,
    )
    gone = values.seen("l1", "a@b.org")
    record = msgspec.structs.replace(gone.record, presence=Presence.DELETED)
    seen = [
        (L, msgspec.structs.replace(gone, record=record, digest="gone")),
        (L, values.seen("l2", "a@b.org")),
        (R, values.seen("r1", "a@b.org")),
    ]
    found = decide((L, "l1"), (L, "l2"), seen=seen, links=[whole])
    states = {n.link.left_id: n.link.state for n in found.links}
    assert states == {"l1": RecordState.DELETED, "l2": RecordState.DUPLICATE}
    assert found.freed == {(L, "l1"), (R, "r1")}
    links = [named.link for named in found.links]
    assert decide((L, "l1"), seen=seen, links=links).freed == set()


def test_a_record_that_is_left_out_frees_those_it_stood_beside_once():
    seen = [(L, values.seen("l1", None))]
    found = decide((L, "l1"), seen=seen)
    assert found.freed == {(L, "l1")}
    links = [named.link for named in found.links]
    assert decide((L, "l1"), seen=seen, links=links).freed == set()


def test_somebody_new_waits_for_the_answer_to_a_create_in_their_account():
    """It may be what was made, whatever its address is by now (seed 125)."""
    seen = [(R, born("r1", "new@b.org"))]
    found = decide((R, "r1"), seen=seen, open_since={R: 1})
    (named,) = found.links
    assert (named.link.state, named.link.reason) == (
        RecordState.PENDING,
        "awaits_create",
    )
    assert named.link.retry_at > values.NOW
    assert found.intents == []
    for since in ({}, {L: 1}):
        again = decide((R, "r1"), seen=seen, links=[named.link], open_since=since)
        (intent,) = again.intents
        assert (intent.side, intent.link_id) == (L, named.link.link_id)


def test_who_matches_somebody_new_waits_with_them():
    seen = [(L, values.seen("l1", "a@b.org")), (R, born("r1", "a@b.org"))]
    found = decide((L, "l1"), seen=seen, open_since={R: 1})
    (named,) = found.links
    assert (named.link.left_id, named.link.reason) == ("l1", "awaits_create")
    links = [named.link]
    again = decide((L, "l1"), (R, "r1"), seen=seen, links=links)
    (whole,) = again.links
    assert (whole.link.left_id, whole.link.right_id) == ("l1", "r1")


def test_who_was_known_before_a_create_is_not_what_it_made():
    seen = [(R, born("r1", "a@b.org", number=1))]
    found = decide((R, "r1"), seen=seen, open_since={R: 1})
    assert [intent.side for intent in found.intents] == [L]


def test_where_marks_are_kept_only_the_marked_can_be_ours():
    capabilities = Capabilities(keeps_marks=True)
    right = msgspec.structs.replace(values.side("right"), capabilities=capabilities)
    config = values.connection(right=right).config
    plain = born("r1", "a@b.org")
    record = msgspec.structs.replace(plain.record, marker="of another connection")
    marked = msgspec.structs.replace(plain, record=record)
    for seen, created in ((plain, [L]), (marked, [])):
        found = decide((R, "r1"), seen=[(R, seen)], open_since={R: 1}, config=config)
        assert [intent.side for intent in found.intents] == created


def test_what_a_create_made_is_its_own_whatever_was_said_of_it():
    """A look found nothing although a poll had shown the record with our mark."""
    waiting = Link(
        link_id=LinkId("link_7"),
        left_id=RecordId("l1"),
        parked_id=RecordId("r1"),
        version=1,
    )
    made = values.seen("r1", "new@b.org")
    record = msgspec.structs.replace(made.record, marker="7")
    seen = [
        (L, values.seen("l1", "a@b.org")),
        (R, msgspec.structs.replace(made, record=record)),
    ]
    found = decide((L, "l1"), seen=seen, links=[waiting])
    (named,) = found.links
    assert (named.link.left_id, named.link.right_id) == ("l1", "r1")
    assert [intent.kind for intent in found.intents] != [WriteKind.CREATE]


def test_who_carried_our_mark_and_was_deleted_at_once_is_remembered():
    """No look can find who is gone, so that another was made instead (seed 7046)."""
    waiting = Link(
        link_id=LinkId("link_7"),
        left_id=RecordId("l1"),
        intent_id=IntentId("int_7"),
        version=1,
    )
    record = Record(record_id=RecordId("r1"), presence=Presence.DELETED, marker="7")
    gone = msgspec.structs.replace(values.seen("r1", None), record=record)
    seen = [(L, values.seen("l1", "a@b.org")), (R, gone)]
    (named,) = decide((R, "r1"), seen=seen, links=[waiting]).links
    assert (named.link.parked_id, named.link.right_id) == ("r1", None)
    answered = msgspec.structs.replace(waiting, intent_id=None)
    assert decide((R, "r1"), seen=seen, links=[answered]).links == []


def test_nobody_without_an_address_is_handed_on_from_connection_to_connection():
    """Three connections in a ring made one another's contacts for ever (seed 739)."""
    config = values.connection(
        settings=msgspec.structs.replace(
            values.connection().settings, avoids_duplicates=False
        )
    ).config
    made = msgspec.structs.replace(values.seen("l1", None), is_ours=True)
    (named,) = decide((L, "l1"), seen=[(L, made)], config=config).links
    assert (named.link.state, named.link.reason) == (
        RecordState.EXCLUDED,
        "made_by_us",
    )
    assert decide((L, "l1"), seen=[(L, values.seen("l1", None))], config=config).intents


def test_who_is_on_the_other_side_under_another_address_is_not_made_there_again():
    """An edit of an address went round a ring behind creates with the old one (68).

    Each record that was given the new address left the old one to the next create, made
    from a record that had it still, so that neither ever ended (seed 178, I2).
    """
    seen = [(L, values.seen("l1", "old@b.org")), (R, values.seen("r1", "new@b.org"))]
    held = decide((L, "l1"), seen=seen, around=[(L, "l1")])
    assert not held.intents
    (named,) = held.links
    assert (named.link.state, named.link.reason) == (
        RecordState.DUPLICATE,
        "linked_around",
    )
    seen[0] = (L, values.seen("l1", "new@b.org"))
    alone = [named.link, Link(link_id=LinkId("link_9"), right_id=RecordId("r1"))]
    (arrived,) = decide((L, "l1"), seen=seen, links=alone, around=[(L, "l1")]).links
    assert (arrived.link.left_id, arrived.link.right_id) == ("l1", "r1")


def parted(reason: Reason) -> Link:
    """Return a bond that is over because a record was deleted."""
    return Link(
        link_id=LinkId("link_9"),
        left_id=RecordId("l1"),
        right_id=RecordId("r1"),
        state=RecordState.DELETED,
        reason=reason,
        version=1,
    )


def test_who_was_missed_once_or_is_back_is_nobody_elses_counterpart():
    """The survivor would be made again on the side where it was deleted (hazard 72).

    Somebody else had the address of the deleted one, took it for a counterpart and
    the bond with it (seeds 209, 654 and 967).
    """
    seen = [(L, values.seen("l2", "a@b.org")), (R, values.seen("r1", "a@b.org"))]
    found = decide((L, "l2"), seen=seen, links=[parted(Reason.DELETED_RIGHT)])
    assert (found.dropped, found.intents) == ([], [])
    (named,) = found.links
    assert (named.link.state, named.link.reason) == (
        RecordState.DUPLICATE,
        "match_is_linked",
    )
    survives = decide((L, "l2"), seen=seen, links=[parted(Reason.DELETED_LEFT)])
    assert survives.dropped == ["link_9"]


def test_who_waits_for_one_that_was_missed_hears_that_it_is_gone():
    gone = values.seen("r1", "a@b.org")
    record = msgspec.structs.replace(gone.record, presence=Presence.DELETED, fields={})
    seen = [
        (L, values.seen("l1", "x@b.org")),
        (R, msgspec.structs.replace(gone, record=record, digest="gone")),
    ]
    found = decide((R, "r1"), seen=seen, links=[parted(Reason.DELETED_RIGHT)])
    assert found.freed == {(L, RecordId("l1")), (R, RecordId("r1"))}


def open_create(number: int) -> tuple[OpenCreate, Link]:
    """Return a create on the right without an answer, and its link."""
    intent = values.intent(number)
    link = Link(
        link_id=intent.link_id,
        left_id=RecordId(f"l{number}"),
        intent_id=intent.intent_id,
        version=1,
    )
    return OpenCreate(intent=intent, number=1), link


def test_what_an_open_create_made_is_told_when_it_is_seen_first():
    """Before its user has changed all that it could be told by (seed 447)."""
    create, link = open_create(7)
    made = born("r1", "new@b.org")

    def parked(seen, *, creates=(create,), links=(link,), config=None):
        found = decide(
            (R, "r1"),
            seen=[(R, seen)],
            links=links,
            open_since={R: 1},
            creates=creates,
            config=config,
        )
        return {n.link.link_id: n.link.parked_id for n in found.links}

    assert parked(made)[link.link_id] == "r1"
    later, waiting = open_create(8)
    both = parked(made, creates=(create, later), links=(link, waiting))
    assert set(both.values()) == {None}
    known = msgspec.structs.replace(link, parked_id=RecordId("r1"))
    taken = parked(made, creates=(create, later), links=(known, waiting))
    assert waiting.link_id not in taken
    assert link.link_id not in parked(born("r1", "new@b.org", number=1))
    other = born("r1", "new@b.org", "Bo")
    assert link.link_id not in parked(other)


def test_who_has_the_address_of_a_namesake_was_not_made_for_the_other():
    """One of them was made, and somebody entered the other by hand (hazard 14)."""
    create, link = open_create(7)
    for there, name, parked in (
        ("new@b.org", "Ann", None),
        ("old@b.org", "Ann", "r1"),
        ("new@b.org", "Bo", "r1"),
    ):
        found = decide(
            (R, "r1"),
            seen=[(R, born("r1", "new@b.org")), (L, values.seen("l9", there, name))],
            links=[link],
            open_since={R: 1},
            creates=[create],
        )
        after = {named.link.link_id: named.link for named in found.links}
        assert after.get(link.link_id, link).parked_id == parked


def test_who_has_the_address_of_an_open_create_alone_is_remembered_as_met():
    """It may be somebody else, but nobody else is to be made beside it (seed 454)."""
    create, link = open_create(7)
    fields = {FieldId("email"): "a@b.org", **create.intent.fields}
    intent = msgspec.structs.replace(create.intent, fields=fields)
    create = msgspec.structs.replace(create, intent=intent)
    for email, met in (("a@b.org", "r1"), ("new@b.org", None)):
        found = decide(
            (R, "r1"),
            seen=[(R, born("r1", email, "Bo"))],
            links=[link],
            open_since={R: 1},
            creates=[create],
        )
        after = {named.link.link_id: named.link for named in found.links}
        known = after.get(link.link_id, link)
        assert (known.met_id, known.parked_id) == (met, None)


def test_what_is_held_back_keeps_no_values_of_mappings_that_began_anew():
    """Under the new settings' version they counted as in step (hazard 76)."""
    known = Shadow(
        values={"email": "a@b.org", "name.given": "Ann", "name.family": "Smith"}
    )
    bond = Link(
        link_id=LinkId("link_1"),
        left_id=RecordId("l1"),
        right_id=RecordId("r1"),
        left=known,
        right=known,
        config_version=1,
        version=1,
    )
    config = values.connection().config
    families = {m.mapping_id for m in config.mappings if "name.family" in m.left}
    config = msgspec.structs.replace(
        config, version=2, renewed=dict.fromkeys(families, 2)
    )
    seen = [(L, values.seen("l1", "a@b.org", "")), (R, values.seen("r1", "a@b.org"))]
    found = decide((L, "l1"), seen=seen, links=[bond], config=config)
    assert found.undone_on(R) == 1
    batches.hold_back(found, R)
    (named,) = found.links
    assert (named.link.state, named.link.config_version) == (RecordState.HELD, 2)
    assert set(named.link.left.values) == {"email", "name.given"}


@pytest.mark.parametrize("is_create", [True, False])
@pytest.mark.parametrize(
    ("reason", "is_tried"),
    [(ErrorCode.ALREADY_EXISTS, True), (ErrorCode.VALUE_REFUSED, False)],
)
def test_what_somebody_else_stood_in_the_way_of_is_tried_again(
    is_create, reason, is_tried
):
    """They gave the address up, and it was refused for hours yet (seed 5517).

    Neither record of the link shows it: it is looked at because of the address.
    """
    seen = [(L, values.seen("l1", "a@b.org"))]
    bond = Link(link_id=LinkId("link_9"), left_id=RecordId("l1"), version=1)
    if not is_create:
        seen.append((R, values.seen("r1", "b@b.org")))
        bond = msgspec.structs.replace(bond, right_id=RecordId("r1"))
    (intent,) = (found := decide((L, "l1"), seen=seen, links=[bond])).intents
    refused = fold.fold(
        found.links[0].link,
        intent,
        result=ContactWritten(
            intent_id=intent.intent_id,
            kind=intent.kind,
            outcome=WriteOutcome.REFUSED,
            reason=reason,
            read_at=values.NOW,
        ),
        config=values.connection().config,
        now=values.NOW,
    ).link
    waits = decide((L, "l1"), seen=seen, links=[refused])
    assert waits.intents == []
    links = [named.link for named in waits.links] or [refused]
    assert links[0].state is RecordState.FAILED
    again = decide((L, "l1"), seen=seen, links=links, is_check=True)
    assert [i.kind for i in again.intents] == [intent.kind] * is_tried
    assert is_tried or again.links == []
