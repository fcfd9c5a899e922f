"""Tags, lists and consent are carried out with their record, and never loosened."""

import contextlib
import datetime
import json

import msgspec
import pytest

from proto.connector import SourceSeen, WriteKind, WriteOutcome
from proto.errors import ErrorCode
from proto.ids import AccountId, ContainerId, RecordId
from proto.record import Consent, Memberships
from services.connector import carrier, writer
from tests.integration.connector_vendor import APP, EMAIL, NAME, Vendor
from tests.integration.connector_world import REF, World
from tests.integration.connector_writes import (
    carried_out,
    create,
    look,
    update,
    write,
)

FIRST = RecordId("r00001")
LISTS = (ContainerId("list-1"), ContainerId("list-2"))
ALL = Memberships(
    containers_add=(LISTS[1],),
    containers_remove=(LISTS[0],),
    tags_add=("new",),
    tags_remove=("old",),
)


@contextlib.asynccontextmanager
async def standing(database, **capabilities):
    async with (
        Vendor().listening() as vendor,
        World(database, vendor, **capabilities).standing() as world,
    ):
        world.settings = msgspec.structs.replace(world.settings, lease_s=3_600.0)
        yield world


@pytest.fixture
async def world(database):
    async with standing(database) as opened:
        yield opened


def change(world, number: int = 1, **values):
    return write(world, number, WriteKind.UPDATE, record_id=FIRST, **values)


def note_bodies(world) -> list[dict]:
    """Return a list that every written body is going to be in."""
    bodies: list[dict] = []

    async def note(request):
        if request.method in ("PUT", "POST"):
            bodies.append(json.loads(await request.read()))

    world.vendor.faults.append(note)
    return bodies


# One write for all of it


async def test_fields_tags_lists_and_consent_go_in_one_write(world):
    world.vendor.add(1)
    world.vendor.put(FIRST, tags=("old", "theirs"), lists=("list-1",))
    found = await carried_out(
        world,
        update(
            world,
            1,
            seen="P1",
            name="Ada",
            memberships=ALL,
            consent=Consent.UNSUBSCRIBED,
        ),
    )
    result = found["int_1"]
    assert result.outcome is WriteOutcome.WRITTEN
    assert len(world.vendor.made("PUT")) == 1
    record = result.record
    assert (record.tags, record.containers) == (("theirs", "new"), (LISTS[1],))
    assert (record.consent, record.fields[NAME]) == (Consent.UNSUBSCRIBED, "Ada")


async def test_a_new_record_gets_its_tags_and_is_put_into_all_its_lists(world):
    found = await carried_out(
        world,
        create(
            world,
            1,
            containers=(LISTS[0],),
            memberships=Memberships(
                containers_add=(LISTS[1], LISTS[0]), tags_add=("new",)
            ),
            consent=Consent.UNSUBSCRIBED,
        ),
    )
    record = found["int_1"].record
    assert (record.tags, record.containers) == (("new",), LISTS)
    assert record.consent is Consent.UNSUBSCRIBED


# What is so already


@pytest.mark.parametrize(
    "wanted",
    [
        {"memberships": Memberships(tags_add=("old",), tags_remove=("new",))},
        {
            "memberships": Memberships(
                containers_add=(LISTS[0],), containers_remove=(LISTS[1],)
            )
        },
        {"consent": Consent.UNSUBSCRIBED},
        {"consent": Consent.SUPPRESSED},
        {"consent": Consent.SUBSCRIBED},
        {"fields": {NAME: "P1"}},
        {
            "fields": {NAME: "P1"},
            "memberships": Memberships(tags_add=("old",)),
            "consent": Consent.UNSUBSCRIBED,
        },
    ],
)
@pytest.mark.behaviour(
    9,
    28,
    broken_by="connector/remainder.py: what is so already is written again",
)
async def test_what_is_so_already_is_answered_as_of_its_read(world, wanted):
    """Adding twice writes once."""
    world.vendor.add(1)
    world.vendor.put(FIRST, tags=("old",), lists=("list-1",), consent="suppressed")
    read_at: list[datetime.datetime] = []

    def slow(request):
        if request.method == "GET":
            read_at.append(world.clock.now())
            world.clock.move(3)

    world.vendor.faults.append(slow)
    result = (await carried_out(world, change(world, **wanted)))["int_1"]
    assert result.outcome is WriteOutcome.WRITTEN
    assert result.sent_at is None
    assert result.read_at <= read_at[0]
    assert result.record.tags == ("old",)
    assert world.vendor.made("PUT") == []


