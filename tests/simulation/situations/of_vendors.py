"""What vendors are like, as far as that showed, and what happened to calls."""

from proto.reconciler import SIDES
from tests.simulation.ledger import Place
from tests.simulation.situations.story import Found, Story
from tests.simulation.vendors.api import Refused
from tests.simulation.vendors.ways import Paging

UNSURE = ("late write", "lost write", "cut write", "fails_after write")


def of(story: Story) -> Found:
    """Yield the situations that calls were in."""
    calls = story.calls
    unsure = sum(calls[name] for name in UNSURE)
    yield "A05", calls["PATCH 409"] + calls["PUT 409"] > 0
    yield "B23", calls["broken page"] > 0
    yield "B25", calls["page read"] + calls["page write"] > 0
    yield "C31", calls["unheard write"] > 0 or story.is_cut()
    yield "C32a", calls["late write"] > 0
    yield "C32b", unsure > 0
    yield "C33", calls["orphaned write"] > 0
    yield "C36", calls["limited write"] + calls["busy write"] > 0
    yield "C39", calls["PATCH 412"] + calls["PUT 412"] > 0
    yield "C42a", calls["POST 409"] > 0
    yield "C--", calls["twice write"] > 0
    for line in story.played.lines:
        ways, counts = line.vendor.ways, line.counts
        is_unsure = any(counts[name] for name in UNSURE)
        yield "C34", ways.lag_s > 0 and is_unsure
        is_offset = ways.paging is Paging.OFFSET
        yield "B20", is_offset and counts["further page"] > 0
        methods = ("GET", "POST", "PATCH", "PUT")
        yield "C45", any(counts[f"{method} 429"] for method in methods)
        presented = line.vendor.oauth.presented
        yield "H108", bool(presented)
        yield "H109", any(not each.is_taken for each in presented)
        for account, known in line.vendor.calls.items():
            yield "B22", known.stale > 0
            yield "C43a", known.halves > 0
            yield "C43b", known.refused_batches > 0
            place = line.vendor.books[account].place
            for refused in known.refused:
                yield "C42b", _is_of_another(story, place, refused)


def _is_of_another(story: Story, place: Place, refused: Refused) -> bool:
    """Say whether a record that a create met belongs to another link."""
    found = story.truth.row_of(refused.marker)
    return found is not None and any(
        story.key(row, side) == (place, refused.existing_id)
        for row in story.links
        if row.connection_id == found[1].connection_id and row.mark != refused.marker
        for side in SIDES
    )
