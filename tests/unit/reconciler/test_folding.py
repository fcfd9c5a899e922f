"""What a batch of answers comes to, apart from what the engine says of each."""

import datetime

import msgspec

from proto.connector import ContactWritten, WriteKind, WriteOutcome
from proto.ids import IntentId, LinkId, RecordId
from proto.reconciler import RecordState, Side
from services.reconciler import folding, recognising
from services.reconciler.config import Config
from services.reconciler.engine.model import Link
from services.reconciler.folding import Outcome
from services.reconciler.readbacks import Answer
from services.reconciler.recognising import Shown
from services.reconciler.store.intents import OpenIntent
from tests.unit.reconciler import values

R = Side.RIGHT
NOTHING = Shown()


def answer(
    number: int, outcome: WriteOutcome, *, record_id: str | None = None
) -> Answer:
    """Return the answer to a create of number's counterpart on the right."""
    link_id = LinkId(f"link_{number}")
    record = None
    if record_id is not None:
        record = values.seen(record_id, "a@b.org").record
    return Answer(
        result=ContactWritten(
            intent_id=IntentId(f"int_{number}"),
            kind=WriteKind.CREATE,
            outcome=outcome,
            record=record,
            read_at=values.NOW,
        ),
        intent=OpenIntent(intent=values.intent(number), number=1, sent_at=None),
        link=Link(
            link_id=link_id,
            left_id=RecordId(f"s{number}"),
            intent_id=IntentId(f"int_{number}"),
            version=1,
        ),
    )


def decide(*answers: Answer, rivals=None, shown=NOTHING) -> Outcome:
    return folding.decide(
        answers,
        rivals=rivals or {},
        connection=values.connection(),
        shown=shown,
        own=Config(database_url="", nats_url="", settle_s=30.0),
        now=values.NOW,
    )


def test_a_confirmed_create_counts_and_is_planned_once_more():
    found = decide(answer(1, WriteOutcome.WRITTEN, record_id="r1"))
    assert found.links[LinkId("link_1")].right_id == "r1"
    assert (found.tally.done, found.tally.created_right) == (1, 1)
    assert [told.state for told in found.told] == ["done"]
    assert found.marked == {(R, RecordId("r1"))}


def test_an_unknown_outcome_stays_open_and_is_looked_up_after_it_settled():
    found = decide(answer(1, WriteOutcome.UNKNOWN))
    (told,) = found.told
    assert told.state == "unknown"
    assert told.look_at == values.NOW + datetime.timedelta(seconds=30)
    assert (found.marked, found.tally.done) == (set(), 0)


def test_a_record_that_stood_alone_gives_its_link_up():
    rival = Link(link_id=LinkId("link_9"), right_id=RecordId("r1"), version=1)
    found = decide(
        answer(1, WriteOutcome.EXISTS, record_id="r1"),
        rivals={(R, RecordId("r1")): rival},
    )
    assert found.dropped == {"link_9"}
    assert found.links[LinkId("link_1")].right_id == "r1"


def test_a_record_of_another_link_is_never_taken_whatever_the_app_says():
    """An app may answer a create with a record it had: it stays where it is."""
    rival = Link(
        link_id=LinkId("link_9"),
        left_id=RecordId("s9"),
        right_id=RecordId("r1"),
        state=RecordState.IN_SYNC,
        version=1,
    )
    for outcome in (WriteOutcome.EXISTS, WriteOutcome.WRITTEN):
        found = decide(
            answer(1, outcome, record_id="r1"), rivals={(R, RecordId("r1")): rival}
        )
        link = found.links[LinkId("link_1")]
        assert (link.right_id, link.state) == (None, RecordState.DUPLICATE)
        assert (found.dropped, found.marked) == (set(), set())


def updated(record_id: str) -> Answer:
    """Return the answer to a change of r1, which has this id since."""
    asked = answer(1, WriteOutcome.WRITTEN, record_id=record_id)
    intent = msgspec.structs.replace(
        asked.intent.intent, kind=WriteKind.UPDATE, record_id=RecordId("r1")
    )
    return msgspec.structs.replace(
        asked.understood(kind=WriteKind.UPDATE),
        intent=msgspec.structs.replace(asked.intent, intent=intent),
        link=msgspec.structs.replace(asked.link, right_id=RecordId("r1")),
    )


