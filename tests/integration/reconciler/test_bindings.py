"""What people say themselves: links by hand, approvals, and rules that are refused."""

import pytest

from proto.errors import ErrorCode
from proto.ids import FieldId, LinkId, RecordId, TenantId
from proto.reconciler import (
    ApproveChanges,
    Direction,
    GetConnection,
    LinkRecords,
    Offers,
    RecordState,
    Side,
    UnlinkRecords,
)
from proto.rules import Action, ActionKind, Condition, Operator, Rule, Unsubscribes
from services.chassis.errors import CommandFailed
from tests.integration.reconciler.world import TENANT

NOBODY = LinkId("link_0197f3a0-5a51-7c07-9a56-3f2c1f2b9d11")
STRANGER = TenantId("tnt_2")


async def refused(awaitable) -> tuple[ErrorCode, str]:
    with pytest.raises(CommandFailed) as caught:
        await awaitable
    assert caught.value.detail.endswith(".")
    return caught.value.code, caught.value.field


def linking(connection_id, left, right, *, tenant_id=TENANT) -> LinkRecords:
    return LinkRecords(
        tenant_id=tenant_id,
        connection_id=connection_id,
        left_record_id=RecordId(left),
        right_record_id=RecordId(right),
    )


def unlinking(connection_id, link_id, *, tenant_id=TENANT) -> UnlinkRecords:
    return UnlinkRecords(
        tenant_id=tenant_id, connection_id=connection_id, link_id=link_id
    )


async def states(world, connection_id) -> set[tuple[RecordState, str]]:
    found = await world.records(connection_id)
    return {(view.state, view.reason) for view in found.records}


@pytest.mark.behaviour(
    24,
    broken_by="reconciler/binding.py: a link by hand is not planned",
)
async def test_b24_two_records_are_linked_by_hand_whatever_their_emails(world):
    """A contact without an address, which matching leaves alone."""
    left = world.left.add(None, "Ann", "Smith", "Chef")
    right = world.right.add("ann@example.org", "Ann", "Smith")
    connection_id = await world.start(direction=Direction.TO_RIGHT)
    assert await states(world, connection_id) == {
        (RecordState.EXCLUDED, "no_email"),
        (RecordState.EXCLUDED, "one_way"),
    }

    linked = await world.ask(linking(connection_id, left, right))
    await world.settled(connection_id)
    found = await world.records(connection_id)
    (view,) = found.records
    assert (view.link_id, view.right_record_id) == (linked.link_id, right)
    assert view.state is RecordState.IN_SYNC
    assert world.right.value(right, "title") == "Chef"
    world.left.edit(left, given="Anna")
    await world.poll()
    await world.settled(connection_id)
    assert world.right.value(right, "given") == "Anna"


@pytest.mark.behaviour(
    24,
    broken_by="reconciler/binding.py: that a person took a link apart is not"
    " remembered",
)
async def test_b24_a_link_is_taken_apart_and_put_together_again(world):
    left = world.left.add("ann@example.org", "Ann", "Smith")
    right = world.right.add("ann@example.org", "Ann", "Smith")
    connection_id = await world.start()
    (view,) = (await world.records(connection_id)).records
    await world.ask(unlinking(connection_id, view.link_id))
    world.left.edit(left, given="Anna")
    await world.poll()
    await world.settled(connection_id)
    unlinked = (RecordState.EXCLUDED, "unlinked")
    assert await states(world, connection_id) == {unlinked}
    assert len((await world.records(connection_id)).records) == 2
    assert world.right.writes == [], "and neither is a new contact made"

    await world.act(connection_id, "pause")
    await world.act(connection_id, "resume")
    await world.live(connection_id)
    assert await states(world, connection_id) == {unlinked}, "a scan is no reason"

    await world.ask(linking(connection_id, left, right))
    await world.settled(connection_id)
    assert await states(world, connection_id) == {(RecordState.IN_SYNC, "")}
    assert world.right.value(right, "given") == "Anna"


