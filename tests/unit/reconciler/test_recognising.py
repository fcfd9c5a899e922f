"""A create without an answer is recognised by what its account has shown since.

No mark tells it here, as some vendors keep none: hazards 12 and 34, section 4.4.
"""

import datetime

import msgspec

from proto.connector import ContactWritten, WriteKind, WriteOutcome
from proto.fields import Field, FieldKind, Fields
from proto.ids import FieldId, IntentId, LinkId, RecordId
from proto.reconciler import RecordState, Side
from proto.record import Presence, Record
from services.reconciler import recognising
from services.reconciler.engine import fold
from services.reconciler.engine.model import Config, Folded, Intent, Link, Seen
from services.reconciler.readbacks import Answer
from services.reconciler.recognising import Shown
from services.reconciler.store.intents import OpenIntent
from services.reconciler.store.sweeps import LastScans
from tests.unit.reconciler import values

CONFIG = values.connection().config
NOTHING = Shown()
LATER = values.NOW + datetime.timedelta(minutes=1)
MEANT: Fields = {
    FieldId("email"): "a@b.org",
    FieldId("name.given"): "Ann",
    FieldId("name.family"): "Smith",
}


def answer(outcome: WriteOutcome, *, looks: int = 0, fields: Fields = MEANT) -> Answer:
    """Return what a look said of a create on the right."""
    made = msgspec.structs.replace(
        values.intent(1),
        fields=fields,
        mapping_ids=tuple(CONFIG.pair_by_id),
        look_count=looks,
        decided_at=values.NOW,
    )
    return Answer(
        result=ContactWritten(
            intent_id=made.intent_id,
            kind=WriteKind.LOOK,
            outcome=outcome,
            read_at=LATER,
        ),
        intent=OpenIntent(intent=made, number=1, sent_at=values.NOW),
        link=Link(
            link_id=LinkId("link_1"),
            left_id=RecordId("s1"),
            intent_id=IntentId("int_1"),
            version=1,
        ),
    )


def new(record_id: str, email: str, given: str = "Ann", *, number: int = 2) -> Seen:
    seen = values.seen(record_id, email, given)
    return msgspec.structs.replace(seen, live_number=number)


def recognised(
    asked: Answer,
    *free: Seen,
    shown: Shown = NOTHING,
    config: Config = CONFIG,
) -> Answer:
    """Return an answer as it is understood, which tells by itself or does not."""
    if not recognising.is_untold(asked, config=config):
        return asked
    return recognising.told(
        asked,
        free=free,
        shown=shown,
        settled_at=LATER,
        config=config,
    )


def told(
    asked: Answer,
    *free: Seen,
    shown: Shown = NOTHING,
    config: Config = CONFIG,
) -> tuple[WriteOutcome, str]:
    found = recognised(asked, *free, shown=shown, config=config).result
    return found.outcome, found.record.record_id if found.record else ""


def folded(answer: Answer) -> Folded:
    return fold.fold(
        answer.link,
        answer.intent.intent,
        result=answer.result,
        config=CONFIG,
        now=LATER,
    )


def linked(asked: Answer, **changes: object) -> Answer:
    """Return an answer about a link of which something more is known."""
    link = msgspec.structs.replace(asked.link, **changes)
    return msgspec.structs.replace(asked, link=link)


def test_a_new_record_that_reads_as_meant_is_what_was_made():
    stranger = new("r2", "c@d.org", "Bo")
    for outcome in (WriteOutcome.MISSING, WriteOutcome.UNKNOWN):
        found = told(answer(outcome), new("r1", "a@b.org"), stranger)
        assert found == (WriteOutcome.EXISTS, "r1")


def test_an_address_that_was_edited_meanwhile_makes_it_nobody_else():
    """Its user would else get a second record, and the edit a contact of its own."""
    asked = answer(WriteOutcome.MISSING, looks=1)
    edited = new("r1", "new@b.org")
    assert told(asked, edited) == (WriteOutcome.EXISTS, "r1")
    after = folded(recognised(asked, edited))
    assert (after.link.right_id, after.is_written) == ("r1", True)


