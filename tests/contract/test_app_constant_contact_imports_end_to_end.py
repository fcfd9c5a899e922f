"""Constant Contact's import through the connector's own journal, writer and transport.

The pace is the manifest's, the vendor's clock goes with ours, and every call is counted
between the two.
"""

import collections
import contextlib
import datetime
from collections.abc import AsyncIterator, Iterable
from typing import Any, Final

from proto.connector import ContactWrite, WriteKind, WriteOutcome
from proto.ids import RecordId
from proto.record import Consent
from services.connector.apps.constant_contact.imports import TOGETHER_MIN, WAITS_S
from tests.contract.conformance import bench as benches
from tests.contract.conformance import cards, least
from tests.contract.conformance.bench import Bench
from tests.contract.conformance.replica import Replica
from tests.contract.conformance.stages.constant_contact import ConstantContact
from tests.emulators.core.faults import Fault
from tests.fakes.clock import JointClock

IMPORT: Final = "/v3/activities/contacts_json_import"
CREATE: Final = "/v3/contacts"
YES, NOTHING = Consent.SUBSCRIBED, Consent.UNKNOWN
WRITTEN, EXISTS, UNKNOWN = (
    WriteOutcome.WRITTEN,
    WriteOutcome.EXISTS,
    WriteOutcome.UNKNOWN,
)
MANY: Final = 500
PACE: Final = 4
"""Calls a second that the vendor takes."""


class CommonClock(JointClock):
    """Our clock and the vendor's: what one waits for passes at the other."""

    def __init__(self, vendor: Any) -> None:
        super().__init__()
        self._vendor = vendor

    def move(self, seconds: float) -> None:
        super().move(seconds)
        self._vendor.advance(seconds)


class World:
    """The connector with one account, its vendor, and all calls between them."""

    def __init__(self, stage: ConstantContact, bench: Bench) -> None:
        self.stage = stage
        self.bench = bench
        self.account = stage._account
        self.replica = Replica(bench)

    @property
    def lists(self) -> dict[str, Any]:
        """What a create says of somebody who agreed and is to be on the list."""
        return {"consent": YES, "containers": (self.account.default_list.list_id,)}

    def new(self, number: int, **more: Any) -> ContactWrite:
        """Return a create of somebody who may be imported."""
        email = cards.email_of(number)
        fields = {"email": email, "first_name": "Person", "last_name": str(number)}
        fields |= more.pop("fields", {})
        return self.replica.new(fields, email, **{**self.lists, **more})

    def some(self, count: int, start: int = 1_000) -> list[ContactWrite]:
        return [self.new(number) for number in range(start, start + count)]

    async def outcomes(self, writes: Iterable[ContactWrite]) -> list[WriteOutcome]:
        return [one.outcome for one in await self.replica.write([*writes])]

    async def looked(self, writes: Iterable[ContactWrite]) -> set[WriteOutcome]:
        """Ask what became of creates; return all that is told."""
        looks = [self.replica.look(write.emails[0]) for write in writes]
        return {*await self.outcomes(looks)}

    def posts(self) -> dict[str, int]:
        """Return how often was called what creates."""
        paths = (one.path.partition("?")[0] for one in self.bench.proxy.made("POST"))
        return dict(collections.Counter(paths))

    def there(self) -> dict[str, Any]:
        """Return who is there by address; every address once."""
        self.account.run_jobs()
        found = [entry.contact for entry in self.account.book.living()]
        by_email = {one.email_address.address: one for one in found}
        assert len(by_email) == len(found)
        return by_email


@contextlib.asynccontextmanager
async def standing(*, people: int = 0, **behaviour: Any) -> AsyncIterator[World]:
    """Yield a world whose account was scanned, as before a first sync."""
    async with (
        ConstantContact.opened(None) as stage,
        benches.standing(stage, is_unchanged=True) as bench,
    ):
        for name, value in behaviour.items():
            setattr(stage._emulator.behaviour, name, value)
        await stage.fill(stage.plain(number) for number in range(people))
        bench.clock = CommonClock(stage._emulator.clock)
        bench.restart()
        world = World(stage, bench)
        await bench.fields()
        await world.replica.scan()
        bench.clock.move(120.0)
        bench.proxy.forget()
        yield world


async def test_many_are_created_with_hardly_more_calls_than_must_be():
    """Activities, addresses, the import, its end, who is there, what must be known."""
    async with standing(people=10) as world:
        assert await world.outcomes(world.some(MANY)) == [WRITTEN] * MANY
        made = [f"{one.method} {one.path[:60]}" for one in world.bench.proxy.seen]
        assert len(made) <= 5 * least.FIRST_SYNC_MAX, made
        assert world.posts() == {IMPORT: 1}


async def test_ten_thousand_are_created_by_less_than_three_hundred_calls(
    record_property,
):
    """One by one they are 10,000 calls, which is all of a client's day."""
    async with standing(people=10, import_queue_s=2, import_s=8) as world:
        assert await world.outcomes(world.some(10_000)) == [WRITTEN] * 10_000
        made = len(world.bench.proxy.seen)
        record_property("calls", str(made))
        assert made < 300, made
        assert world.posts().keys() == {IMPORT}
        assert len(world.there()) == 10_010


