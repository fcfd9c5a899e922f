"""From a seed, everything: vendors, accounts, connections, weather, people's moods.

A scenario is a value. Who plays it draws more from ``source(seed, purpose)``, so that
one more draw in one place changes nothing in another.
"""

import itertools
import random
from typing import Final

import msgspec

from proto.ids import AppId
from proto.reconciler import SIDES, Direction, Side
from proto.rules import Unsubscribes
from tests.simulation import numbering, options, troubles
from tests.simulation.features import PRESENT, Features
from tests.simulation.options import Options
from tests.simulation.troubles import REPLICAS, SKEW_S, Troubles
from tests.simulation.vendors import ways, weather
from tests.simulation.vendors.forms import PHONES, Forms
from tests.simulation.vendors.ways import LISTS, Markers, Paging, Ways
from tests.simulation.vendors.weather import Fate, Weather

APPS: Final = (AppId("sim_a"), AppId("sim_b"), AppId("sim_c"))
DISTRUST: Final = 0.08
"""How often somebody does not want what Tandem makes."""
UNHEARD: Final = 0.1
BELATED: Final = 0.06
FICKLE: Final = 0.08
UNDATED: Final = 0.04
RULED: Final = 0.06
"""How common some special scenarios are."""
SECOND_SIDE: Final = 0.4
"""How often both sides have several rules about one place, if one has."""
SILENT: Final = 0.05
"""The share of vendors whose answer to a write does not show the record."""
HASTE: Final = 0.3
REMORSE: Final = (0.0, 0.0, 0.5)
BATCHING: Final = 0.3
"""The share of vendors that take several writes in one call."""
BATCHES: Final = (2, 5, 20)
STRICT: Final = 0.4
"""The share of those that take all of a batch or nothing."""
MAILING: Final = 0.08
"""How often one of the vendors mails whoever is there."""
TELLING: Final = 0.8
"""The share of the others that then know of consent."""
BOTH_LATER: Final = 0.06
"""How often all vendors rewrite values some time after they were written."""
SWEEP_S: Final = 60.0
"""Longer than in production, for most looks find nothing and cost time."""
SWEEP_SOON_S: Final = 5.0
"""As in production, where what is late may come after such a look."""
LABELLED: Final = 0.5
"""How often people then say themselves which label belongs to which single field."""
TENANTS: Final = ("tnt_one", "tnt_two")


class EndPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One end of a connection: an account at a vendor, or one list of it."""

    app: AppId
    account: str
    container: str | None = None


class ConnectionPlan(msgspec.Struct, frozen=True, kw_only=True):
    """A connection that somebody makes."""

    tenant: str
    left: EndPlan
    right: EndPlan
    direction: Direction = Direction.BOTH
    winner: Side = Side.LEFT
    avoids_duplicates: bool = True
    options: Options = Options()

    def end(self, side: Side) -> EndPlan:
        """Return one end."""
        return self.left if side is Side.LEFT else self.right


class Mood(msgspec.Struct, frozen=True, kw_only=True):
    """What users are up to: how many acts, how close together, of which kinds."""

    act_count: int
    gap_s_mean: float
    weights: dict[str, float]
    """By the name of an act in ``users``."""
    errand_count: int
    """Acts at Tandem itself: pausing, resuming, changing settings."""
    distrust: float = 0.0
    """The share of our new records that somebody deletes as soon as they come."""
    regret: float = 0.0
    """The share of unsubscribes that are taken back as soon as we have carried them."""
    haste: float = 0.0
    """The share of our writes right after which somebody edits the record, where its
    vendor does not show what it has written."""
    remorse: float = 0.0
    """The share of deletions that are taken back as we come to know of them."""


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """One simulation."""

    seed: int
    features: Features
    vendors: tuple[Ways, ...]
    weathers: tuple[Weather, ...]
    connections: tuple[ConnectionPlan, ...]
    people_count: int
    """In the accounts of a connection before it is made, of each side."""
    shared: float
    """The share of those that are on both sides from the start."""
    mood: Mood
    troubles: Troubles
    sweep_s: float = SWEEP_S
    """How often Tandem looks what is due, such as writes without an answer."""

    @property
    def is_ring(self) -> bool:
        """Say whether three connections go round in a circle."""
        return len(self.vendors) > 2

    @property
    def is_local(self) -> bool:
        """Say whether people write numbers as they are dialled within the country."""
        return any(each.forms.completes for each in self.vendors)

    @property
    def is_calm(self) -> bool:
        """Say whether nothing at all goes wrong."""
        is_fair = not any(each.total for each in self.weathers)
        return is_fair and self.troubles == Troubles()

    def source(self, purpose: str) -> random.Random:
        """Return a randomness of its own for one purpose."""
        return random.Random(f"{self.seed} {purpose}")


ACTS: Final = {
    "edit": 30.0,
    "edit_both": 10.0,
    "edit_twice": 4.0,
    "clear": 5.0,
    "create": 7.0,
    "create_both": 5.0,
    "enter_anew": 2.0,
    "change_email": 6.0,
    "take_email": 2.0,
    "drop_email": 1.5,
    "edit_own": 4.0,
    "respell": 3.0,
    "delete": 5.0,
    "delete_and_edit": 2.0,
    "restore": 3.0,
    "merge": 2.0,
    "reuse_id": 2.0,
    "insist": 0.6,
    "unsubscribe": 4.0,
    "resubscribe": 2.0,
    "move": 4.0,
    "tag": 2.0,
}
"""How common each act is, before a mood makes some of them rare and others common."""


def draw(seed: int, *, features: Features = PRESENT) -> Scenario:
    """Return the scenario of a seed."""
    source = random.Random(f"{seed} scenario")
    is_ring = source.random() < 0.04 and features.freezes
    vendors = _vendors(source, count=3 if is_ring else 2, features=features)
    vendors = _batching(vendors, random.Random(f"{seed} batches"))
    vendors = _mailing(vendors, random.Random(f"{seed} mailing"))
    if features.edits_at_once:
        vendors = _silenced(vendors, random.Random(f"{seed} silence"))
    vendors = numbering.numbered(vendors, random.Random(f"{seed} numbers"))
    fates: tuple[Fate, ...] = weather.ORDINARY
    if features.sweeps:
        fates += weather.UNTRUE
    if features.confirms_deletions:
        fates += weather.DENYING
    weathers = tuple(weather.draw(source, fates=fates) for _ in vendors)
    tenants = TENANTS if source.random() < 0.15 and not is_ring else TENANTS[:1]
    connections = tuple(
        connection
        for tenant in tenants
        for connection in _connections(source, tenant, vendors, features=features)
    )
    connections = _labelled(connections, vendors, random.Random(f"{seed} labels"))
    drawn = Scenario(
        seed=seed,
        features=features,
        vendors=vendors,
        weathers=weathers,
        connections=connections,
        people_count=source.randint(2, 7 if len(connections) == 1 else 4),
        shared=source.choice((0.0, 0.3, 0.6, 1.0)),
        mood=_renumbering(_in_haste(_mood(source), vendors), vendors),
        troubles=troubles.draw(source),
    )
    remorse = random.Random(f"{seed} remorse").choice(REMORSE)
    mood = msgspec.structs.replace(drawn.mood, remorse=remorse)
    drawn = msgspec.structs.replace(drawn, mood=mood)
    is_crowded = source.random() < 0.05 and len(connections) == 1
    if is_crowded and features.guards:
        return _crowded(drawn)
    return _special(drawn, source) if len(vendors) == 2 else drawn


def _batching(vendors: tuple[Ways, ...], source: random.Random) -> tuple[Ways, ...]:
    """Have some vendors take several writes in one call."""
    return tuple(
        msgspec.structs.replace(
            each,
            write_batch=source.choice(BATCHES),
            refuses_whole_batches=source.random() < STRICT,
        )
        if source.random() < BATCHING
        else each
        for each in vendors
    )


def _mailing(vendors: tuple[Ways, ...], source: random.Random) -> tuple[Ways, ...]:
    """Have one vendor mail whoever is there, at times."""
    if source.random() >= MAILING:
        return vendors
    found = [
        msgspec.structs.replace(
            each, has_consent=each.has_consent or source.random() < TELLING
        )
        for each in vendors
    ]
    number = source.randrange(len(found))
    found[number] = msgspec.structs.replace(
        found[number],
        has_consent=True,
        default_consent="subscribed",
        mails_everybody=True,
    )
    return tuple(found)


def _labelled(
    plans: tuple[ConnectionPlan, ...], vendors: tuple[Ways, ...], source: random.Random
) -> tuple[ConnectionPlan, ...]:
    """Have people map labels of one vendor's list to single fields of the other."""
    if len(vendors) > 2 or source.random() >= LABELLED:
        return plans
    return tuple(
        msgspec.structs.replace(
            plan,
            options=options.with_labels_mapped(
                plan.options, *vendors, direction=plan.direction
            ),
        )
        for plan in plans
    )