def test_other_edits_hide_it_no_more_than_half_and_never_the_name():
    """A new address and a new title, before anybody looked (seed 86).

    Of two people of one name each has a title, a town and an address of their own: what
    was made for one of them passed for the other's, and overwrote it.
    """
    ids = FieldId("job"), FieldId("town")
    fields = {**MEANT, ids[0]: "Chef", ids[1]: "Oslo"}
    more = (Field(field_id=i, label=i, kind=FieldKind.TEXT) for i in ids)
    right = msgspec.structs.replace(
        values.side("right"), fields=(*values.FIELDS, *more)
    )
    config = values.connection(right=right).config
    asked = answer(WriteOutcome.MISSING, looks=1, fields=fields)
    for given, title, town, outcome in (
        ("Ann", "Boss", "Oslo", WriteOutcome.EXISTS),
        ("Bo", "Chef", "Oslo", WriteOutcome.MISSING),
        ("Ann", "Boss", "Bergen", WriteOutcome.MISSING),
        ("Ann", None, "Bergen", WriteOutcome.MISSING),
    ):
        seen = new("r1", "new@b.org", given)
        there = {**seen.record.fields, ids[0]: title, ids[1]: town}
        record = msgspec.structs.replace(seen.record, fields=there)
        changed = msgspec.structs.replace(seen, record=record)
        assert told(asked, changed, config=config)[0] is outcome


def test_who_has_the_address_of_a_namesake_was_made_for_them():
    """Two people of one name, and the answers to both their creates are lost.

    The first one took what was made for the second, whose own was made once more then
    and whose edits went to the first. An address that is nobody else's, or the same
    person's by now, is one that was edited; so is one of somebody who has another name
    (seed 42994).
    """
    asked = answer(WriteOutcome.MISSING, looks=1)
    herself, namesake, nameless, another = (
        values.seen(record_id, "her@b.org", given).record
        for record_id, given in (("s1", "Ann"), ("s2", "Ann"), ("s3", ""), ("s4", "Bo"))
    )
    nameless = msgspec.structs.replace(nameless, fields={FieldId("email"): "her@b.org"})
    for owners, outcome in (
        ([], WriteOutcome.EXISTS),
        ([namesake], WriteOutcome.MISSING),
        ([nameless], WriteOutcome.MISSING),
        ([another], WriteOutcome.EXISTS),
        ([another, namesake], WriteOutcome.MISSING),
        ([herself], WriteOutcome.EXISTS),
        ([herself, namesake], WriteOutcome.EXISTS),
    ):
        shown = Shown(owners={Side.RIGHT: {"her@b.org": owners}})
        assert told(asked, new("r1", "Her@b.org"), shown=shown)[0] is outcome


def test_a_name_is_needed_where_the_address_tells_nothing():
    asked = answer(WriteOutcome.MISSING, looks=1, fields={FieldId("email"): "a@b.org"})
    assert told(asked, new("r1", "new@b.org")) == (WriteOutcome.MISSING, "")


def test_several_that_read_as_meant_leave_it_open():
    asked = answer(WriteOutcome.MISSING, looks=3)
    found = told(asked, new("r1", "a@b.org"), new("r2", "x@b.org"))
    assert found == (WriteOutcome.UNKNOWN, "")


def test_who_has_an_address_and_nothing_else_is_who_was_made_with_that_alone():
    """Somebody entered the same address, with all the rest, at the same time.

    Nobody could tell the two apart, and the create stayed open for ever (seed 101858).
    """
    fields = {FieldId("email"): "a@b.org"}
    both = new("r1", "a@b.org"), new("r2", "a@b.org", "")
    bare = msgspec.structs.replace(both[1].record, fields=fields)
    made = msgspec.structs.replace(both[1], record=bare)
    for outcome in (WriteOutcome.MISSING, WriteOutcome.UNKNOWN):
        asked = answer(outcome, looks=1, fields=fields)
        assert told(asked, both[0], made) == (WriteOutcome.EXISTS, "r2")
        assert told(asked, made, new("r3", "c@d.org")) == (WriteOutcome.EXISTS, "r2")
    named = answer(WriteOutcome.MISSING, looks=1)
    assert told(named, made) == (WriteOutcome.EXISTS, "r2")
    assert told(named, both[0], made) == (WriteOutcome.EXISTS, "r1")