async def test_of_six_hundred_only_those_are_imported_who_may_be():
    async with standing(people=20) as world:
        stage, ids = world.stage, [*world.replica.scanned]
        await stage.unsubscribe(ids[0])
        await stage.delete(ids[1])
        silent = [world.new(2_000 + n, consent=NOTHING) for n in range(5)]
        no_list = [world.new(2_100 + n, containers=()) for n in range(5)]
        foreign = [
            world.new(2_200 + n, fields={"job_title": "x" * 50 + "\u00e9"[: n % 2]})
            for n in range(5)
        ]
        there = [world.new(n) for n in range(5)]
        others = world.some(580)
        writes = [*silent, *others[:300], *there, *no_list, *others[300:], *foreign]
        results = await world.replica.write(writes)
        told = {
            write.emails[0]: result.outcome
            for write, result in zip(writes, results, strict=True)
        }
        assert {told[one.emails[0]] for one in there} == {EXISTS}
        assert {told[one.emails[0]] for one in (*silent, *no_list, *others)} == {
            WRITTEN
        }
        refused = [one for one in foreign if told[one.emails[0]] is not WRITTEN]
        assert len(refused) == 2, "whose title is too long for the vendor"
        posts = world.posts()
        assert posts[IMPORT] == 2
        alone = len(silent) + len(no_list) + len(refused) + len(there)
        # The last chunk may hold few, whom to import would save nothing.
        assert alone <= posts[CREATE] < alone + TOGETHER_MIN
        shown = world.there()
        permission = {e: c.email_address.permission_to_send for e, c in shown.items()}
        assert {permission[one.emails[0]] for one in silent} == {"not_set"}
        assert {permission[one.emails[0]] for one in no_list} == {"implicit"}
        assert {permission[one.emails[0]] for one in others} == {"implicit"}
        assert permission[cards.email_of(0)] == "unsubscribed"
        assert cards.email_of(1) not in shown, "who was deleted stays so"
        assert not any(entry.api_writes for entry in world.account.book.entries[:20])


async def test_a_yes_is_the_same_whichever_way_somebody_is_created():
    """By themselves those alone are made whom no import can carry."""
    async with standing() as world:
        fields = {"last_name": "two\u00a0words"}
        alone = [world.new(2_000 + n, fields=fields) for n in range(3)]
        await world.outcomes([*world.some(50), *alone])
        assert world.posts() == {IMPORT: 1, CREATE: 3}
        permissions = {
            one.email_address.permission_to_send for one in world.there().values()
        }
        assert permissions == {"implicit"}


async def test_who_is_refused_by_an_import_is_created_alone_with_an_answer():
    """Also where the import took so long that all has to be checked again."""
    async with standing(imports_stop_after=470, import_s=20) as world:
        assert await world.outcomes(world.some(MANY)) == [WRITTEN] * MANY
        assert world.posts() == {IMPORT: 1, CREATE: 30}
        assert len(world.there()) == MANY


async def test_a_first_look_that_takes_long_is_not_made_for_nothing():
    """The import is too late then for what it rests on, and has its turn next time."""
    async with standing(people=30_000) as world:
        creates = world.some(MANY, start=50_000)
        assert await world.outcomes(creates) == [WRITTEN] * MANY
        assert world.posts().keys() == {IMPORT}
        assert len(world.bench.proxy.seen) < 90, "of which sixty go through the account"


async def test_an_import_that_takes_too_long_is_settled_by_looks_and_made_once():
    async with standing(import_queue_s=300) as world:
        creates = world.some(MANY)
        assert await world.outcomes(creates) == [UNKNOWN] * MANY
        some = creates[:3]
        assert await world.looked(some) == {WriteOutcome.STALE}
        # Nor does it hold up anything else of the account.
        assert await world.outcomes([world.new(9_000, consent=NOTHING)]) == [WRITTEN]
        world.bench.clock.move(300)
        assert await world.looked(creates) == {EXISTS}
        assert world.posts() == {IMPORT: 1, CREATE: 1}
        assert len(world.there()) == MANY + 1


async def test_an_import_whose_answer_is_lost_is_made_once():
    async with standing(import_queue_s=60) as world:
        creates = world.some(MANY)
        world.bench.fault("lost", method="POST")
        assert await world.outcomes(creates) == [UNKNOWN] * MANY
        world.replica.restart()
        assert await world.looked(creates[:3]) == {EXISTS}
        assert world.posts() == {IMPORT: 1}


async def test_nobody_is_missing_while_an_import_may_still_make_them():
    async with standing(import_queue_s=3_600) as world:
        creates = world.some(MANY)
        world.bench.fault("lost", method="POST")
        await world.outcomes(creates)
        world.replica.restart()
        assert await world.looked(creates[:3]) == {WriteOutcome.STALE}