def _renumbering(mood: Mood, vendors: tuple[Ways, ...]) -> Mood:
    if not any(each.numbers.is_list for each in vendors):
        return mood
    return _with(mood, renumber=30.0, renumber_both=15.0)


def _silenced(vendors: tuple[Ways, ...], source: random.Random) -> tuple[Ways, ...]:
    """Have some vendors not show what they have written."""
    return tuple(
        msgspec.structs.replace(each, tells_writes=source.random() >= SILENT)
        for each in vendors
    )


def _in_haste(mood: Mood, vendors: tuple[Ways, ...]) -> Mood:
    if all(each.tells_writes for each in vendors):
        return mood
    return msgspec.structs.replace(mood, haste=HASTE)


def _special(drawn: Scenario, source: random.Random) -> Scenario:
    """Return the scenario, or one in which something rare happens often."""
    dice = source.random()
    for share, change in _SPECIAL:
        dice -= share
        if dice < 0:
            return change(drawn, source)
    return drawn


def calm(vendors: tuple[Ways, Ways], *, account: str, tenant: str) -> Scenario:
    """Return a scenario in which nothing is by chance: two accounts are connected.

    It is for whoever tells a story of their own.
    """
    left, right = (EndPlan(app=each.app, account=account) for each in vendors)
    return Scenario(
        seed=0,
        features=PRESENT,
        vendors=vendors,
        weathers=(weather.CALM, weather.CALM),
        connections=(ConnectionPlan(tenant=tenant, left=left, right=right),),
        people_count=0,
        shared=0.0,
        mood=Mood(act_count=0, gap_s_mean=1.0, weights={}, errand_count=0),
        troubles=Troubles(),
    )


def _crowded(drawn: Scenario) -> Scenario:
    """Have so many people that deleting all of them is more than anybody means.

    Deletions are told wherever they can be: only then is anything held.
    """
    weights = {**drawn.mood.weights, "delete_all": 20.0}
    mood = msgspec.structs.replace(drawn.mood, weights=weights, act_count=25)
    [plan] = drawn.connections
    told = options.tell_deletions(
        plan.options, *drawn.vendors, direction=plan.direction
    )
    return msgspec.structs.replace(
        drawn,
        people_count=14,
        shared=1.0,
        mood=mood,
        connections=(msgspec.structs.replace(plan, options=told),),
    )


def _unheard(drawn: Scenario, source: random.Random) -> Scenario:
    """Have answers to writes get lost, and nothing tell apart what they have made.

    Addresses are missing or corrected meanwhile, and no vendor refuses a second one.
    """
    mood = _with(
        drawn.mood, create=25.0, readdress=25.0, drop_email=8.0, delete=0.0, merge=0.0
    )
    return msgspec.structs.replace(
        drawn,
        vendors=tuple(
            msgspec.structs.replace(each, unique_emails=False) for each in drawn.vendors
        ),
        weathers=_storm(source, Fate.LOST, count=len(drawn.vendors)),
        connections=tuple(
            msgspec.structs.replace(each, avoids_duplicates=False)
            for each in drawn.connections
        ),
        mood=mood,
    )


