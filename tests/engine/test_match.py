"""Whom a record belongs to when it has no link yet."""

import msgspec
import pytest

from proto.ids import ContainerId, LinkId, RecordId
from proto.reconciler import Direction, RecordState, Side
from proto.record import Record
from services.reconciler.engine import match
from services.reconciler.engine.model import Candidate, Link, MatchKind, Reason, Scope
from tests.engine.world import CARDS, NEWSLETTER, Pair, config, items

CONFIG = config()


def person(name: str, *emails: str, **more: object) -> Candidate:
    return Candidate(record_id=RecordId(name), emails=emails, **more)


def decide(candidate, *, same=(), opposite=(), settings=CONFIG, side=Side.LEFT):
    (found,) = match.decide_all(
        (candidate,),
        side=side,
        same_side=(candidate, *same),
        other_side=opposite,
        config=settings,
    )
    return found


@pytest.mark.behaviour(
    20,
    broken_by="reconciler/engine/match.py: only the first email is matched",
)
def test_b20_any_shared_email_links():
    found = decide(
        person("l1", "a@x.com", "b@x.com"),
        opposite=[person("r1", "c@x.com", "b@x.com", link_id=LinkId("link_r"))],
    )
    assert found.kind is MatchKind.LINK
    assert (found.record_id, found.absorbs) == ("r1", "link_r")


@pytest.mark.behaviour(
    20,
    broken_by="reconciler/engine/match.py: the source of a one-way connection gets new"
    " contacts",
)
def test_b20_nobody_there_is_a_create():
    assert decide(person("l1", "a@x.com")).kind is MatchKind.CREATE
    one_way = config(direction=Direction.TO_LEFT)
    found = decide(person("l1", "a@x.com"), settings=one_way)
    assert (found.kind, found.reason) == (MatchKind.EXCLUDED, Reason.ONE_WAY)


@pytest.mark.behaviour(
    20,
    broken_by="reconciler/engine/match.py: an email outside the container is created a"
    " second time",
)
def test_b20_an_email_outside_the_container_is_not_made_a_second_time():
    hidden = person("r1", "a@x.com", is_included=False, scope=Scope.OUT)
    found = decide(person("l1", "a@x.com"), opposite=[hidden])
    assert found.kind is MatchKind.EXCLUDED
    assert found.reason == Reason.EXISTS_OUTSIDE_CONTAINER


@pytest.mark.behaviour(
    22,
    broken_by="reconciler/engine/match.py: a contact without email is created all the"
    " same",
)
def test_b22_contacts_without_email_are_excluded_by_default():
    found = decide(person("l1"))
    assert (found.kind, found.reason) == (MatchKind.EXCLUDED, Reason.NO_EMAIL)
    free = config(avoids_duplicates=False)
    assert decide(person("l1"), settings=free).kind is MatchKind.CREATE


@pytest.mark.behaviour(
    23,
    broken_by="reconciler/engine/match.py: a record is matched although another one"
    " has its email",
)
def test_b23_two_with_one_email_on_a_side_are_both_held():
    one, two = person("l1", "a@x.com"), person("l2", "a@x.com", "b@x.com")
    partner = person("r1", "a@x.com")
    for candidate, rival in ((one, two), (two, one)):
        found = decide(candidate, same=[rival], opposite=[partner])
        assert found.kind is MatchKind.DUPLICATE
        assert found.others == (rival.record_id,)
        found = decide(candidate, same=[rival])
        assert found.kind is MatchKind.DUPLICATE, "nobody is created for either"


@pytest.mark.behaviour(
    23,
    broken_by="reconciler/engine/match.py: a partner is taken that could be somebody"
    " else's",
)
def test_b23_a_partner_that_could_be_somebody_elses_is_not_taken():
    partner = person("r1", "a@x.com", "b@x.com")
    rival = person("l2", "b@x.com")
    found = decide(person("l1", "a@x.com"), same=[rival], opposite=[partner])
    assert found.kind is MatchKind.DUPLICATE
    twin = person("r2", "b@x.com")
    found = decide(person("l1", "a@x.com"), opposite=[partner, twin])
    assert (found.kind, found.reason) == (MatchKind.DUPLICATE, Reason.MATCHES_SEVERAL)
    both = [person("r1", "a@x.com"), person("r2", "a@x.com")]
    assert decide(person("l1", "a@x.com"), opposite=both).kind is MatchKind.DUPLICATE


