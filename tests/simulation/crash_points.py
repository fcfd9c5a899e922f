"""One story, told again and again, each time with a crash at another point.

It has what a connection lives through: a first sync, creates, edits, a conflict, a
deletion, a merge of addresses, refreshed tokens. Whatever a process was doing when it
ended, the story has to end as it does without (invariant I9).
"""

import asyncio
import functools
from collections import Counter
from collections.abc import Iterator
from typing import Final, NamedTuple

import msgspec

from proto.fields import Role, Value
from proto.ids import AppId, RecordId
from proto.reconciler import ConnectionAct
from proto.record import Consent
from tests.fakes import loop
from tests.simulation import scenario
from tests.simulation.crashes import Point
from tests.simulation.ledger import Cause, Place
from tests.simulation.playing import Play
from tests.simulation.running import START
from tests.simulation.scenario import Scenario
from tests.simulation.vendors.book import Book
from tests.simulation.vendors.ways import Markers, Ways

ACCOUNT: Final = "ours"
LEFT, RIGHT = Place(AppId("sim_a"), ACCOUNT), Place(AppId("sim_b"), ACCOUNT)
TENANT: Final = "tnt_one"
ROLES: Final = (Role.EMAIL, Role.NAME_GIVEN, Role.NAME_FAMILY, Role.COMPANY)
BETWEEN_S: Final = 100.0
"""From one act to the next: long enough to be read, planned, lost and written again."""
SWEEP_S: Final = 10.0
"""How often lost answers are looked for; else a story would be half waiting."""
TOKEN_LIFETIME_S: Final = 240.0


class Ending(NamedTuple):
    """What is left when the story is over."""

    records: tuple[str, ...]
    links: tuple[str, ...]
    writes: Counter[str]
    """Our writes by the address that a record had first."""


class Tried(NamedTuple):
    """A point, and what a crash there changed in the end."""

    point: Point
    differences: tuple[str, ...]


class Told(NamedTuple):
    """One telling."""

    ending: Ending
    passed: Counter[tuple[str, str]]
    crash_count: int
    complaints: tuple[str, ...]


def tell(point: Point | None = None) -> Told:
    """Tell the story, with a crash at a point or without one."""
    plays: list[Play] = []

    async def run() -> None:
        play = Play(_scenario())
        plays.append(play)
        _populate(play)
        if point is None:
            play.crashes.count_places()
        else:
            play.crashes.happen_at(point)
        await play.run(script=_story)

    loop.run(run(), start=START)
    [play] = plays
    return Told(
        ending=_ending(play),
        passed=play.crashes.passed,
        crash_count=play.crashes.count,
        complaints=tuple(play.world.complaints),
    )