def _fickle(drawn: Scenario, source: random.Random) -> Scenario:
    """Have people say no, and yes again once the other side has heard of it.

    Answers get lost, so that we hear of the one before we know of the other.
    """
    mood = _with(drawn.mood, unsubscribe=25.0, resubscribe=0.0)
    return msgspec.structs.replace(
        drawn,
        vendors=tuple(
            msgspec.structs.replace(each, has_consent=True, can_unsubscribe=True)
            for each in drawn.vendors
        ),
        weathers=_storm(source, Fate.LOST, count=len(drawn.vendors)),
        sweep_s=SWEEP_SOON_S,
        connections=tuple(
            msgspec.structs.replace(
                each,
                direction=Direction.BOTH,
                options=msgspec.structs.replace(
                    each.options, unsubscribes=Unsubscribes.STATUS
                ),
            )
            for each in drawn.connections
        ),
        mood=msgspec.structs.replace(mood, regret=0.5),
    )


def _belated(drawn: Scenario, source: random.Random) -> Scenario:
    """Have requests come long after their senders gave up.

    By our mark a record can be found once it is there, and a second one is not refused.
    """
    return msgspec.structs.replace(
        drawn,
        vendors=tuple(
            msgspec.structs.replace(each, unique_emails=False, markers=Markers.KEPT)
            for each in drawn.vendors
        ),
        weathers=_storm(source, Fate.LATE, count=len(drawn.vendors)),
        sweep_s=SWEEP_SOON_S,
        mood=_with(drawn.mood, create=25.0),
    )


def _undated(drawn: Scenario, _source: random.Random) -> Scenario:
    """Have only the clocks of those who read tell what is newer, far apart as they are.

    Records do not say when they were changed, and replicas take turns. Both sides are
    edited, so that much is written onto what was just read.
    """
    return msgspec.structs.replace(
        drawn,
        vendors=tuple(
            msgspec.structs.replace(each, tells_changes=False) for each in drawn.vendors
        ),
        mood=msgspec.structs.replace(
            _with(drawn.mood, edit_both=80.0), act_count=50, gap_s_mean=8.0
        ),
        troubles=msgspec.structs.replace(
            drawn.troubles, replicas=REPLICAS, skew_s_max=SKEW_S, are_clocks_apart=True
        ),
    )


def _ruled(drawn: Scenario, source: random.Random) -> Scenario:
    """Have several rules be about one tag, list or field, and begin and end often.

    Records stay the same two for long enough that everything done to them shows.
    """
    mood = _with(
        drawn.mood, clear=25.0, tag=12.0, edit_own=8.0, delete=1.0, restore=0.0
    )
    vendors = drawn.vendors[0], drawn.vendors[1]
    return msgspec.structs.replace(
        drawn,
        connections=tuple(
            msgspec.structs.replace(
                each,
                direction=Direction.BOTH,
                options=msgspec.structs.replace(
                    each.options,
                    custom_mappings=(),
                    left_rules=options.rules_on_one_place(source, vendors, Side.LEFT),
                    right_rules=options.rules_on_one_place(source, vendors, Side.RIGHT)
                    if source.random() < SECOND_SIDE
                    else (),
                ),
            )
            for each in drawn.connections
        ),
        mood=msgspec.structs.replace(mood, act_count=50),
    )


_SPECIAL: Final = (
    (UNHEARD, _unheard),
    (BELATED, _belated),
    (FICKLE, _fickle),
    (UNDATED, _undated),
    (RULED, _ruled),
)


def _storm(source: random.Random, fate: Fate, *, count: int) -> tuple[Weather, ...]:
    """Return a weather for all vendors in which one thing happens to many calls."""
    share = source.uniform(0.1, 0.3)
    return (Weather(chances={fate: share}, total=share),) * count