async def test_where_imports_are_out_of_order_people_are_made_after_a_look():
    """Else whoever agreed would be imported in vain, and looked for, for ever."""
    async with standing() as world:
        rule = {"kind": "status", "path": IMPORT, "status": 500}
        world.stage._emulator.faults.add(Fault(**rule))
        creates = world.some(200)
        assert await world.outcomes(creates) == [UNKNOWN] * 200
        world.bench.clock.move(10)
        assert await world.looked(creates) == {WriteOutcome.MISSING}
        assert await world.outcomes(world.some(200)) == [WRITTEN] * 200
        assert world.posts() == {IMPORT: 1, CREATE: 200}


async def test_permission_that_is_lost_is_no_fault_of_those_who_wait_for_it():
    """That nobody could be imported says nothing of the account (hazard 51)."""
    async with standing() as world:
        creates = world.some(30)
        faults = world.stage._emulator.faults
        for path, count in (("/v3/activities", 1), (CREATE, 30)):
            method = "POST" if path == CREATE else None
            rule = {"kind": "status", "path": path, "method": method, "status": 403}
            faults.add(Fault(**rule, count=count))
        assert await world.outcomes(creates) == [WRITTEN] * 30


async def test_an_import_that_never_came_to_the_vendor_leaves_nobody_in_doubt():
    async with standing() as world:
        creates = world.some(MANY)
        world.bench.fault("dropped", method="POST")
        assert await world.outcomes(creates) == [UNKNOWN] * MANY
        assert await world.looked(creates[:3]) == {WriteOutcome.MISSING}
        assert world.there() == {}


async def test_a_crash_while_an_import_runs_is_settled_like_a_lost_answer():
    async with standing(import_queue_s=20) as world:
        creates = world.some(MANY)

        async def die() -> None:
            await world.replica.die()

        world.bench.fault("held", method="POST", meanwhile=die)
        results = await world.replica.write(creates)
        assert {one.outcome for one in results} == {UNKNOWN}
        assert all(one.sent_at is not None for one in results)
        world.bench.clock.move(60)
        assert await world.looked(creates[:5]) == {EXISTS}
        assert len(world.account.activities) == 1
        assert len(world.there()) == MANY


async def waited_s(
    world: World, writes: Iterable[ContactWrite], *, at: str = "POST"
) -> float:
    """Return how long an unsubscribe waits that is asked for once something is sent."""
    (record_id,) = world.replica.scanned
    out = ContactWrite(
        intent_id=world.replica.look("nobody@example.org").intent_id,
        kind=WriteKind.UPDATE,
        record_id=RecordId(record_id),
        fields={},
        consent=Consent.UNSUBSCRIBED,
        is_urgent=True,
        not_after=world.bench.clock.now() + datetime.timedelta(hours=1),
    )
    asked_at = []

    async def ask() -> None:
        asked_at.append(world.bench.clock.now())
        await world.replica.ask([out])

    world.bench.fault("held", method=at, meanwhile=ask)
    await world.replica.write([*writes])
    (written,) = await world.replica.done([out])
    assert written.outcome is WRITTEN
    assert written.sent_at is not None
    return (written.sent_at - asked_at[0]).total_seconds()


async def test_an_unsubscribe_waits_for_an_import_no_longer_than_it_is_waited_for():
    async with standing(people=1, import_queue_s=300) as world:
        creates = [*world.some(MANY), world.new(9_000, consent=NOTHING)]
        found_s = await waited_s(world, creates)
        assert sum(WAITS_S) - 1 < found_s < sum(WAITS_S) + 5
        assert world.posts() == {IMPORT: 1, CREATE: 1}, "and before what else waited"


async def test_an_unsubscribe_waits_for_creates_that_go_alone_as_before():
    """A chunk holds no more of them because others could go together."""
    async with standing(people=1) as world:
        silent = [world.new(2_000 + n, consent=NOTHING) for n in range(100)]
        assert await waited_s(world, silent) < 8
        assert world.posts() == {CREATE: 100}


async def test_an_unsubscribe_waits_for_no_more_looks_than_before():
    """Each of them is a call, however many can be made together (hazard 84)."""
    async with standing(people=1, import_queue_s=300) as world:
        creates = world.some(MANY)
        assert await world.outcomes(creates) == [UNKNOWN] * MANY
        world.bench.clock.move(300)
        looks = [world.replica.look(write.emails[0]) for write in creates]
        world.bench.proxy.forget()
        await waited_s(world, looks, at="GET")
        methods = [one.method for one in world.bench.proxy.seen]
        # By the clock it would be the machine's pace, too.
        assert methods.index("PUT") < 8 * PACE
        assert {one.outcome for one in await world.replica.done(looks)} == {EXISTS}


async def test_an_unsubscribe_does_not_wait_for_all_who_cannot_be_imported_after_all():
    """They are too late for what was checked, and take nobody's turn (hazard 84)."""
    async with standing(people=1) as world:
        world.account.start_activity()
        assert await waited_s(world, world.some(MANY)) < 12
        assert len(world.there()) == MANY + 1