async def test_only_what_is_lacking_is_written(world):
    world.vendor.add(1)
    world.vendor.put(FIRST, tags=("one",), email="same@example.org")
    bodies = note_bodies(world)
    fields = {NAME: "Ada", EMAIL: "same@example.org"}
    members = Memberships(tags_add=("one", "two"))
    await carried_out(world, change(world, fields=fields, memberships=members))
    (body,) = bodies
    assert EMAIL not in body
    assert (body[NAME], body["tags"]) == ("Ada", ["one", "two"])


async def test_a_lost_answer_of_tags_is_looked_for_and_not_sent_again(world):
    """Hazard 31, for what is no field."""
    world.vendor.add(1)
    world.vendor.cuts.append("PUT")
    members = Memberships(tags_add=("PieSync Trash",))
    replica = world.replica()
    await world.ask_to_write(replica, change(world, memberships=members))
    await replica.write()
    (unknown,) = await world.take_results()
    assert unknown.outcome is WriteOutcome.UNKNOWN
    await world.ask_to_write(replica, look(world, 1, record_id=FIRST))
    await replica.write()
    (looked,) = await world.take_results()
    assert looked.outcome is WriteOutcome.EXISTS
    assert looked.record.tags == ("PieSync Trash",)
    await world.ask_to_write(replica, change(world, 2, memberships=members))
    await replica.write()
    (again,) = await world.take_results()
    assert (again.outcome, again.sent_at) == (WriteOutcome.WRITTEN, None)
    assert len(world.vendor.made("PUT")) == 1


# What an app cannot do


@pytest.mark.parametrize(
    ("lacking", "wanted"),
    [
        ("can_tag", {"memberships": Memberships(tags_add=("new",))}),
        ("can_change_containers", {"memberships": ALL}),
        ("can_unsubscribe", {"consent": Consent.UNSUBSCRIBED}),
    ],
)
async def test_what_an_app_cannot_do_is_refused_and_not_said_to_be_done(
    database, lacking, wanted
):
    async with standing(database, **{lacking: False}) as world:
        world.vendor.add(1)
        fields = {NAME: "Ada"}
        found = await carried_out(world, change(world, fields=fields, **wanted))
        assert found["int_1"].outcome is WriteOutcome.REFUSED
        assert found["int_1"].reason is ErrorCode.APP_REFUSED
        assert world.vendor.made("PUT") == []


async def test_a_create_in_its_own_container_needs_no_capability(database):
    async with standing(database, can_change_containers=False, can_tag=False) as world:
        own = Memberships(containers_add=(LISTS[0],), containers_remove=(LISTS[1],))
        tagged = Memberships(tags_add=("new",))
        found = await carried_out(
            world,
            create(world, 1, containers=(LISTS[0],), memberships=own),
            create(world, 2, memberships=tagged),
        )
        assert found["int_1"].outcome is WriteOutcome.WRITTEN
        assert found["int_2"].outcome is WriteOutcome.REFUSED
        assert len(world.vendor.made("POST")) == 1


# Consent


@pytest.mark.parametrize("wanted", [Consent.SUBSCRIBED, Consent.UNSUBSCRIBED])
async def test_consent_is_never_loosened(world, wanted):
    """Hazard 82: not by a level that was decided on before, nor by the rest."""
    world.vendor.add(1)
    world.vendor.put(FIRST, consent="suppressed")
    bodies = note_bodies(world)
    await carried_out(world, change(world, fields={NAME: "Ada"}, consent=wanted))
    assert [body["consent"] for body in bodies] == ["suppressed"]


async def test_an_optout_meets_the_write_that_waited_too_long_for_it(world):
    """Hazard 39: the whole contact is put as it was read, its consent included.

    An opt-out within seconds of the read can be overwritten where an app has no
    conditional writes. Later than that the contact is read again first.
    """
    world.vendor.add(1)
    world.vendor.put(FIRST, consent="subscribed")
    bodies = note_bodies(world)

    def opts_out(request):
        if request.method == "GET":
            world.vendor.faults.remove(opts_out)
            # Everything behind this read waits at our own gate for a minute.
            until_s = world.clock.monotonic() + 60.0
            replica.transport.budget_of(REF).block(until_s=until_s)

    replica = world.replica()
    world.vendor.faults.append(opts_out)
    await world.ask_to_write(replica, update(world, 1, seen="P1", name="Ada"))
    await replica.write()
    assert bodies == []
    world.vendor.put(FIRST, consent="unsubscribed")
    world.clock.move(writer.PUT_OFF_S)
    await replica.write()
    (result,) = await world.take_results()
    assert result.outcome is WriteOutcome.WRITTEN
    assert [body["consent"] for body in bodies] == ["unsubscribed"]
    assert result.record.consent is Consent.UNSUBSCRIBED