def _with(mood: Mood, **weights: float) -> Mood:
    """Return a mood in which some acts are as common as given."""
    return msgspec.structs.replace(mood, weights={**mood.weights, **weights})


def _vendors(
    source: random.Random, *, count: int, features: Features
) -> tuple[Ways, ...]:
    drawn = [
        ways.draw(source, app, is_shouting=number == 1)
        for number, app in enumerate(APPS[:count])
    ]
    if not features.recycles:
        drawn = [msgspec.structs.replace(each, recycles_ids=False) for each in drawn]
    if not features.sweeps:
        # What drifts out of a page in between is found again by a sweep alone.
        drawn = [
            each
            if each.paging is Paging.KEYSET or each.page_size > 8
            else msgspec.structs.replace(each, paging=Paging.KEYSET)
            for each in drawn
        ]
    if count > 2:
        # What one of three cuts comes back to the others by the way round.
        drawn = [
            msgspec.structs.replace(
                each, forms=msgspec.structs.replace(each.forms, shortens_to=0)
            )
            for each in drawn
        ]
    if features.freezes and source.random() < BOTH_LATER:
        # Whatever the one makes of a value, the other makes something else of.
        drawn = [
            msgspec.structs.replace(
                each, forms=ways.draw_forms(source, is_later=True, phones=phones)
            )
            for each, phones in zip(drawn, itertools.cycle(PHONES), strict=False)
        ]
    is_contest = sum(each.forms.after_s > 0 for each in drawn) > 1
    if is_contest and not features.freezes:
        # Two that rewrite each other's values later would go on for ever.
        drawn[1:] = [msgspec.structs.replace(each, forms=Forms()) for each in drawn[1:]]
    return tuple(drawn)


def _connections(
    source: random.Random,
    tenant: str,
    vendors: tuple[Ways, ...],
    *,
    features: Features,
) -> list[ConnectionPlan]:
    if len(vendors) > 2:
        circle = [*vendors, vendors[0]]
        return [
            _connection(source, tenant, left=left, right=right, is_plain=True)
            for left, right in itertools.pairwise(circle)
        ]
    plan = _connection(source, tenant, left=vendors[0], right=vendors[1])
    given = options.draw(
        source,
        vendors[0],
        vendors[1],
        direction=plan.direction,
        features=features,
    )
    return [msgspec.structs.replace(plan, options=given)]


def _connection(
    source: random.Random,
    tenant: str,
    *,
    left: Ways,
    right: Ways,
    is_plain: bool = False,
) -> ConnectionPlan:
    directions = (Direction.BOTH,) * 8 + (Direction.TO_LEFT, Direction.TO_RIGHT)
    direction = source.choice(directions)
    winner = source.choice(SIDES)
    ends = [_end(source, each, tenant, is_plain=is_plain) for each in (left, right)]
    if is_plain:
        direction = Direction.BOTH
    return ConnectionPlan(
        tenant=tenant,
        left=ends[0],
        right=ends[1],
        direction=direction,
        winner=winner,
        avoids_duplicates=source.random() < 0.85,
    )


def _end(
    source: random.Random, vendor: Ways, tenant: str, *, is_plain: bool
) -> EndPlan:
    is_part = vendor.has_lists and source.random() < 0.5 and not is_plain
    return EndPlan(
        app=vendor.app,
        account=f"{vendor.app[-1]}-of-{tenant.rpartition('_')[2]}",
        container=LISTS[0] if is_part else None,
    )


def _mood(source: random.Random) -> Mood:
    weights = {
        name: weight * source.choice((0.0, 0.5, 1.0, 1.0, 3.0))
        for name, weight in ACTS.items()
    }
    weights["edit"] = max(weights["edit"], 10.0)
    return Mood(
        act_count=source.randint(25, 50),
        gap_s_mean=source.choice((1.0, 8.0, 25.0)),
        weights=weights,
        errand_count=source.choice((0, 0, 1, 2, 4)),
        distrust=0.3 if source.random() < DISTRUST else 0.0,
    )
