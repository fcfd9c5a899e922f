"""A random walk of users over one installation; both vendors are the judges.

Rounds of several hundred acts in all. After each the two vendors' data are held
against what the users did. A failure prints the seed and the acts of the contact
concerned. The suite walks quiet, paused and busy rounds; ``WALK_SEED=7,8`` walks from
these seeds, with faults of the vendor and services killed besides.
"""

import asyncio
import os
import random

import pytest

from tests.e2e.installation import LOOK_S, Installation, installation
from tests.e2e.judge import Judge, Pair
from tests.e2e.walk import LEFT, RIGHT, Walk

ROUNDS = ("calm", "paused", "busy", "calm", "faults", "kill", "paused", "all")
WALKS = [(1, ROUNDS[:4])]
RACES_MAX = 0
"""Edits that may fall into the window that an app without conditional writes has; a
vendor that is slow or fails on purpose makes it wide."""
if "WALK_SEED" in os.environ:
    WALKS = [(int(seed), ROUNDS) for seed in os.environ["WALK_SEED"].split(",")]
    RACES_MAX = 3
ACTS_A_ROUND = 35
SETTLED_TIMEOUT_S = 150.0
FAULTS = (
    {"kind": "latency", "delay_s": 0.3, "probability": 0.3},
    {"kind": "status", "status": 500, "probability": 0.15},
    {"kind": "status", "status": 503, "probability": 0.15},
    {"kind": "status", "status": 429, "probability": 0.1},
    {"kind": "html", "status": 502, "probability": 0.1},
    {"kind": "timeout", "delay_s": 0.5, "probability": 0.1},
    {"kind": "late", "delay_s": 0.5, "probability": 0.1},
    {"kind": "applied_but_lost", "probability": 0.15},
    {"kind": "truncated_json", "probability": 0.1},
)
KILLED = ("connector", "reconciler", "api", "auth", "nats")


@pytest.mark.slow
@pytest.mark.timeout(400)
@pytest.mark.parametrize(("seed", "rounds"), WALKS)
async def test_whatever_people_do_both_sides_agree_and_nothing_is_lost(seed, rounds):
    source = random.Random(seed)
    async with installation(left_count=40, right_count=30, shared_count=15) as system:
        walk = Walk(system=system, random=source)
        judge = Judge(walk=walk)
        await system.start()
        await _settle(system)
        # In one walk people clear about as many values as go ahead unasked in an hour.
        await system.tell("approve")
        await judge.round(is_strict=True)
        for turn, kind in enumerate(rounds, 1):
            walk.turn = turn
            await _act(walk, judge, kind)
            await _settle(system)
            await judge.round(is_strict=kind == "paused")
            assert not judge.faults, _told(judge, seed, f"{turn} ({kind})")
            await _is_quiet(walk)
        assert len(walk.acts) > ACTS_A_ROUND * len(rounds) / 2
        assert judge.race_count <= RACES_MAX, judge.race_count


def _line(number: int, who: str, *fields: str) -> dict[str, object]:
    at = f"2026-01-01T00:00:{number:02}Z"
    return {
        "number": number,
        "at": at,
        "who": who,
        "contact_id": "1",
        "fields": fields,
    }


@pytest.mark.parametrize(
    ("name", "problem", "since_line", "is_excused"),
    [
        ("job", "I3: job is old, last edited to new", 0, True),
        ("job", "I1: job is one thing and another", 0, False),
        ("job", "job was one thing and is another", 0, False),
        ("given", "I3: given is old, last edited to new", 0, False),
        ("job", "I3: job is old, last edited to new", 3, False),
    ],
)
def test_only_the_edit_that_was_overtaken_is_excused(
    name, problem, since_line, is_excused
):
    """One overtaken edit once excused every field of the contact from then on."""
    pair = Pair(left=(LEFT, "1"), right=(RIGHT, "1"), since_line=since_line)
    journal = [
        _line(1, "user", "job_title"),
        _line(2, "user", "first_name"),
        _line(3, "api", "job_title", "last_name"),
    ]
    judge = Judge(walk=Walk(system=None, random=random.Random(1)))
    found = judge.raced(pair, name, problem=problem, journal=journal)
    assert found is is_excused


async def _act(walk: Walk, judge: Judge, kind: str) -> None:
    """Have the users act in one round, in the midst of what its kind says."""
    system = walk.system
    if kind == "paused":
        await system.tell("pause")
    if kind in ("faults", "all"):
        for rule in walk.random.sample(FAULTS, 3):
            await system.fault(path="/v3/contacts", seed=walk.turn, **rule)
    partners = judge.partners()
    for number in range(ACTS_A_ROUND):
        await walk.act(partners=partners)
        if kind in ("busy", "faults", "kill", "all") and number % 9 == 4:
            await system.tell("sync")
            await asyncio.sleep(walk.random.uniform(0.0, 0.3))
        if kind in ("kill", "all") and number in (15, 30):
            await system.system.kill(walk.random.choice(KILLED))
            await system.system.until_ready()
    await system.no_faults()
    if kind == "paused":
        await system.tell("resume")


async def _settle(system: Installation) -> None:
    """Sync until nothing is open and nothing waits for a next try of its own."""
    async with asyncio.timeout(SETTLED_TIMEOUT_S):
        await system.system.until_ready()
        await system.until_live()
        while (await system.settle())["counts"]["pending"]:
            await asyncio.sleep(LOOK_S)


async def _is_quiet(walk: Walk) -> None:
    """I2: two more passes write nothing."""
    system = walk.system
    before, cards = await system.write_counts(), await system.right.cards()
    for _ in range(2):
        await system.sync()
    assert await system.write_counts() == before
    assert await system.right.cards() == cards


def _told(judge: Judge, seed: int, turn: str) -> str:
    faults = "\n".join(judge.faults[:12])
    return f"seed {seed}, round {turn}, {len(judge.faults)} faults:\n{faults}"