def test_what_was_there_before_the_create_is_not_its_work():
    asked = answer(WriteOutcome.MISSING, looks=1)
    known = new("r1", "x@b.org", number=1)
    assert told(asked, known) == (WriteOutcome.MISSING, "")


def test_nobody_is_believed_to_be_missing_before_a_further_read():
    assert told(answer(WriteOutcome.MISSING)) == (WriteOutcome.UNKNOWN, "")
    assert told(answer(WriteOutcome.MISSING, looks=1)) == (WriteOutcome.MISSING, "")


def test_where_nothing_can_be_looked_for_a_full_scan_tells_it():
    asked = answer(WriteOutcome.UNKNOWN, looks=9)
    assert told(asked) == (WriteOutcome.UNKNOWN, "")
    early = LATER - datetime.timedelta(seconds=1)
    for read_through, outcome in (
        (early, WriteOutcome.UNKNOWN),
        (LATER, WriteOutcome.MISSING),
    ):
        shown = Shown(scans=LastScans(read_through=read_through))
        assert told(asked, shown=shown) == (outcome, "")


def test_nobody_is_missing_among_more_than_were_looked_at():
    """In a first sync of thousands, what a lost create made was made again (I4)."""
    cut = Shown(is_cut=True, scans=LastScans(read_through=LATER))
    theirs = new("r9", "a@b.org", "Bo")
    for asked, free, outcome in (
        (answer(WriteOutcome.MISSING, looks=1), [], WriteOutcome.UNKNOWN),
        (answer(WriteOutcome.UNKNOWN), [], WriteOutcome.UNKNOWN),
        (found_by_address(looks=1), [theirs], WriteOutcome.UNKNOWN),
        (answer(WriteOutcome.MISSING), [new("r1", "a@b.org")], WriteOutcome.EXISTS),
    ):
        assert told(asked, *free, shown=cut)[0] is outcome


def test_where_marks_are_kept_the_look_itself_tells():
    capabilities = msgspec.structs.replace(CONFIG.right.capabilities, keeps_marks=True)
    right = msgspec.structs.replace(values.side("right"), capabilities=capabilities)
    config = values.connection(right=right).config
    asked = answer(WriteOutcome.MISSING)
    assert not recognising.is_untold(asked, config=config)
    assert recognising.is_untold(asked, config=CONFIG)


def test_an_update_is_not_looked_for_among_strangers():
    intent: Intent = values.intent(1, side=Side.RIGHT, kind=WriteKind.UPDATE)
    asked = msgspec.structs.replace(
        answer(WriteOutcome.MISSING),
        intent=OpenIntent(intent=intent, number=1, sent_at=None),
    )
    assert told(asked, new("r1", "a@b.org")) == (WriteOutcome.MISSING, "")


def test_what_an_app_made_of_a_name_hides_nobody():
    """Recased soon after the create, before anybody looked (seeds 152 and 987)."""
    asked = answer(WriteOutcome.MISSING, looks=1)
    for given, found in (
        ("ANN", (WriteOutcome.EXISTS, "r1")),
        ("An", (WriteOutcome.MISSING, "")),
    ):
        assert told(asked, new("r1", "new@b.org", given)) == found
    long = {**MEANT, FieldId("name.given"): "Maximiliane Auguste"}
    cut = new("r1", "new@b.org", "Maximiliane")
    asked = answer(WriteOutcome.MISSING, looks=1, fields=long)
    assert told(asked, cut) == (WriteOutcome.EXISTS, "r1")


def test_a_part_of_the_name_that_was_emptied_says_nothing():
    """Another address and no family name, before anybody looked (seed 103)."""
    asked = answer(WriteOutcome.MISSING, looks=1)
    for given, family, outcome in (
        ("Ann", None, WriteOutcome.EXISTS),
        ("Ann", "Jones", WriteOutcome.MISSING),
        (None, None, WriteOutcome.MISSING),
    ):
        seen = new("r1", "new@b.org")
        fields = {
            **seen.record.fields,
            FieldId("name.given"): given,
            FieldId("name.family"): family,
        }
        record = msgspec.structs.replace(seen.record, fields=fields)
        assert told(asked, msgspec.structs.replace(seen, record=record))[0] is outcome