def points(passed: Counter[tuple[str, str]]) -> Iterator[Point]:
    """Yield the points to try: each place when it is new, in between, and at last."""
    for (service, place), count in sorted(passed.items()):
        for number in sorted({1, (count + 1) // 2, count}):
            yield Point(service, place, number)


def differences(point: Point) -> Tried:
    """Say what is otherwise in the end after a crash at a point; nothing should be."""
    told = tell(point)
    found = [f"complaint {one}" for one in told.complaints]
    if told.crash_count != 1:
        found.append(f"{told.crash_count} crashes")
    return Tried(point, (*found, *compare(told.ending, _without_crash().ending)))


def compare(now: Ending, before: Ending) -> Iterator[str]:
    """Yield in what an ending differs from that of the story without a crash.

    A write that was under way may have been carried out, and be decided again: each
    record has at most one open intent, so that may cost it one more.
    """
    for kind in ("records", "links"):
        here, there = Counter(getattr(now, kind)), Counter(getattr(before, kind))
        yield from (f"more: {one}" for one in (here - there).elements())
        yield from (f"gone: {one}" for one in (there - here).elements())
    for key, count in (now.writes - before.writes).items():
        if count > 1:
            yield f"{count} more writes to {key}"


@functools.cache
def _without_crash() -> Told:
    return tell()


def _scenario() -> Scenario:
    ways = Ways(
        app=LEFT.app,
        roles=ROLES,
        writes_conditionally=True,
        markers=Markers.KEPT,
        has_consent=True,
        token_lifetime_s=TOKEN_LIFETIME_S,
    )
    other = msgspec.structs.replace(
        ways,
        app=RIGHT.app,
        is_shouting=True,
        writes_conditionally=False,
        markers=Markers.IGNORED,
        get_batch=5,
    )
    drawn = scenario.calm((ways, other), account=ACCOUNT, tenant=TENANT)
    return msgspec.structs.replace(drawn, sweep_s=SWEEP_S)


def _populate(play: Play) -> None:
    for name in ("ana", "ben", "cy", "dora"):
        _create(play, LEFT, name)
    for name in ("cy", "dora", "eve", "finn"):
        _create(play, RIGHT, name)


async def _story(play: Play) -> None:
    left, right = play.books[LEFT], play.books[RIGHT]
    await _pass_time(play)
    _create(play, LEFT, "gil")
    _edit(right, "eve", Role.COMPANY, "Eve & Co")
    await _pass_time(play)
    _edit(left, "cy", Role.NAME_FAMILY, "Left")
    _edit(right, "cy", Role.NAME_FAMILY, "Right")
    _edit(left, "dora", Role.COMPANY, None)
    await _pass_time(play)
    left.delete(_find(left, "ana"))
    right.edit(_find(right, "finn"), consent=Consent.UNSUBSCRIBED)
    await _pass_time(play)
    _edit(left, "ben", Role.EMAIL, "benjamin@x.example")
    _create(play, LEFT, "hal")
    _create(play, RIGHT, "hal")
    [made] = play.customers.connections
    await play.customers.attempt(made, ConnectionAct.SYNC_NOW)
    await _pass_time(play)
    await play.customers.attempt(made, ConnectionAct.PAUSE)
    _edit(right, "dora", Role.NAME_GIVEN, "Theodora")
    await play.customers.attempt(made, ConnectionAct.RESUME)
    await _pass_time(play)


async def _pass_time(play: Play) -> None:
    """Wait, and once more where somebody had to authorise an account again."""
    await asyncio.sleep(BETWEEN_S)
    if await play.customers.heal():
        await asyncio.sleep(BETWEEN_S)


def _create(play: Play, place: Place, name: str) -> None:
    values: dict[Role, Value] = {
        Role.EMAIL: f"{name}@x.example",
        Role.NAME_GIVEN: name.title(),
        Role.NAME_FAMILY: "Novak",
        Role.COMPANY: "Novak & Co",
    }
    book = play.books[place]
    book.create(
        {book.ways.name_of(role): value for role, value in values.items()},
        cause=Cause(person=play.people.new(TENANT)),
    )


def _edit(book: Book, name: str, role: Role, value: Value) -> None:
    book.edit(_find(book, name), {book.ways.name_of(role): value})


def _find(book: Book, name: str) -> RecordId:
    holder = book.owner_of(f"{name}@x.example")
    assert holder is not None, f"{name} has not come to {book.place.app}"
    return holder.record_id


def _ending(play: Play) -> Ending:
    records = []
    for place, book in play.books.items():
        for holder in book.holders.values():
            values = [holder.now.fields.get(book.ways.name_of(r)) for r in ROLES]
            state = holder.now
            records.append(f"{place.app} {values} {state.consent} {state.status}")
    links = [
        f"{row['email']} {row['state']} {row['reason']}"
        for row in play.world.database.rows("reconciler.links")
    ]
    writes: Counter[str] = Counter()
    for entry in play.ledger.ours():
        first = play.books[entry.place].holders[entry.record_id].history[0][1]
        email = first.fields[play.books[entry.place].ways.name_of(Role.EMAIL)]
        writes[f"{entry.place.app} {email}"] += 1
    return Ending(tuple(sorted(records)), tuple(sorted(links)), writes)
