"""What was set, what Tandem was left with, and what went wrong on our own side."""

import itertools
from collections import defaultdict

from proto.connector import WriteKind, WriteOutcome
from proto.ids import AppId
from services.reconciler.engine.model import Reason
from tests.simulation.invariants.truth import Owned
from tests.simulation.situations.story import Found, Story

_OSCILLATES = f'"{Reason.OSCILLATES.value}"'.encode()


def of(story: Story) -> Found:
    """Yield the situations that Tandem was in."""
    for owned in story.truth.owned:
        yield from _of_settings(owned)
    yield from _of_tables(story)
    yield from _of_troubles(story)
    yield "A10", story.played.errands.counts["authorise_wrongly"] > 0
    yield "D68", story.played.scenario.is_ring and _goes_round(story)
    tenants = {owned.tenant for owned in story.truth.owned}
    yield "H112", len(tenants) > 1


def _of_settings(owned: Owned) -> Found:
    settings = [version.settings for version in owned.versions]
    yield "D67", len({each.winner for each in settings}) > 1
    yield "E71", bool(owned.was_guarded)
    yield (
        "E75",
        any(
            (before.left_rules, before.right_rules)
            != (after.left_rules, after.right_rules)
            for before, after in itertools.pairwise(settings)
        ),
    )
    yield "E76", len({each.mappings_off for each in settings}) > 1


def _of_tables(story: Story) -> Found:
    written = story.played.world.counts
    yield "E69", written["connector.wanted_reads"] > written["controls"]
    yield "E70", written["controls"] > 0
    yield "D56b", bool(story.rows("reconciler.losses"))
    reasons = {row.link_id: row.reason for row in story.links}
    yield (
        "C42b",
        any(
            row["kind"] == WriteKind.CREATE
            and row["outcome"] == WriteOutcome.EXISTS
            and reasons.get(row["link_id"]) == Reason.MATCH_IS_LINKED
            for row in story.rows("reconciler.intents")
        ),
    )
    bodies = (row["body"] for row in story.rows("reconciler.links"))
    yield "D54c", any(_OSCILLATES in body for body in bodies)


def _of_troubles(story: Story) -> Found:
    played = story.played
    troubles, crashes = played.scenario.troubles, played.crashes
    bus, database = played.world.broker.counts, played.world.database.counts
    yield "G90a", bus["lost"] > 0
    yield "G90b", bus["receipt lost"] > 0
    yield "G90c", troubles.bus_outages > 0
    yield "G91", bus["repeated"] > 0
    yield "G92", bus["late"] > 0
    yield "G95", bus["held too long"] > 0
    yield "G97a", database["unknown commit"] > 0
    yield "G97b", database["lost commit"] > 0
    yield "G97c", troubles.database_outages > 0
    yield "G101a", any(count > 1 for count in troubles.replicas.values())
    yield "G101b", played.stalls.count > 0
    yield "G103", crashes.stop_count > 0
    is_cut = troubles.stop_s == 0.0
    yield "G104", is_cut and played.world.counts["stopped at work"] > 0
    yield "G--", troubles.skew_s_max > 0


def _goes_round(story: Story) -> bool:
    """Say whether somebody was written to at two of three vendors at least."""
    places: dict[int, set[AppId]] = defaultdict(set)
    for entry in story.played.ledger.ours():
        person = story.truth.people.person_of.get(entry.key)
        if person is not None:
            places[story.truth.people.root(person)].add(entry.place.app)
    return any(len(apps) > 1 for apps in places.values())