def found_by_address(*, looks: int, given: str = "Bo") -> Answer:
    record = values.seen("r9", "a@b.org", given).record
    return answer(WriteOutcome.EXISTS, looks=looks).understood(record=record)


def test_who_has_the_address_and_another_name_may_have_been_there_before():
    """The create had made another, whose address was edited (seeds 590 and 1187)."""
    ours, theirs = new("r1", "new@b.org"), new("r9", "a@b.org", "Bo")
    for looks in (0, 1):
        asked = found_by_address(looks=looks)
        assert told(asked, ours, theirs) == (WriteOutcome.EXISTS, "r1")
        assert told(asked, ours, new("r2", "x@b.org")) == (WriteOutcome.UNKNOWN, "")
    assert told(found_by_address(looks=0), theirs) == (WriteOutcome.UNKNOWN, "")
    assert told(found_by_address(looks=1), theirs) == (WriteOutcome.EXISTS, "r9")


def test_who_has_the_address_and_the_name_is_found_at_once():
    asked = found_by_address(looks=0, given="Ann")
    assert told(asked) == (WriteOutcome.EXISTS, "r9")


def test_what_was_told_when_it_was_seen_first_stays_so_whatever_it_reads():
    """Its user has changed address and name since: both are edits (seed 447)."""
    edited = new("r1", "new@b.org", "Bo")
    for outcome in (WriteOutcome.MISSING, WriteOutcome.UNKNOWN):
        asked = linked(answer(outcome), parked_id=RecordId("r1"))
        assert told(asked, new("r2", "a@b.org"), edited) == (WriteOutcome.EXISTS, "r1")
    after = folded(recognised(asked, edited))
    assert (after.link.right_id, after.is_written) == ("r1", True)


def test_what_was_made_and_deleted_before_anybody_looked_is_not_made_again():
    """Somebody did not want it: to make it anew would bring it back (hazard 35)."""
    asked = linked(answer(WriteOutcome.MISSING, looks=1), parked_id=RecordId("r1"))
    seen = new("r1", "a@b.org")
    record = Record(record_id=RecordId("r1"), presence=Presence.DELETED)
    shown = Shown(
        parked={RecordId("r1"): msgspec.structs.replace(seen, record=record)},
        scans=LastScans(read_through=LATER),
    )
    after = folded(recognised(asked, shown=shown))
    assert (after.link.right_id, after.link.state) == ("r1", RecordState.DELETED)


def test_what_carried_our_mark_and_was_deleted_is_not_made_again():
    """A look by the mark found nobody, and another was made; the first was restored.

    It was taken for somebody new then, and made on the side that it came from
    (seed 7046, I5).
    """
    capabilities = msgspec.structs.replace(CONFIG.right.capabilities, keeps_marks=True)
    right = msgspec.structs.replace(values.side("right"), capabilities=capabilities)
    config = values.connection(right=right).config
    seen = new("r1", "a@b.org")
    deleted = Record(record_id=RecordId("r1"), presence=Presence.DELETED)
    missed = msgspec.structs.replace(seen, is_missing=True)
    for outcome in (WriteOutcome.MISSING, WriteOutcome.UNKNOWN):
        asked = linked(answer(outcome), parked_id=RecordId("r1"))
        for known, expected in (
            (
                msgspec.structs.replace(seen, record=deleted),
                (WriteOutcome.EXISTS, "r1"),
            ),
            (missed, (WriteOutcome.UNKNOWN, "")),
        ):
            shown = Shown(parked={RecordId("r1"): known})
            assert told(asked, shown=shown, config=config) == expected
        assert told(asked, seen, config=config) == (WriteOutcome.EXISTS, "r1")
        assert told(asked, new("r2", "a@b.org"), config=config) == (outcome, "")


def test_what_was_made_and_is_missed_once_is_waited_for():
    """It counted as nobody, and the create was sent again (I5)."""
    known = msgspec.structs.replace(new("r1", "a@b.org"), is_missing=True)
    shown = Shown(parked={RecordId("r1"): known}, scans=LastScans(read_through=LATER))
    for outcome in (WriteOutcome.MISSING, WriteOutcome.UNKNOWN):
        asked = linked(answer(outcome, looks=1), parked_id=RecordId("r1"))
        found = told(asked, new("r2", "a@b.org"), shown=shown)
        assert found == (WriteOutcome.UNKNOWN, "")