@pytest.mark.behaviour(
    24,
    broken_by="reconciler/binding.py: taking a link apart changes nothing",
)
async def test_b24_a_link_by_hand_is_undone_by_taking_it_apart(world):
    left = world.left.add(None, "Ann", "Smith", "Chef")
    right = world.right.add("ann@example.org", "Ann", "Smith")
    connection_id = await world.start(direction=Direction.TO_RIGHT)
    linked = await world.ask(linking(connection_id, left, right))
    await world.settled(connection_id)
    await world.ask(unlinking(connection_id, linked.link_id))
    world.left.edit(left, given="Anna")
    await world.poll()
    await world.settled(connection_id)
    found = (await world.records(connection_id)).records
    assert [(view.left_record_id, view.right_record_id) for view in found] in (
        [(left, None), (None, right)],
        [(None, right), (left, None)],
    )
    assert world.right.value(right, "given") == "Ann", "each is left alone"


@pytest.mark.behaviour(23, broken_by="mutant rivals_ignored")
async def test_b23_which_of_two_is_meant_is_said_once(world):
    """The other one is left alone, and so it stays after another scan."""
    first = world.left.add("twin@example.org", "First", "Twin")
    second = world.left.add("Twin@example.org", "Second", "Twin")
    right = world.right.add("twin@example.org", "Second", "Twin")
    connection_id = await world.start()
    assert world.left.writes == world.right.writes == []

    await world.ask(linking(connection_id, second, right))
    await world.settled(connection_id)
    world.left.edit(first, title="Chef")
    world.left.edit(second, title="Boss")
    await world.poll()
    await world.settled(connection_id)
    for _ in range(2):
        found = (await world.records(connection_id)).records
        links = {(view.left_record_id, view.right_record_id) for view in found}
        assert links == {(second, right), (first, None)}
        assert world.right.value(right, "title") == "Boss"
        assert len(world.right.live()) == len(world.right.writes) == 1
        await world.act(connection_id, "pause")
        await world.act(connection_id, "resume")
        await world.live(connection_id)


@pytest.mark.behaviour(
    24, broken_by="reconciler/binding.py: a link that is over keeps its records"
)
async def test_b24_whose_counterpart_is_gone_can_be_linked_by_hand(world):
    """The old link is over, but it still named the record."""
    left = world.left.add("ann@example.org", "Ann", "Smith")
    world.right.add("ann@example.org", "Ann", "Smith")
    connection_id = await world.start()
    (view,) = (await world.records(connection_id)).records
    right = view.right_record_id
    world.left.delete(left)
    other = world.left.add(None, "Anna", "Smith")
    await world.poll()
    await world.settled(connection_id)
    assert (RecordState.DELETED, "deleted_left") in await states(world, connection_id)
    await world.ask(linking(connection_id, other, right))
    await world.settled(connection_id)
    assert await states(world, connection_id) == {(RecordState.IN_SYNC, "")}


async def test_a_link_that_cannot_be_made_or_taken_apart_is_named(world):
    left = world.left.add("ann@example.org", "Ann", "Smith")
    right = world.right.add("ann@example.org", "Ann", "Smith")
    connection_id = await world.start()
    other = world.left.add("bob@example.org", "Bob", "Jones")
    gone = world.left.add("cid@example.org", "Cid", "Jones")
    await world.poll()
    await world.settled(connection_id)
    world.left.delete(gone)
    await world.poll()
    await world.settled(connection_id)
    for command, code, field in (
        (
            linking(connection_id, other, right),
            ErrorCode.NOT_ALLOWED_NOW,
            "left_record_id",
        ),
        (linking(connection_id, "no", right), ErrorCode.NOT_FOUND, "left_record_id"),
        (linking(connection_id, gone, right), ErrorCode.NOT_FOUND, "left_record_id"),
        (linking(connection_id, left, "no"), ErrorCode.NOT_FOUND, "right_record_id"),
        # A left record is none of the right account.
        (linking(connection_id, right, left), ErrorCode.NOT_FOUND, "left_record_id"),
        (unlinking(connection_id, NOBODY), ErrorCode.NOT_FOUND, "link_id"),
    ):
        assert await refused(world.ask(command)) == (code, field)


