"""Which of the hazards' situations a simulation had, by their numbers in hazards.md.

The run prints how common each was: a hazard that never comes up proves nothing. What
counts is what happened, as far as that was written down anywhere.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Final, Protocol

from proto.ids import AppId
from proto.reconciler import Direction
from proto.record import Consent
from tests.simulation.crashes import Crashes
from tests.simulation.invariants.truth import Truth
from tests.simulation.ledger import Act, Entry, Ledger, Who
from tests.simulation.scenario import Scenario
from tests.simulation.users import Users
from tests.simulation.vendors.api import Vendor
from tests.simulation.vendors.line import Line
from tests.simulation.vendors.ways import Paging

SOON_S: Final = 60.0
UNSURE: Final = ("late write", "lost write", "cut write", "fails_after write")


class Played(Protocol):
    """What is looked at of a simulation that is over."""

    scenario: Scenario
    ledger: Ledger
    users: Users
    vendors: Mapping[AppId, Vendor]
    lines: list[Line]
    crashes: Crashes


def of(played: Played, truth: Truth) -> tuple[str, ...]:
    """Return the situations that a simulation had, in a fixed order."""
    calls: Counter[str] = Counter()
    for line in played.lines:
        calls += line.counts
    found = [
        *_of_users(played.users.counts),
        *_of_records(played.ledger.entries, truth),
        *_of_vendors(played, calls),
        *_of_troubles(played),
        *_of_settings(truth),
    ]
    return tuple(sorted({name for name, is_so in found if is_so}))


def _of_users(acts: Counter[str]) -> Iterator[tuple[str, bool]]:
    yield "A01 one person entered on both sides", acts["create_both"] > 0
    yield "A02 an address given to a second record", acts["take_email"] > 0
    yield "A04 an email changed", acts["change_email"] > 0
    yield "A05 an email changed to a taken one", acts["take_email (refused)"] > 0
    yield "A09 two records merged", acts["merge"] > 0
    yield "A21 an email removed", acts["drop_email"] > 0
    yield "D56 both sides edited", acts["edit_both"] > 0
    yield "E73 deleted here, edited there", acts["delete_and_edit"] > 0
    yield "E74 restored", acts["restore"] > 0
    yield "F85 opted in again", acts["resubscribe"] > 0


def _of_records(entries: list[Entry], truth: Truth) -> Iterator[tuple[str, bool]]:
    born: dict[object, Entry] = {}
    for entry in entries:
        if entry.act is Act.CREATE:
            born[entry.key] = entry
        yield from _of_entry(entry, born.get(entry.key), truth)


def _of_entry(
    entry: Entry, made: Entry | None, truth: Truth
) -> Iterator[tuple[str, bool]]:
    ways = truth.ways(entry.place)
    is_user, is_ours = entry.who is Who.USER, entry.who is Who.TANDEM
    is_new = (
        made is not None
        and made.who is Who.TANDEM
        and made is not entry
        and entry.at < made.at + SOON_S
    )
    yield (
        "A12 a new record of ours got another email at once",
        is_user and is_new and ways.email_name in entry.changed,
    )
    yield "A13 an edit while a create was open", is_user and is_new
    yield "B18 two edits in one second", _is_same_second(entry)
    yield "C35 a new record of ours deleted at once", is_new and entry.act is Act.DELETE
    asked = entry.cause.asked if is_ours else {}
    yield (
        "D53 a value rewritten by its vendor",
        any(entry.after.fields.get(name) != value for name, value in asked.items()),
    )
    yield "D54 a value rewritten later", entry.who is Who.VENDOR
    yield (
        "D55 a value cut",
        any(
            isinstance(value, str)
            and isinstance(held := entry.after.fields.get(name), str)
            and len(held) < len(value.strip())
            for name, value in asked.items()
        ),
    )
    lists = () if entry.before is None else entry.before.lists
    is_moved = is_user and entry.act is Act.EDIT and lists != entry.after.lists
    is_bounded = any(
        owned.container(side) is not None for owned, side in truth.ends_at(entry.place)
    )
    yield "B30 moved in or out of what is connected", is_moved and is_bounded
    yield (
        "E72 a linked record deleted",
        is_user and entry.act is Act.DELETE and bool(truth.partners(entry.key)),
    )
    consent = entry.after.consent
    yield "F82 unsubscribed by a user", is_user and consent is Consent.UNSUBSCRIBED
    yield "F86 bounced", consent is Consent.SUPPRESSED
    yield (
        "F83 made by us where silence subscribes",
        is_ours
        and entry.act is Act.CREATE
        and ways.has_consent
        and ways.default_consent == "subscribed",
    )


def _is_same_second(entry: Entry) -> bool:
    before = entry.before
    return (
        entry.who is Who.USER
        and before is not None
        and before.stamp == entry.after.stamp
        and bool(entry.changed)
    )


def _of_vendors(played: Played, calls: Counter[str]) -> Iterator[tuple[str, bool]]:
    ways = [vendor.ways for vendor in played.vendors.values()]
    unsure = sum(calls[name] for name in UNSURE)
    lags = any(each.lag_s for each in ways)
    yield "B17 stamps in whole seconds", any(each.stamp_s >= 1.0 for each in ways)
    yield "B19 a clock that is wrong", any(each.skew_s for each in ways)
    yield "B20 pages by offset", any(each.paging is Paging.OFFSET for each in ways)
    yield "B22 listings that lag", lags
    yield "B23 a page that broke in the middle of a pass", calls["broken page"] > 0
    yield "B25 an answer that is no JSON", calls["page read"] + calls["page write"] > 0
    yield "C32 a write that came late", calls["late write"] > 0
    yield "C32 a write without an answer", unsure > 0
    yield (
        "C33 its sender died while a write was on its way",
        (calls["abandoned write"] > 0),
    )
    yield "C34 an outcome unknown while listings lag", lags and unsure > 0
    yield "C36 a write put off", calls["limited write"] + calls["busy write"] > 0
    yield "C39 writes without conditions", not all(w.writes_conditionally for w in ways)
    yield "C40 whole records replaced", any(each.replaces_whole for each in ways)
    yield "C42 a create that met a record", calls["POST 409"] > 0
    yield (
        "C45 too many calls",
        (
            calls["GET 429"] + calls["POST 429"] + calls["PATCH 429"] + calls["PUT 429"]
            > 0
        ),
    )
    yield "C-- a write that came twice", calls["twice write"] > 0
    presented = [each for v in played.vendors.values() for each in v.oauth.presented]
    yield "H108 tokens refreshed", bool(presented)
    yield (
        "H109 a refresh token that came again",
        any(not each.is_taken for each in presented),
    )


def _of_troubles(played: Played) -> Iterator[tuple[str, bool]]:
    troubles = played.scenario.troubles
    bus, database = troubles.bus, troubles.database
    yield "C31 processes that died", played.crashes.count > 0
    yield "G90 messages lost", bus.loses > 0
    yield "G90 receipts lost", bus.loses_receipts > 0
    yield "G91 messages repeated", bus.repeats > 0
    yield "G92 messages out of order", bus.delays > 0
    yield "G-- the bus away", troubles.bus_outages > 0
    yield "G-- the database away", troubles.database_outages > 0
    yield (
        "G97 commits of unknown outcome",
        (database.unknown_commits > 0 or database.lost_commits > 0),
    )
    yield "G101 two replicas", any(count > 1 for count in troubles.replicas.values())
    yield "G-- clocks of services apart", troubles.skew_s_max > 0
    yield "D68 three connections in a ring", played.scenario.is_ring
    tenants = {plan.tenant for plan in played.scenario.connections}
    yield "H112 two tenants", len(tenants) > 1


def _of_settings(truth: Truth) -> Iterator[tuple[str, bool]]:
    for owned in truth.owned:
        settings = [version.settings for version in owned.versions]
        yield "D66 one way only", settings[0].direction is not Direction.BOTH
        yield "D67 another winner", len({each.winner for each in settings}) > 1
        yield "E76 mappings changed", len({each.mappings_off for each in settings}) > 1
    yield (
        "C39 an edit between our read and our write",
        bool([name for name in truth.exempt if "between read and write" in name]),
    )
