"""Which rules and options two apps allow, and what of the settings they refuse.

Checked when settings are saved. An app may lose an ability afterwards; what asks for
it then does nothing.
"""

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from proto.ids import ContainerId
from proto.reconciler import Direction, Offers, Side
from proto.rules import Leaving, Unsubscribes
from services.reconciler.engine import consent, model, refusals, rules, texts, vetting
from services.reconciler.engine.config import Config
from services.reconciler.engine.refusals import Objection, Refusal
from services.reconciler.engine.vetting import Terms

Containers = Mapping[Side, frozenset[ContainerId]]
"""The containers that each account lists; none where it does not tell."""

_RULES: Final = (("/left_rules", Side.LEFT), ("/right_rules", Side.RIGHT))


def refused(config: Config, *, containers: Containers) -> tuple[Refusal, ...]:
    """Return everything that cannot be as it is, in the order of the settings."""
    return (
        *(
            each
            for place, side in _RULES
            for each in refusals.under(
                place, _of_rules(side, config, containers=containers)
            )
        ),
        *_of_leaving(config.leaving),
        *_of_deletions(config),
        *_of_unsubscribes(config),
    )


def offers(config: Config) -> Offers:
    """Return which options are possible, and which way each then works."""
    return Offers(
        tags_deletions=_ways(
            to_left=_tags_deletions(Side.LEFT, config),
            to_right=_tags_deletions(Side.RIGHT, config),
        ),
        unsubscribes_tag=_carries(config, Unsubscribes.TAG),
        unsubscribes_status=_carries(config, Unsubscribes.STATUS),
    )


def _of_rules(
    side: Side, config: Config, *, containers: Containers
) -> Iterator[Refusal]:
    other = model.other(side)
    terms = Terms(
        source=config.side(side),
        target=config.side(other),
        source_containers=containers.get(side, frozenset()),
        target_containers=containers.get(other, frozenset()),
        mapped=frozenset(
            field_id
            for mapping in config.mappings
            for field_id in mapping.fields(other)
        ),
    )
    return vetting.of_rules(config.rules(side), terms)


def _of_leaving(leaving: Leaving) -> Iterator[Refusal]:
    if leaving is Leaving.UNKNOWN:
        sentence = "Give `stop` or `keep_updating`."
        yield refusals.of(Objection.UNKNOWN_WORD, sentence, at="/leaving")


def _of_deletions(config: Config) -> Iterator[Refusal]:
    if config.tags_deletions and offers(config).tags_deletions is None:
        sentence = (
            "This needs an app that tells of deletions, and another that has tags, in"
            " the connection's direction. Leave it off."
        )
        yield refusals.of(Objection.NOT_OFFERED, sentence, at="/tags_deletions")
    yield from refusals.under("/deletion_tag", texts.of_tag(config.deletion_tag))


def _of_unsubscribes(config: Config) -> Iterator[Refusal]:
    wanted = config.unsubscribes
    if wanted is Unsubscribes.UNKNOWN:
        sentence = "Give `ignore`, `tag` or `status`."
        yield refusals.of(Objection.UNKNOWN_WORD, sentence, at="/unsubscribes")
    elif wanted is not Unsubscribes.IGNORE and _carries(config, wanted) is None:
        ability = "has tags" if wanted is Unsubscribes.TAG else "can unsubscribe"
        sentence = (
            "This needs an app that tells of unsubscribes, and another that"
            f" {ability}, in the connection's direction. Give `ignore`."
        )
        yield refusals.of(Objection.NOT_OFFERED, sentence, at="/unsubscribes")
    yield from refusals.under("/unsubscribe_tag", texts.of_tag(config.unsubscribe_tag))


def _tags_deletions(side: Side, config: Config) -> bool:
    tagging = msgspec.structs.replace(config, tags_deletions=True)
    return rules.tags_deletions_on(side, tagging)


def _carries(config: Config, how: Unsubscribes) -> Direction | None:
    carrying = msgspec.structs.replace(config, unsubscribes=how)
    return _ways(
        to_left=consent.reaches(Side.LEFT, carrying),
        to_right=consent.reaches(Side.RIGHT, carrying),
    )


def _ways(*, to_left: bool, to_right: bool) -> Direction | None:
    if to_left and to_right:
        return Direction.BOTH
    if to_left:
        return Direction.TO_LEFT
    return Direction.TO_RIGHT if to_right else None
