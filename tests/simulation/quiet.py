"""Two accounts full of contacts that are linked and that nobody touches (invariant I2).

While nobody does anything, nothing is written, however often both sides are read and
compared; and an edit of one field costs one write on the other side, none on its own.
"""

import asyncio
import resource
import signal
import time
from collections.abc import Iterable
from typing import Final, NamedTuple

from proto.fields import Role, Value
from proto.ids import AppId
from proto.reconciler import ConnectionState, RecordState, Side
from tests.fakes import loop
from tests.simulation import complaints, running, scenario
from tests.simulation.invariants import rest
from tests.simulation.invariants.truth import Wrong
from tests.simulation.ledger import Cause, Entry, Place
from tests.simulation.playing import Play
from tests.simulation.scenario import Scenario
from tests.simulation.vendors.ways import Ways

CONTACTS: Final = 10_000
ROUNDS: Final = 10
"""Full comparisons of both sides in which nothing may be written."""
PROCESSOR_S_MAX: Final = 900.0
MEMORY_MIB_MAX: Final = 1_024

ACCOUNT: Final = "ours"
LEFT, RIGHT = Place(AppId("sim_a"), ACCOUNT), Place(AppId("sim_b"), ACCOUNT)
TENANT: Final = "tnt_one"
ROLES: Final = (Role.EMAIL, Role.NAME_GIVEN, Role.NAME_FAMILY, Role.COMPANY)
LOOK_S: Final = 10.0
_OPEN: Final = ("open", "unknown")


class Rounds(NamedTuple):
    """What was read while nobody did anything."""

    comparisons: int
    polls: int
    """Of both sides together."""


class Told(NamedTuple):
    """What came of it."""

    linked: int
    rounds: Rounds
    idle: list[Entry]
    """What was written while nobody did anything."""
    cost: list[Entry]
    """What an edit of one field made be written."""
    wrongs: tuple[str, ...]
    linking_s: float
    idling_s: float
    """Real time of both parts."""


def report(contacts: int) -> int:
    """Play it, tell how it went, and return 0 if it was quiet."""
    started_s = time.monotonic()
    complaints.configure()
    signal.signal(signal.SIGPROF, running.give_up)
    signal.setitimer(signal.ITIMER_PROF, PROCESSOR_S_MAX)
    told = tell(contacts)
    signal.setitimer(signal.ITIMER_PROF, 0)
    for wrong in told.wrongs:
        print(f"  {wrong}")
    memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(
        f"{told.linked:,} linked contacts idle for {told.rounds.comparisons} full"
        f" comparisons and {told.rounds.polls} polls: {len(told.idle)} writes"
    )
    print(f"one edit of one field: {len(told.cost)} writes")
    took_s = time.monotonic() - started_s
    print(
        f"{took_s:.0f} s, of which linking {told.linking_s:.0f} s and idling"
        f" {told.idling_s:.0f} s; at most {memory_mib} MiB of {MEMORY_MIB_MAX}"
    )
    return 1 if told.wrongs or memory_mib > MEMORY_MIB_MAX else 0


def tell(contacts: int, *, rounds: int = ROUNDS) -> Told:
    """Link so many contacts, leave them alone for some rounds, and edit one."""
    plays: list[Play] = []
    found: list[Told] = []

    async def story(play: Play) -> None:
        found.append(await _story(play, contacts, rounds=rounds))

    async def run() -> None:
        play = Play(_scenario())
        plays.append(play)
        _populate(play, contacts)
        await play.run(script=story)

    loop.run(run(), start=running.START)
    [play], [told] = plays, found
    wrongs = [*told.wrongs, *(f"complaint {one}" for one in play.world.complaints)]
    return told._replace(wrongs=tuple(wrongs))