@pytest.mark.parametrize("late_s", [0.5, 4.5, 5.5, 50.0])
async def test_the_time_in_which_an_optout_can_be_overwritten_is_bounded(world, late_s):
    """The app's pages say how long it is."""
    world.vendor.add(1)
    world.vendor.put(FIRST, consent="subscribed")
    bodies = note_bodies(world)

    def opts_out(request):
        if request.method == "GET":
            world.vendor.faults.remove(opts_out)
            until_s = world.clock.monotonic() + late_s
            replica.transport.budget_of(REF).block(until_s=until_s)

    replica = world.replica()
    world.vendor.faults.append(opts_out)
    await world.ask_to_write(replica, update(world, 1, seen="P1", name="Ada"))
    await replica.write()
    is_within = late_s <= carrier.READ_AGE_MAX.total_seconds()
    assert len(bodies) == is_within


async def test_an_app_that_checks_by_itself_never_overwrites_an_optout(database):
    async with standing(database, writes_conditionally=True) as world:
        world.vendor.add(1)

        def opts_out(request):
            if request.method == "PUT":
                world.vendor.put(FIRST, consent="unsubscribed")

        world.vendor.faults.append(opts_out)
        found = await carried_out(world, update(world, 1, seen="P1", name="Ada"))
        assert found["int_1"].outcome is WriteOutcome.CHANGED
        assert found["int_1"].record.consent is Consent.UNSUBSCRIBED
        assert world.vendor.contacts[FIRST].consent == "unsubscribed"


# The consent of a create's source


def source_of(world, *, seconds_ago: float = 60, **values) -> SourceSeen:
    return SourceSeen(
        account_id=AccountId("acct_2"),
        app=APP,
        record_id=FIRST,
        fields={NAME: "P1"},
        seen_at=world.clock.now() - datetime.timedelta(seconds=seconds_ago),
        **values,
    )


@pytest.mark.parametrize("has_version", [False, True])
@pytest.mark.parametrize(
    ("wanted", "by_now", "outcome"),
    [
        (Consent.UNKNOWN, "unsubscribed", WriteOutcome.SOURCE_CHANGED),
        (Consent.SUBSCRIBED, "unsubscribed", WriteOutcome.SOURCE_CHANGED),
        (Consent.SUBSCRIBED, "unknown", WriteOutcome.SOURCE_CHANGED),
        (Consent.SUBSCRIBED, "subscribed", WriteOutcome.WRITTEN),
        (Consent.UNSUBSCRIBED, "suppressed", WriteOutcome.SOURCE_CHANGED),
        (Consent.UNSUBSCRIBED, "unsubscribed", WriteOutcome.WRITTEN),
        (Consent.UNSUBSCRIBED, "subscribed", WriteOutcome.WRITTEN),
        (Consent.UNKNOWN, "subscribed", WriteOutcome.WRITTEN),
    ],
)
async def test_who_unsubscribed_since_is_not_created_as_if_they_had_not(
    world, wanted, by_now, outcome, has_version
):
    """Hazards 36 and 83: no field tells of it, and in some apps no version.

    Nor is who is said to have agreed made on an old word where that is not known now.
    """
    world.vendor.add(1)
    world.vendor.put(FIRST, consent=by_now)
    version = str(world.vendor.contacts[FIRST].version) if has_version else ""
    source = source_of(world, version=version)
    found = await carried_out(world, create(world, 2, source=source, consent=wanted))
    result = found["int_2"]
    assert result.outcome is outcome
    if outcome is WriteOutcome.SOURCE_CHANGED:
        assert result.source_record.consent is Consent(by_now)
        assert world.vendor.made("POST") == []


async def test_a_consent_that_is_not_carried_holds_up_no_create(world):
    """It was so when the create was decided, and the connection leaves it alone."""
    world.vendor.add(1)
    world.vendor.put(FIRST, consent="unsubscribed")
    source = source_of(world, consent=Consent.UNSUBSCRIBED)
    found = await carried_out(world, create(world, 2, source=source))
    assert found["int_2"].outcome is WriteOutcome.WRITTEN


async def test_a_create_that_had_to_wait_asks_for_its_sources_consent_again(world):
    world.vendor.add(1)
    replica = world.replica()

    def hold_up(request):
        if request.path.startswith("/api/find"):
            world.vendor.faults.remove(hold_up)
            until_s = world.clock.monotonic() + 60.0
            replica.transport.budget_of(REF).block(until_s=until_s)

    world.vendor.faults.append(hold_up)
    source = source_of(world, seconds_ago=1)
    await world.ask_to_write(replica, create(world, 2, source=source))
    await replica.write()
    assert world.vendor.made("POST") == []
    world.vendor.put(FIRST, consent="unsubscribed")
    world.clock.move(writer.PUT_OFF_S)
    await replica.write()
    (result,) = await world.take_results()
    assert result.outcome is WriteOutcome.SOURCE_CHANGED
    assert world.vendor.made("POST") == []