def test_who_is_known_by_an_address_keeps_their_link_when_we_change_it():
    """They were shown under it before the answer came, and stood alone.

    The database refuses two links of one record, so the answer came again and again.
    """
    rival = Link(
        link_id=LinkId("link_9"),
        right_id=RecordId("r2"),
        state=RecordState.DUPLICATE,
        version=1,
    )
    found = decide(updated("r2"), rivals={(R, RecordId("r2")): rival})
    assert found.links[LinkId("link_1")].right_id == "r2"
    assert found.dropped == {"link_9"}
    assert [told.state for told in found.told] == ["done"]
    own = updated("r1")
    found = decide(own, rivals={(R, RecordId("r1")): own.link})
    assert (found.dropped, found.tally.done) == (set(), 1)


def test_a_change_that_the_app_made_to_somebody_elses_record_moves_no_link():
    rival = Link(
        link_id=LinkId("link_9"),
        left_id=RecordId("s9"),
        right_id=RecordId("r2"),
        state=RecordState.IN_SYNC,
        version=1,
    )
    found = decide(updated("r2"), rivals={(R, RecordId("r2")): rival})
    link = found.links[LinkId("link_1")]
    assert (link.right_id, link.intent_id) == ("r1", None)
    assert (found.dropped, found.tally.done) == (set(), 0)


def test_two_creates_that_met_one_record_do_not_share_it():
    found = decide(
        answer(1, WriteOutcome.EXISTS, record_id="r1"),
        answer(2, WriteOutcome.EXISTS, record_id="r1"),
    )
    assert found.links[LinkId("link_1")].right_id == "r1"
    assert found.links[LinkId("link_2")].state is RecordState.DUPLICATE


def test_a_create_that_came_to_nothing_frees_its_source():
    """Who has the same address on the other side had to wait for it."""
    found = decide(answer(1, WriteOutcome.REFUSED))
    assert found.freed == {(Side.LEFT, RecordId("s1"))}
    assert decide(answer(1, WriteOutcome.UNKNOWN)).freed == set()


def test_what_we_made_without_an_address_is_noted():
    """So that no other connection hands it on (seed 739)."""
    made = answer(1, WriteOutcome.WRITTEN, record_id="r1")
    assert decide(made).made == set()
    plain = values.seen("r1", None).record
    assert decide(made.understood(record=plain)).made == {"r1"}


def test_a_record_that_another_create_may_have_made_is_left_alone_for_now():
    """Its address was edited into that of somebody who was to be made (seed 168)."""
    met = answer(1, WriteOutcome.EXISTS, record_id="r1")
    found = decide(met, shown=Shown(unsure=frozenset({met.result.intent_id})))
    link = found.links[LinkId("link_1")]
    assert (link.right_id, link.intent_id) == (None, None)
    assert link.state is RecordState.PENDING
    assert decide(met).links[LinkId("link_1")].right_id == "r1"


def test_only_a_record_that_reads_otherwise_can_be_somebody_elses():
    config = values.connection().config
    met = answer(1, WriteOutcome.EXISTS, record_id="r1")
    assert not recognising.has_met_another(met, config=config)
    other = met.understood(record=values.seen("r1", "a@b.org", "Bo").record)
    assert recognising.has_met_another(other, config=config)
    for outcome in (WriteOutcome.WRITTEN, WriteOutcome.REFUSED):
        told = other.understood(outcome=outcome)
        assert not recognising.has_met_another(told, config=config)
    capabilities = msgspec.structs.replace(config.right.capabilities, keeps_marks=True)
    right = msgspec.structs.replace(values.side("right"), capabilities=capabilities)
    marked = values.connection(right=right).config
    assert not recognising.has_met_another(other, config=marked)


def test_where_marks_are_kept_those_of_others_tell_whose_a_record_may_be():
    """A create met what another's had made, whose answer was lost (seed 7580, I4).

    Its user had given it the address of the first. It was linked, and made anew for
    the other.
    """
    capabilities = msgspec.structs.replace(
        values.connection().config.right.capabilities, keeps_marks=True
    )
    right = msgspec.structs.replace(values.side("right"), capabilities=capabilities)
    config = values.connection(right=right).config
    met = answer(1, WriteOutcome.EXISTS, record_id="r1")
    record = met.result.record
    assert record is not None
    for kind in (WriteKind.CREATE, WriteKind.LOOK):
        for marker, is_anothers in (("", False), ("1", False), ("7", True)):
            marked = msgspec.structs.replace(record, marker=marker)
            found = met.understood(kind=kind, record=marked)
            assert recognising.has_met_another(found, config=config) is is_anothers
