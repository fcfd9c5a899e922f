"""No canary gets out, in a whole run in which everything goes wrong that can (S9).

Secrets are nowhere but in the folder of keys, sealed, in memory and on the way to the
vendor; what is about people is in the tables of records and nowhere an operator or a
stranger looks: not in logs, metrics, errors, listings or public events.
"""

import base64
import json
import time

import pytest

from proto.subjects import SERVICES
from tests.security.canaries import acts, belonging, control, places, running, words
from tests.security.canaries.places import Place
from tests.security.canaries.running import World
from tests.security.canaries.searching import Hit, Search
from tests.security.canaries.words import CONTACT, Canary, Nest

SEED = 9


def test_a_word_is_found_in_every_writing_wherever_it_begins():
    nest = Nest(SEED)
    texts = [f"Ñ{nest.word()} & é", nest.word(11), nest.word(200), nest.digits(11)]
    canaries = [
        Canary(group, text[:4], text)
        for text in texts
        for group in (CONTACT if len(text) < 30 else "token",)
    ]
    search = Search(canaries)
    for canary in canaries:
        for writing, needle in words.writings(canary.text[:24]).items():
            for before in (b"", b"a", b"ab", bytes(3)):
                hits = search.find(before + needle + b"xyz", place="here")
                assert [hit.canary for hit in hits] == [canary], writing
    assert not search.find(b"nothing of it" * 1_000, place="here")


@pytest.mark.parametrize("length", range(12, 30))
def test_base64_is_found_at_each_of_three_alignments(length):
    nest = Nest(SEED)
    canary = Canary("token", "x", nest.word(length))
    for shift in range(6):
        text = base64.b64encode(b"u" * shift + canary.text.encode() + b"more")
        assert Search([canary]).find(text, place="here"), shift


@pytest.mark.e2e
@pytest.mark.slow
@pytest.mark.timeout(400)
async def test_no_canary_gets_out_in_a_whole_run(figures):
    """As much goes wrong as can, and everything that anybody could look at is searched.

    That nothing is found proves something only because each canary was used, and
    because one that is let out is found in every place and writing.
    """
    nest, let_out = Nest(SEED), control.canary()
    async with running.running(nest) as world:
        await acts.play(world)
        found = await _collected(world)
        planted = await control.plant(world, let_out)
    began = time.monotonic()
    search = Search(nest)
    hits = [
        (place, hit)
        for place in found
        for hit in search.find(place.told, place=place.name)
    ]
    got_out = [
        (place.kind, hit) for place, hit in hits if hit.canary.group not in place.held
    ]
    figures |= _figures(found, got_out, nest)
    figures["s_search"] = round(time.monotonic() - began, 1)
    figures["writings"] = search.needle_count
    figures |= {f"s_{act}": took for act, took in world.notes.took_s.items()}
    assert not got_out, got_out[:20]

    tables = {place.name for place in found if place.kind == "table"}
    assert tables - set(places.SERVERS_OWN) == set(belonging.TABLES), "declare them"
    at_home = {hit.canary for place, hit in hits if hit.canary.group in place.held}
    unused = [each for each in nest if not _was_used(each, world, at_home, found)]
    assert not unused, unused

    for service in SERVICES:
        lines = (p.data for p in found if p.name == f"{service}.log")
        assert all(json.loads(line)["event"] for line in b"".join(lines).splitlines())

    missed = control.missed(planted, let_out)
    figures["controls_found"] = sum(
        len(control.lines(let_out)) - len(lines) for lines in missed.values()
    )
    assert not any(missed.values()), missed


def _figures(
    found: list[Place], got_out: list[tuple[str, Hit]], nest: Nest
) -> dict[str, int]:
    """Return what was searched, and what got out."""
    figures = {"hits": len(got_out), "canaries": len(nest), "places": len(found)}
    figures |= {f"canaries_{group}": count for group, count in nest.groups().items()}
    for place in found:
        kind = place.kind.lower().replace("' ", "_")
        for name, more in (("places", 1), ("bytes", len(place.data))):
            figures[f"{name}_{kind}"] = figures.get(f"{name}_{kind}", 0) + more
    figures["bytes"] = sum(len(place.data) for place in found)
    return figures


def _was_used(
    canary: Canary, world: World, at_home: set[Canary], found: list[Place]
) -> bool:
    """Say whether a canary did come by: at a vendor, in a request, or where it belongs.

    A password of a database never travels, and Postgres tells that it was proved. The
    keys of NATS and of the vault do not travel either: without them no message would
    have gone out, and nothing would be sealed.
    """
    if canary in at_home or canary.text in world.notes.proved:
        return True
    text = canary.text.encode()
    seen = [world.notes.answers, *(gate.heard for gate in world.gates.values())]
    if any(text in each for each in seen):
        return True
    names = {place.name: place for place in found}
    match canary.group:
        case "database_password":
            said = f'authenticated: identity="{canary.name}" method=scram'
            return said.encode() in names["postgres.log"].data
        case "nats_seed":
            return any(name.startswith(SAID_BY[canary.name]) for name in names)
        case "key_ring":
            service, key_id = canary.name.split()
            return key_id.encode() in names[KEYED[service]].data
    return False


KEYED = {
    "api": "api.second_factors",
    "auth": "auth.credentials",
    "reconciler": "reconciler.suppressions",
}
SAID_BY = {
    "auth": "answer to cmd.auth.",
    "connector": "evt.connector.",
    "reconciler": "evt.reconciler.",
    "api": "cmd.auth.",
}
"""What only one service can have said."""


async def _collected(world: World) -> list[Place]:
    """Return everything that there is to search, while it all still runs."""
    system, layout = world.system, world.system.layout
    left_out = (layout.keys, layout.radicale, layout.root / "logs")
    return await places.collect_all(
        world.notes.found,
        places.logs(layout.root / "logs"),
        places.messages("message", world.tap.messages),
        places.messages("stream", await world.tap.streams()),
        places.metrics({name: system.url(name) for name in SERVICES}),
        places.tables(system.admin_url),
        places.processes(system.pids(), {s: system.settings(s) for s in SERVICES}),
        places.files(layout.root, skip=left_out, changed=world.changes),
    )
