"""Commands: what a person can do to a connection, and what is refused."""

import asyncio

import pytest

from proto.connector import FollowAccount, ReadNow
from proto.errors import ErrorCode
from proto.ids import AccountId, ConnectionId, ContainerId, TenantId
from proto.reconciler import (
    ChangeConnection,
    ConnectionState,
    Direction,
    End,
    GetConnection,
    ListConnections,
    ListRecords,
    Side,
)
from services.chassis.errors import CommandFailed
from tests.integration.reconciler.world import TENANT, until


async def refused(awaitable) -> CommandFailed:
    with pytest.raises(CommandFailed) as caught:
        await awaitable
    return caught.value


@pytest.mark.behaviour(
    6,
    13,
    broken_by="reconciler/engine/mapping.py: a standard field that both apps have is"
    " not mapped",
)
async def test_b6_a_new_connection_is_a_draft_with_default_mappings(world):
    made = await world.create()
    assert made.state is ConnectionState.DRAFT
    assert made.settings.direction is Direction.BOTH
    assert made.settings.left_rules == made.settings.right_rules == ()
    assert (made.left_app, made.right_app) == ("lefty", "righty")
    assert {view.mapping_id: view.is_on for view in made.mappings} == dict.fromkeys(
        ("email", "name.given", "name.family", "job_title"), True
    )
    assert {view.direction for view in made.mappings} == {Direction.BOTH}
    assert world.jobs == []


async def test_settings_that_cannot_be_used_are_refused_by_name(world):
    left = End(account_id=world.left.account_id)
    nobody = End(account_id=AccountId("acct_nobody"))
    no_list = End(account_id=left.account_id, container_id=ContainerId("list_9"))
    for changes, code, field in (
        ({"right": left}, ErrorCode.INVALID, "right"),
        ({"right": nobody}, ErrorCode.NOT_FOUND, "right.account_id"),
        ({"left": no_list}, ErrorCode.NOT_FOUND, "left.container_id"),
        ({"mappings_off": ("nothing",)}, ErrorCode.INVALID, "/mappings_off/0"),
        ({"name": " "}, ErrorCode.INVALID, "name"),
        ({"direction": Direction.UNKNOWN}, ErrorCode.INVALID, "direction"),
        ({"winner": Side.UNKNOWN}, ErrorCode.INVALID, "winner"),
    ):
        error = await refused(world.create(**changes))
        assert (error.code, error.field) == (code, field)


async def test_another_tenant_sees_and_moves_nothing(world):
    made = await world.create()
    stranger = TenantId("tnt_2")
    error = await refused(
        world.ask(GetConnection(tenant_id=stranger, connection_id=made.connection_id))
    )
    assert error.code is ErrorCode.NOT_FOUND
    error = await refused(world.create(tenant_id=stranger))
    assert error.code is ErrorCode.NOT_FOUND
    page = await world.ask(ListConnections(tenant_id=stranger))
    assert page.connections == ()


async def test_acts_are_refused_in_the_wrong_state(world):
    made = await world.create()
    for act in ("pause", "resume", "sync_now"):
        error = await refused(world.act(made.connection_id, act))
        assert error.code is ErrorCode.NOT_ALLOWED_NOW
    error = await refused(world.act(made.connection_id, "dance"))
    assert error.code is ErrorCode.INVALID
    error = await refused(world.act(ConnectionId("conn_0"), "start"))
    assert error.code is ErrorCode.NOT_FOUND
    await world.act(made.connection_id, "start")
    error = await refused(world.act(made.connection_id, "start"))
    assert error.code is ErrorCode.NOT_ALLOWED_NOW


