"""A first sync to Constant Contact on the real services: many are made by import."""

import collections
from typing import Final

import pytest

from proto.ids import RecordId
from proto.record import Consent
from tests.contract.conformance import cards, stages
from tests.contract.conformance.stage import Stage
from tests.contract.conformance.stages.constant_contact import ConstantContact
from tests.contract.pairs import installation
from tests.contract.pairs.people import LEFT, RIGHT

IMPORT: Final = "/v3/activities/contacts_json_import"
MANY: Final = 120
THERE: Final = 3
"""So many are at Constant Contact already, one of them deleted."""
OUT: Final = (5, 6)
"""Who unsubscribed before they came."""


def everybody_agreed() -> type[Stage]:
    """Return an app where nobody is who has not agreed to be mailed."""
    kinds = stages.every().values()
    return next(kind for kind in kinds if kind.least_consent is Consent.SUBSCRIBED)


@pytest.mark.timeout(300)
async def test_a_first_sync_to_a_list_makes_those_who_agreed_by_import():
    async with (
        everybody_agreed().opened(None) as left,
        ConstantContact.opened(None) as right,
        installation.running() as system,
    ):
        ids = await left.add([left.plain(number) for number in range(MANY)])
        for number in OUT:
            await left.unsubscribe(RecordId(ids[number]))
        there = await right.add([right.plain(number) for number in range(THERE)])
        await right.delete(there[0])
        lists = await right.new_container("Imported")
        async with system.connected(
            {LEFT: left, RIGHT: right},
            tenant="imports",
            containers={RIGHT: str(lists)},
        ) as connection:
            await connection.tell("start")
            await connection.until_live()
            seen = connection.ends[RIGHT].proxy.made("POST")
            posts = collections.Counter(one.path.partition("?")[0] for one in seen)
            assert posts[IMPORT] >= 1
            assert sum(posts.values()) < MANY / 2, posts
            troubles = await connection.troubles()
        assert len(troubles) == 2, troubles
        assert "deleted_right" in troubles[1], "of the one who was deleted there"
        for number in range(1, MANY):
            (found,) = await right.find(cards.email_of(number))
            agreed = await right.consent_of(found) is Consent.SUBSCRIBED
            assert agreed == (number not in OUT)
            if number >= THERE and number not in OUT:
                assert str(lists) in await right.containers_of(found)
        assert await right.find(cards.email_of(0)) == [], "who was deleted stays so"
