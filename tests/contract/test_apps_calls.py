"""Every app: how many calls it takes, beside the least that its vendor's API allows.

All of it goes through the connector's own poller and writer, with the page size and the
pace of the app's manifest, and is counted at the proxy.
"""

import asyncio
from collections.abc import Callable

import pytest

from proto.connector import WriteOutcome
from proto.ids import AccountId, TenantId
from services.connector.accounts import AccountRef
from services.connector.manifest import CountedBy
from services.connector.pacing import Lane
from services.connector.port import Call
from tests.contract.conformance import cards, lacking, least, stages
from tests.contract.conformance.least import Count, Least
from tests.contract.conformance.replica import Replica

pytestmark = pytest.mark.unchanged

PEOPLE = 1_003
"""Enough for several pages of any app, the last of them not full."""
MANY, FEW = 120, 10
CALLS, CROWD = 15, 8
"""So many calls each, one after the other, of so many at once for one account."""
PAUSE_S = 120.0
"""Longer than any app looks back before its last pass."""

Check = Callable[..., None]


@pytest.fixture
def fewest(bench, stage_name) -> Least:
    """Return what the stage declares."""
    found = bench.stage.least
    assert found is not None, f"stages/{stage_name}.py declares no least calls"
    return found


@pytest.fixture
def check(bench, stage_name, record_property) -> Check:
    """Compare the calls since ``forget`` with the least, and have the table show it."""

    def compare(work: str, size: int, *, least_calls: int, times_max: float) -> None:
        count = Count(
            stage=stage_name,
            work=work,
            size=size,
            made=len(bench.proxy.seen),
            least=least_calls,
            times_max=times_max,
        )
        record_property("calls", str(count))
        routes = [f"{one.method} {one.path[:80]}" for one in bench.proxy.seen]
        assert count.is_within, f"{count}\n" + "\n".join(routes[:100])

    return compare


@pytest.fixture
async def replica(bench, fewest) -> Replica:
    """Return a process that has read an account with nobody new in it."""
    await bench.fields()
    await bench.stage.fill(bench.stage.plain(n) for n in range(FEW))
    pass_time(bench)
    made = Replica(bench)
    made.restart()
    assert len(await made.scan()) == FEW
    pass_time(bench)
    await made.changes()
    bench.proxy.forget()
    return made


def pass_time(bench) -> None:
    """Let what happened be longer ago than an app looks back."""
    if "change_times" not in lacking.lacks_of(bench.stage.app):
        bench.stage.pass_time(PAUSE_S)


@pytest.mark.parametrize("name", sorted(stages.every()))
def test_every_stage_declares_the_least_calls(name):
    declared = stages.every()[name].least
    assert declared is not None, f"stages/{name}.py declares no least calls"
    assert declared.page_size > 1


async def test_a_scan_makes_hardly_more_calls_than_it_must(bench, fewest, check):
    await bench.stage.fill(bench.stage.plain(n) for n in range(PEOPLE))
    replica = Replica(bench)
    bench.proxy.forget()
    assert len(await replica.scan()) == PEOPLE
    check(
        "scan",
        PEOPLE,
        least_calls=fewest.scan(PEOPLE),
        times_max=least.FIRST_SYNC_MAX,
    )


async def test_an_idle_pass_makes_no_call_too_many(bench, replica, fewest, check):
    for _ in range(3):
        bench.proxy.forget()
        shown = await replica.changes()
        seen = replica.scanned
        assert all(seen[key] == one for key, one in shown.items()), "nobody changed"
    check("idle pass", 0, least_calls=fewest.changes(0), times_max=least.IDLE_MAX)


@pytest.mark.parametrize("is_new", [False, True], ids=["known", "new"])
async def test_changes_are_read_with_hardly_more_calls(
    bench, replica, fewest, check, is_new
):
    """Also by a process that took the account over, and knows nothing of it yet."""
    ids = list(replica.scanned)
    if is_new:
        replica.restart()
    for record_id in ids:
        await bench.stage.edit(record_id, {bench.stage.text_role: "Baker"})
    bench.proxy.forget()
    assert (await replica.changes()).keys() == set(ids)
    check(
        "changes to a new process" if is_new else "changes",
        FEW,
        least_calls=fewest.changes(FEW, is_new=is_new),
        times_max=least.CHANGES_MAX,
    )


@pytest.mark.parametrize(
    ("count", "times_max"),
    [(MANY, least.FIRST_SYNC_MAX), (FEW, least.CHANGES_MAX)],
    ids=["many", "few"],
)
async def test_creates_make_hardly_more_calls_than_they_must(
    bench, replica, fewest, check, count, times_max
):
    numbers = range(PEOPLE, PEOPLE + count)
    people = [
        (await bench.values(bench.stage.plain(n)), cards.email_of(n)) for n in numbers
    ]
    outcomes = await replica.create(people)
    assert outcomes == [WriteOutcome.WRITTEN] * count
    check("creates", count, least_calls=fewest.creates(count), times_max=times_max)
    for number in (numbers[0], numbers[-1]):
        assert len(await bench.stage.find(cards.email_of(number))) == 1


@pytest.mark.parametrize("count", [MANY, FEW], ids=["many", "few"])
async def test_updates_make_hardly_more_calls_than_they_must(
    bench, replica, fewest, check, count
):
    role, seen = bench.stage.text_role, dict(replica.scanned)
    more = range(PEOPLE, PEOPLE + count - len(seen))
    await bench.stage.fill(bench.stage.plain(n) for n in more)
    seen |= await replica.changes()
    assert len(seen) == count
    bench.proxy.forget()
    fields = await bench.values({role: bench.stage.shaped(role, "Baker")})
    outcomes = await replica.update(dict.fromkeys(seen, fields), seen=seen)
    assert outcomes == [WriteOutcome.WRITTEN] * count
    check(
        "updates",
        count,
        least_calls=fewest.updates(count),
        times_max=least.CHANGES_MAX,
    )
    for record_id in seen:
        assert (await bench.stage.see(record_id))[role] == "Baker"


async def test_accounts_of_one_client_share_its_limits_fairly(bench):
    """Together they make no more calls than one may, and none waits for a crowd."""
    limits = bench.manifest.limits
    if limits.counted_by is not CountedBy.CLIENT:
        pytest.skip(f"exempt: {bench.stage.app} counts the calls of each account")
    neighbour = AccountRef(TenantId("tnt_2"), AccountId("acct_2"), bench.ref.app)
    bench.issuer.neighbours[neighbour.account_id] = bench.stage.neighbour()
    made_s: list[float] = []
    gone_before: dict[AccountRef, int] = {}

    async def call(ref: AccountRef) -> None:
        """Call again and again; note when, and how many others went before it."""
        opened = await bench.transport.open(ref)
        for _ in range(CALLS):
            began = len(made_s)

            def note(_call: Call, began: int = began) -> None:
                others = len(made_s) - began
                gone_before[ref] = max(gone_before.get(ref, 0), others)
                made_s.append(bench.clock.monotonic())

            await bench.transport.drive(
                opened, opened.app.verify(), lane=Lane.POLL, before_call=note
            )

    await asyncio.gather(*(call(bench.ref) for _ in range(CROWD)), call(neighbour))
    busiest = max(sum(at <= each < at + 1.0 for each in made_s) for at in made_s)
    assert 1 < busiest <= limits.calls_per_second
    assert gone_before[neighbour] <= 2 < gone_before[bench.ref]