@pytest.mark.behaviour(
    31,
    broken_by="reconciler/acting.py: a paused connection stays live",
)
async def test_b31_a_paused_connection_reads_and_writes_nothing(world):
    """Links stay, and resuming scans and catches up."""
    left = world.left.add("ann@example.org", "Ann", "Smith")
    right = world.right.add("ann@example.org", "Ann", "Smith")
    connection_id = await world.start()

    await world.act(connection_id, "pause")
    await until(lambda: unfollowed(world))
    world.left.edit(left, given="Anna")
    await world.show(world.left, world.left.live())
    while not await world.is_idle():
        await asyncio.sleep(0.02)
    await asyncio.sleep(0.3)
    assert await world.state(connection_id) is ConnectionState.PAUSED
    assert world.right.writes == []

    await world.act(connection_id, "resume")
    await world.live(connection_id)
    assert world.right.value(right, "given") == "Anna"
    assert len(world.right.writes) == 1
    assert (await world.status(connection_id)).counts.linked == 1


async def unfollowed(world) -> bool:
    return all(not job.is_wanted for job in world.followed.values())


async def test_a_write_on_its_way_is_folded_though_the_connection_is_paused(world):
    world.left.add("ann@example.org", "Ann", "Smith")
    world.held_writes = []
    made = await world.create()
    await world.act(made.connection_id, "start")
    while not world.held_writes:
        await asyncio.sleep(0.02)
    await world.act(made.connection_id, "pause")
    await world.release_writes()

    async def is_folded() -> bool:
        status = await world.status(made.connection_id)
        return status.progress.to_write == 0 and status.progress.done == 1

    await until(is_folded)
    assert await world.state(made.connection_id) is ConnectionState.PAUSED
    await world.act(made.connection_id, "resume")
    await world.live(made.connection_id)
    assert len(world.right.live()) == 1


async def test_an_account_is_followed_while_another_connection_needs_it(world):
    one = await world.start()
    await world.start(name="Second")
    await world.act(one, "pause")
    while not await world.is_idle():
        await asyncio.sleep(0.02)
    assert all(job.is_wanted for job in world.followed.values())


@pytest.mark.behaviour(
    12,
    broken_by="reconciler/engine/match.py: no record has an email to be matched by",
)
async def test_b12_a_connection_made_again_links_and_duplicates_nobody(world):
    """Deleting touches no contact."""
    for number in range(5):
        world.left.add(f"person{number}@example.org", "Ann", f"Nr{number}")
    one = await world.start()
    before = world.left.people(), world.right.people()
    await world.act(one, "delete")
    assert (await refused(world.state(one))).code is ErrorCode.NOT_FOUND
    await until(lambda: unfollowed(world))
    assert (world.left.people(), world.right.people()) == before

    two = await world.start()
    assert (await world.status(two)).counts.linked == 5
    assert len(world.right.live()) == 5
    assert len(world.right.writes) == 5


@pytest.mark.behaviour(
    27,
    broken_by="reconciler/following.py: only one side is read at once",
)
async def test_b27_sync_now_reads_both_sides_at_once(world):
    left = world.left.add("ann@example.org", "Ann", "Smith")
    world.right.add("ann@example.org", "Ann", "Smith")
    connection_id = await world.start()
    world.left.edit(left, given="Anna")
    await world.act(connection_id, "sync_now")

    async def is_there() -> bool:
        return any("Anna" in person for person in world.right.people())

    await until(is_there)
    assert len([job for job in world.jobs if isinstance(job, ReadNow)]) == 2


@pytest.mark.behaviour(
    2,
    broken_by="reconciler/following.py: a lost account stops no connection",
)
async def test_b2_a_lost_account_stops_and_heals_every_connection_on_it(world):
    """Sorted first, no writes, links stay, and it catches up."""
    left = world.left.add("ann@example.org", "Ann", "Smith")
    right = world.right.add("ann@example.org", "Ann", "Smith")
    first = await world.create(name="Draft")
    connection_id = await world.start()

    await world.lose(world.right)
    await until(lambda: is_in(world, connection_id, ConnectionState.NEEDS_ATTENTION))
    status = await world.status(connection_id)
    assert (status.attention, status.attention_side) == ("account_lost", Side.RIGHT)
    page = await world.ask(ListConnections(tenant_id=TENANT, limit=1))
    assert page.connections[0].connection_id == connection_id
    rest = await world.ask(
        ListConnections(tenant_id=TENANT, limit=1, after=page.next_after)
    )
    assert [c.connection_id for c in rest.connections] == [first.connection_id]
    assert rest.next_after is None

    world.left.edit(left, given="Anna")
    await world.show(world.left, world.left.live())
    await asyncio.sleep(0.3)
    assert world.right.writes == []

    await world.find_again(world.right)
    await until(lambda: is_in(world, connection_id, ConnectionState.LIVE))
    await world.settled(connection_id)
    assert world.right.value(right, "given") == "Anna"
    assert (await world.status(connection_id)).counts.linked == 1


