"""How an unsubscribe on one side reaches the other. Consent is only ever tightened.

What one side says is carried to the other once, in the way that people want it told:
whoever has got it in another one has not been told. If people change their minds there
afterwards, that stands: the same word is not carried again. A level that we set
ourselves is nobody's word and is not carried back.
"""

from typing import Final, NamedTuple

import msgspec

from proto.connector import Capabilities
from proto.ids import FieldId
from proto.reconciler import Side
from proto.record import CONSENT_RANKS, Consent, Record
from proto.rules import Unsubscribes
from services.reconciler.engine import model
from services.reconciler.engine.model import Carried, Config

RANKS: Final = CONSENT_RANKS
"""How tight a level is; only the tighter ones are ever carried."""
LEVEL: Final = FieldId("consent")
"""What history calls a record's own level."""


class Wanted(NamedTuple):
    """What is to be done about consent on one side."""

    consent: Consent
    """Tighten to this; unknown leaves the level alone."""
    tag: str
    """Add this tag; empty adds none."""
    carried: Carried | None
    """What that side has got afterwards."""

    @property
    def needs_write(self) -> bool:
        """Say whether anything has to be written."""
        return self.consent is not Consent.UNKNOWN or bool(self.tag)


def is_tighter(one: Consent, than: Consent) -> bool:
    """Say whether a level is tighter than another."""
    return RANKS[one] > RANKS[than]


def tightest(*levels: Consent) -> Consent:
    """Return the join of some levels; unknown if none is an unsubscribe."""
    found = max(levels, key=RANKS.__getitem__)
    return found if RANKS[found] else Consent.UNKNOWN


def of_new(source: Record, *, at: Capabilities) -> Consent:
    """Return what a create says of the other side's consent.

    That somebody agreed is said only where the app makes nobody else, or keeps it apart
    from silence: whoever only is there must not be mailed for it.
    """
    if source.consent is Consent.SUBSCRIBED in (at.least_consent, at.most_consent):
        return Consent.SUBSCRIBED
    return tightest(source.consent)


def is_enough(source: Record, *, at: Capabilities) -> bool:
    """Say whether enough is known of the other side's consent for a create."""
    least = at.least_consent
    return least is not Consent.SUBSCRIBED or of_new(source, at=at) is least


def is_silent(left: Record, right: Record, *, carried: tuple[Carried, ...]) -> bool:
    """Say whether nobody has ever said no: by far the commonest case."""
    return not carried and not RANKS[left.consent] and not RANKS[right.consent]


def on(
    side: Side,
    *,
    target: Record,
    source: Record,
    carried: tuple[Carried, ...],
    config: Config,
    is_behind: bool = False,
) -> Wanted:
    """Find out what the other side's consent asks for on this one.

    Args:
        is_behind: The target was read before the source, since when its people may have
            taken back what it shows: it is written as if it did not, and the app says.
    """
    had = carried_to(side, carried) or Carried(side=side)
    if target.consent is not had.ours:
        # Somebody subscribed there anew, or was suppressed: from now on its word is its
        # own, also once it is what we had set.
        had = msgspec.structs.replace(had, ours=Consent.UNKNOWN)
    origin = model.other(side)
    word = _own_word(source, carried_to(origin, carried))
    if not RANKS[word] and config.side(origin).capabilities.detects_unsubscribes:
        # Taken back, whether anybody wants it told or not: the next no is another word.
        had = msgspec.structs.replace(had, level=Consent.UNKNOWN, ways=())
    if not (RANKS[word] and reaches(side, config)):
        return _nothing(had)
    has = _with_word(had, word, config=config)
    if _has_got(had, word, target=target, config=config):
        return _nothing(had if had.ways else has)
    if config.unsubscribes is Unsubscribes.TAG:
        tag = config.unsubscribe_tag
        return Wanted(Consent.UNKNOWN, "" if tag in target.tags else tag, has)
    if not (is_behind or is_tighter(word, than=target.consent)):
        return _nothing(has)
    return Wanted(word, "", msgspec.structs.replace(has, ours=word))


def along(side: Side, level: Consent, *, at: Capabilities) -> tuple[Carried, ...]:
    """Return what a new record has got of its source's consent: a no goes along.

    Only an app that can be told has got it by that. A tag is still to come.
    """
    if level is Consent.UNKNOWN:
        return ()
    if not at.can_unsubscribe:
        return (Carried(side=side, ours=level),)
    return (Carried(side=side, level=level, ways=(LEVEL,), ours=level),)


def tags_told(
    side: Side, carried: tuple[Carried, ...], *, config: Config
) -> frozenset[FieldId]:
    """Return the tags by which a side was told of a no that stands, by name."""
    told = [each for each in carried if each.side is side and RANKS[each.level]]
    ways = {way for each in told for way in each.ways or (_way(config),)}
    return frozenset(FieldId(way) for way in ways - {LEVEL})


def name_of_tag(tag: str) -> FieldId:
    """Return what history calls a tag."""
    return FieldId(f"tag:{tag}")


def _way(config: Config) -> str:
    """Return how unsubscribes are told today."""
    if config.unsubscribes is Unsubscribes.TAG:
        return name_of_tag(config.unsubscribe_tag)
    return LEVEL


def _has_got(had: Carried, word: Consent, *, target: Record, config: Config) -> bool:
    """Say whether a side has got a word already, in the way in which it is told today.

    Of a word that was carried before ways were kept, what the side shows tells: it was
    tagged if it has the tag, and otherwise its level was set, where that is how it is
    told. It is not set again for not knowing that: somebody may have subscribed since.
    """
    if word is not had.level:
        # A looser no than before is another one: somebody has said it since.
        return False
    if had.ways:
        return _way(config) in had.ways
    is_tagged = config.unsubscribe_tag in target.tags
    return config.unsubscribes is Unsubscribes.STATUS and not is_tagged


def _with_word(had: Carried, word: Consent, *, config: Config) -> Carried:
    """Return what a side has got once a word is carried to it in today's way."""
    others = had.ways if word is had.level else ()
    return msgspec.structs.replace(had, level=word, ways=(*others, _way(config)))


def _nothing(carried: Carried) -> Wanted:
    return Wanted(
        Consent.UNKNOWN, "", None if carried == Carried(side=carried.side) else carried
    )


def reaches(side: Side, config: Config) -> bool:
    """Say whether unsubscribes are carried to a side: option, direction, apps."""
    source = config.side(model.other(side))
    target = config.side(side).capabilities
    if not (config.allows(side) and source.capabilities.detects_unsubscribes):
        return False
    match config.unsubscribes:
        case Unsubscribes.TAG:
            return target.can_tag
        case Unsubscribes.STATUS:
            return target.can_unsubscribe
        case _:
            return False


def carried_to(side: Side, carried: tuple[Carried, ...]) -> Carried | None:
    """Return what a side has got, if anything."""
    return next((each for each in carried if each.side is side), None)


def _own_word(record: Record, set_by_us: Carried | None) -> Consent:
    """Return a record's level, unless it is only what we wrote there ourselves."""
    if set_by_us is None or not RANKS[set_by_us.ours]:
        return record.consent
    is_more = is_tighter(record.consent, than=set_by_us.ours)
    return record.consent if is_more else Consent.UNKNOWN