def test_what_was_made_and_merged_before_anybody_looked_is_known_to_be_made():
    """Its create was looked up for ever, and never sent again (seed 7831, I2).

    Bound to what it made, its link follows the merge (hazard 9).
    """
    merged = Record(
        record_id=RecordId("r1"),
        presence=Presence.MERGED,
        merged_into=RecordId("r2"),
    )
    known = msgspec.structs.replace(new("r1", "a@b.org"), record=merged)
    shown = Shown(parked={RecordId("r1"): known}, scans=LastScans(read_through=LATER))
    for outcome in (WriteOutcome.MISSING, WriteOutcome.UNKNOWN):
        asked = linked(answer(outcome, looks=1), parked_id=RecordId("r1"))
        found = recognised(asked, new("r2", "a@b.org"), shown=shown)
        after = folded(found).link
        assert (after.right_id, after.state) == ("r1", RecordState.PENDING)
        assert after.intent_id is None


def test_who_had_the_address_when_seen_last_is_who_a_create_would_have_met():
    """Its user changed its name before it was seen, its address after (seed 454).

    It was made a second time; a first match, since it may be somebody else's.
    """
    edited, stranger = new("r1", "new@b.org", "Bo"), new("r2", "c@d.org", "Bo")
    for outcome in (WriteOutcome.MISSING, WriteOutcome.UNKNOWN):
        asked = linked(answer(outcome, looks=1), met_id=RecordId("r1"))
        assert told(asked, stranger, edited) == (WriteOutcome.EXISTS, "r1")
        has_it = new("r3", "a@b.org", "Bo")
        assert told(asked, has_it, edited) == (WriteOutcome.EXISTS, "r3")
        of_before = new("r1", "new@b.org", "Bo", number=1)
        assert told(asked, of_before)[1] == ""
    after = folded(recognised(asked, stranger, edited))
    assert (after.link.right_id, after.is_written) == ("r1", False)
    assert (after.link.left, after.link.right) == (None, None)


def test_of_two_that_have_had_the_address_one_that_has_more_of_it_was_made():
    """Its user changed half of its name, then its address, which another was given.

    Whoever has but the address was taken for it, and it came to be made on the other
    side a second time (seed 611274, I5).
    """
    had_it, has_it = new("r1", "new@b.org", "Bo"), new("r2", "a@b.org", "Cy")
    other_name = {**has_it.record.fields, FieldId("name.family"): "Berg"}
    record = msgspec.structs.replace(has_it.record, fields=other_name)
    has_it = msgspec.structs.replace(has_it, record=record)
    for asked in (
        answer(WriteOutcome.MISSING, looks=1),
        answer(WriteOutcome.UNKNOWN),
        answer(WriteOutcome.EXISTS, looks=1).understood(record=record),
    ):
        met = linked(asked, met_id=RecordId("r1"))
        assert told(met, had_it, has_it) == (WriteOutcome.EXISTS, "r1")
        still_has_it = new("r1", "a@b.org", "Bo")
        assert told(asked, still_has_it, has_it) == (WriteOutcome.EXISTS, "r1")
        if asked.result.record is None:
            assert told(asked, had_it, has_it) == (WriteOutcome.EXISTS, "r2")


def test_who_a_look_found_and_has_as_much_of_it_is_waited_with():
    """What was made may have been given another address, and not be shown yet."""
    ours, nameless = new("r1", "new@b.org", "Bo"), new("r2", "a@b.org", "")
    bare = {FieldId("email"): "a@b.org", FieldId("name.family"): "Berg"}
    record = msgspec.structs.replace(nameless.record, fields=bare)
    nameless = msgspec.structs.replace(nameless, record=record)
    for free, met in (([nameless], None), ([ours], RecordId("r1"))):
        for looks, expected in (
            (0, (WriteOutcome.UNKNOWN, "")),
            (1, (WriteOutcome.EXISTS, "r9")),
        ):
            asked = linked(found_by_address(looks=looks), met_id=met)
            assert told(asked, *free) == expected