async def is_in(world, connection_id, state) -> bool:
    return await world.state(connection_id) is state


async def test_a_lost_account_cannot_be_started_with(world):
    made = await world.create()
    world.lost.add(world.left.account_id)
    error = await refused(world.act(made.connection_id, "start"))
    assert (error.code, error.field) == (ErrorCode.ACCOUNT_LOST, "left.account_id")


@pytest.mark.behaviour(
    25,
    broken_by="reconciler/acting.py: changed settings do not scan again",
)
async def test_changed_settings_scan_again_and_take_effect(world):
    """A mapping that is switched off is no longer written."""
    left = world.left.add("ann@example.org", "Ann", "Smith", "Chef")
    right = world.right.add("ann@example.org", "Ann", "Smith", "Chef")
    connection_id = await world.start()
    made = await world.ask(GetConnection(tenant_id=TENANT, connection_id=connection_id))
    title = next(view.mapping_id for view in made.mappings if "job_title" in view.left)
    settings = replaced(made.settings, mappings_off=(title,))
    error = await refused(world.ask(change(connection_id, settings, version=7)))
    assert (error.code, error.field) == (ErrorCode.NOT_ALLOWED_NOW, "version")

    scans = scan_count(world)
    changed = await world.ask(change(connection_id, settings, version=1))
    assert changed.version == 2
    assert changed.state is ConnectionState.SCANNING
    await world.live(connection_id)
    assert scan_count(world) == scans + 2

    world.left.edit(left, title="Boss", given="Anna")
    await world.poll()
    await world.settled(connection_id)
    assert world.right.value(right, "title") == "Chef"
    assert world.right.value(right, "given") == "Anna"


async def test_a_started_connection_keeps_its_accounts(world):
    connection_id = await world.start()
    made = await world.ask(GetConnection(tenant_id=TENANT, connection_id=connection_id))
    swapped = replaced(
        made.settings, left=made.settings.right, right=made.settings.left
    )
    error = await refused(world.ask(change(connection_id, swapped)))
    assert error.code is ErrorCode.NOT_ALLOWED_NOW


async def test_contacts_are_listed_in_pages_and_by_email(world):
    for number in range(7):
        world.left.add(f"person{number}@example.org", "Ann", f"Nr{number}")
    connection_id = await world.start()
    names: list[str] = []
    after = None
    while True:
        page = await world.ask(
            ListRecords(
                tenant_id=TENANT, connection_id=connection_id, after=after, limit=3
            )
        )
        names += [view.name for view in page.records]
        after = page.next_after
        if after is None:
            break
    assert sorted(names) == [f"Ann Nr{number}" for number in range(7)]
    found = await world.records(connection_id, email="person3@example.org")
    assert [view.name for view in found.records] == ["Ann Nr3"]
    error = await refused(world.records(connection_id, email="nobody"))
    assert (error.code, error.field) == (ErrorCode.INVALID, "email")


def scan_count(world) -> int:
    return sum(
        isinstance(job, FollowAccount) and job.scan_id is not None for job in world.jobs
    )


def replaced(settings, **changes):
    import msgspec  # noqa: PLC0415

    return msgspec.structs.replace(settings, **changes)


def change(connection_id, settings, version=None) -> ChangeConnection:
    return ChangeConnection(
        tenant_id=TENANT,
        connection_id=connection_id,
        settings=settings,
        version=version,
    )