async def test_another_tenant_approves_and_binds_nothing(world):
    left = world.left.add("ann@example.org", "Ann", "Smith")
    right = world.right.add("ann@example.org", "Ann", "Smith")
    connection_id = await world.start()
    (view,) = (await world.records(connection_id)).records
    for command in (
        linking(connection_id, left, right, tenant_id=STRANGER),
        unlinking(connection_id, view.link_id, tenant_id=STRANGER),
        ApproveChanges(tenant_id=STRANGER, connection_id=connection_id),
    ):
        assert await refused(world.ask(command)) == (
            ErrorCode.NOT_FOUND,
            "connection_id",
        )
    other = await world.create(name="Other")
    command = unlinking(other.connection_id, view.link_id)
    assert await refused(world.ask(command)) == (ErrorCode.NOT_FOUND, "link_id")
    assert await states(world, connection_id) == {(RecordState.IN_SYNC, "")}


async def test_what_is_held_is_shown_until_it_is_approved(world):
    lefts = []
    for number in range(30):
        email = f"p{number}@example.org"
        lefts.append(world.left.add(email, "Ann", f"Nr{number}"))
        world.right.add(email, "Ann", f"Nr{number}")
    connection_id = await world.start(tags_deletions=True)
    for record_id in lefts[:20]:
        world.left.delete(record_id)
    await world.poll()
    await world.settled(connection_id)
    get = GetConnection(tenant_id=TENANT, connection_id=connection_id)
    assert (await world.ask(get)).guarded == (Side.RIGHT,)
    assert (await world.status(connection_id)).counts.held == 20
    approve = ApproveChanges(tenant_id=TENANT, connection_id=connection_id)
    for _ in range(2):
        assert (await world.ask(approve)).guarded == ()
    await world.settled(connection_id)
    counts = (await world.status(connection_id)).counts
    assert (counts.held, counts.deleted) == (0, 20)


@pytest.mark.behaviour(
    37,
    39,
    broken_by="reconciler/engine/rules.py: deletions are tagged against the direction",
)
async def test_settings_that_the_apps_do_not_allow_are_refused_with_their_place(world):
    rule = Rule(
        rule_id="r",
        conditions=(Condition(operator=Operator.BEFORE, field_id="email", value="x"),),
    )
    title = Action(kind=ActionKind.SET_FIELD, field_id=FieldId("TITLE"), value="x")
    for changes, field in (
        ({"left_rules": (rule,)}, "/left_rules/0/conditions/0/operator"),
        (
            {"left_rules": (Rule(rule_id="r", actions=(title,)),)},
            "/left_rules/0/actions/0/field_id",
        ),
        (
            {
                "left_rules": (
                    Rule(
                        rule_id="r",
                        conditions=(
                            Condition(operator=Operator.IN_CONTAINER, value="list_2"),
                        ),
                    ),
                )
            },
            "/left_rules/0/conditions/0/value",
        ),
        ({"unsubscribes": Unsubscribes.UNKNOWN}, "/unsubscribes"),
        ({"winners": {"name.odd": Side.LEFT}}, "/winners/name.odd"),
    ):
        assert await refused(world.create(**changes)) == (ErrorCode.INVALID, field)
    made = await world.create()
    both = Direction.BOTH
    assert made.offers == Offers(
        tags_deletions=both, unsubscribes_tag=both, unsubscribes_status=both
    )
    one_way = await world.create(name="One way", direction=Direction.TO_LEFT)
    assert one_way.offers.tags_deletions is Direction.TO_LEFT