async def _story(play: Play, contacts: int, *, rounds: int) -> Told:
    started_s = time.monotonic()
    await _wait_for_rest(play)
    linked_s = time.monotonic()
    linked = _linked(play)
    passed = await _idle(play, rounds)
    idle = play.ledger.ours()
    idled_s = time.monotonic()

    [plan] = play.scenario.connections
    book = play.books[LEFT]
    edited = next(iter(book.holders))
    role = play.users.edit_once(plan, Side.LEFT, edited)
    await _idle(play, 1)
    await _wait_for_rest(play)
    cost = play.ledger.ours()[len(idle) :]
    wrongs: list[Wrong] = [
        *_is_complete(linked, contacts),
        *rest.stays_at_rest(idle, most=0),
        *rest.one_edit_one_write((LEFT, edited), cost, most=1),
        *_has_arrived(play, role, book.holders[edited].now.fields),
    ]
    return Told(
        linked=linked,
        rounds=passed,
        idle=idle,
        cost=cost,
        wrongs=tuple(map(str, wrongs)),
        linking_s=linked_s - started_s,
        idling_s=idled_s - linked_s,
    )


async def _wait_for_rest(play: Play) -> None:
    rows = play.world.database.rows
    while True:
        await asyncio.sleep(LOOK_S)
        is_live = all(
            row["state"] == ConnectionState.LIVE
            for row in rows("reconciler.connections")
        )
        is_open = any(row["state"] in _OPEN for row in rows("reconciler.intents"))
        if is_live and not is_open and not rows("reconciler.dirty"):
            return


async def _idle(play: Play, rounds: int) -> Rounds:
    """Wait until both sides were compared so often; nobody does anything."""
    rows = play.world.database.rows
    started_at = play.world.clock.now()
    done, polls = set(), set()
    while len(done) < rounds:
        await asyncio.sleep(LOOK_S)
        [row] = rows("reconciler.connections")
        asked_at = row["sweep_asked_at"]
        is_done = not (row["left_sweep"] or row["right_sweep"])
        if is_done and asked_at is not None and asked_at >= started_at:
            done.add(asked_at)
        polls |= {
            (each["account_id"], each["last_read_at"])
            for each in rows("connector.accounts")
        }
    return Rounds(comparisons=len(done), polls=len(polls))


def _linked(play: Play) -> int:
    return sum(
        row["state"] == RecordState.IN_SYNC
        and row["left_record_id"] is not None
        and row["right_record_id"] is not None
        for row in play.world.database.rows("reconciler.links")
    )


def _is_complete(linked: int, contacts: int) -> Iterable[Wrong]:
    if linked != contacts:
        yield Wrong("I1", f"{linked} of {contacts} contacts are linked")


def _has_arrived(play: Play, role: Role, left: dict[str, Value]) -> Iterable[Wrong]:
    mine, theirs = (play.books[place] for place in (LEFT, RIGHT))
    value = left[mine.ways.name_of(role)]
    name = theirs.ways.name_of(role)
    if not any(each.now.fields.get(name) == value for each in theirs.live()):
        yield Wrong("I14", f"an edit of {role} has not come to the other side")


def _scenario() -> Scenario:
    """Return two apps that differ in nothing but the names of their fields."""
    left, right = (
        Ways(
            app=place.app,
            roles=ROLES,
            is_shouting=place is RIGHT,
            # Whether somebody has an address already is asked of each that comes in.
            unique_emails=False,
            writes_conditionally=True,
            get_batch=50,
            page_size=500,
        )
        for place in (LEFT, RIGHT)
    )
    return scenario.calm((left, right), account=ACCOUNT, tenant=TENANT)


def _populate(play: Play, contacts: int) -> None:
    """Have everybody be on both sides already, and the same."""
    person = play.people.new(TENANT)
    for place in (LEFT, RIGHT):
        book = play.books[place]
        for number in range(contacts):
            values: dict[Role, Value] = {
                Role.EMAIL: f"contact{number}@x.example",
                Role.NAME_GIVEN: f"Ana{number}",
                Role.NAME_FAMILY: "Novak",
                Role.COMPANY: f"Novak {number % 100}",
            }
            book.create(
                {book.ways.name_of(role): value for role, value in values.items()},
                cause=Cause(person=person),
            )