@pytest.mark.behaviour(
    23,
    broken_by="reconciler/engine/match.py: a record that is linked already is matched"
    " again",
)
def test_b23_a_record_that_is_linked_already_is_not_shared():
    taken = person("r1", "a@x.com", is_bound=True, link_id=LinkId("link_x"))
    found = decide(person("l1", "a@x.com"), opposite=[taken])
    assert (found.kind, found.reason) == (MatchKind.DUPLICATE, Reason.MATCH_IS_LINKED)


@pytest.mark.behaviour(
    3,
    broken_by="reconciler/engine/config.py: a record counts as connected in whichever"
    " list it is",
)
def test_b03_records_outside_the_container_are_out_of_scope():
    settings = config(left_more={"container_id": ContainerId("list1")})
    record = Record(record_id=RecordId("l1"), fields={"email": "a@x.com"})
    outside = match.candidate_of(record, Side.LEFT, config=settings)
    found = decide(outside, settings=settings)
    assert (found.kind, found.reason) == (MatchKind.EXCLUDED, Reason.OUT_OF_CONTAINER)
    inside = msgspec.structs.replace(record, containers=(ContainerId("list1"),))
    found = decide(
        match.candidate_of(inside, Side.LEFT, config=settings), settings=settings
    )
    assert found.kind is MatchKind.CREATE


@pytest.mark.behaviour(
    3,
    broken_by="reconciler/engine/plan.py: a linked contact does not leave the"
    " container",
)
def test_b03_a_linked_contact_that_leaves_the_container_rests_and_comes_back():
    settings = config(
        NEWSLETTER, CARDS, right_more={"container_id": ContainerId("book")}
    )
    pair = Pair(settings, {"email": "a@x.com"})
    assert pair.settle() == 1
    assert pair.records[Side.RIGHT].containers == ("book",)
    inside = pair.records[Side.RIGHT]
    pair.records[Side.RIGHT] = msgspec.structs.replace(inside, containers=())
    pair.edit(Side.LEFT, job="Engineer")
    assert pair.settle() == 0
    assert pair.link.state is RecordState.EXCLUDED
    pair.records[Side.RIGHT] = inside
    assert pair.settle() == 1
    assert pair.link.state is RecordState.IN_SYNC


def test_a_tombstone_may_be_linked_anew_and_an_open_create_may_not():
    record = Record(record_id=RecordId("r1"), fields={"emails": items("a@x.com")})
    link = Link(
        link_id=LinkId("link_1"), left_id=RecordId("l0"), right_id=RecordId("r1")
    )
    gone = msgspec.structs.replace(link, state=RecordState.DELETED)
    assert match.candidate_of(record, Side.RIGHT, config=CONFIG, link=link).is_bound
    assert not match.candidate_of(record, Side.RIGHT, config=CONFIG, link=gone).is_bound
    alone = msgspec.structs.replace(link, left_id=None)
    assert not match.candidate_of(
        record, Side.RIGHT, config=CONFIG, link=alone
    ).is_bound
    busy = msgspec.structs.replace(alone, intent_id="int_1")
    assert match.candidate_of(record, Side.RIGHT, config=CONFIG, link=busy).is_bound


def test_settling_turns_a_decision_into_a_link():
    link = Link(link_id=LinkId("link_1"), left_id=RecordId("l1"))
    found = decide(person("l1", "a@x.com"), opposite=[person("r1", "a@x.com")])
    settled = match.settle(link, found, side=Side.LEFT)
    assert (settled.left_id, settled.right_id) == ("l1", "r1")
    assert settled.state is RecordState.PENDING
    held = match.settle(link, decide(person("l1")), side=Side.LEFT)
    assert (held.state, held.reason) == (RecordState.EXCLUDED, Reason.NO_EMAIL)
    assert held.right_id is None


def test_the_order_of_candidates_does_not_matter():
    opposite = [person("r1", "a@x.com"), person("r2", "b@x.com")]
    same = [person("l2", "c@x.com"), person("l3", "b@x.com")]
    one = decide(person("l1", "a@x.com", "b@x.com"), same=same, opposite=opposite)
    two = decide(
        person("l1", "a@x.com", "b@x.com"), same=same[::-1], opposite=opposite[::-1]
    )
    assert one == two
