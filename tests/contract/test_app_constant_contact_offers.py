"""What Constant Contact offers together with another app, as its manifest has it."""

import pytest

from proto.connector import Capabilities
from proto.ids import AppId
from proto.reconciler import Direction, Offers
from services.connector import registry
from services.reconciler.engine import options
from tests.engine.world import config

BOTH, TO_RIGHT = Direction.BOTH, Direction.TO_RIGHT
ABLE = registry.load().entry(AppId("constant_contact")).manifest.capabilities
NOTHING = Capabilities()
TAGS = Capabilities(can_tag=True)
BOOK = Capabilities(can_tag=True, detects_deletions=True)
"""An app that sees deletions and knows of no consent."""


@pytest.mark.behaviour(
    40,
    broken_by="reconciler/engine/consent.py: unsubscribes are tagged where the app has"
    " no tags",
)
@pytest.mark.parametrize(
    ("other", "deletions", "tag", "status"),
    [
        (TAGS, TO_RIGHT, TO_RIGHT, None),
        (BOOK, BOTH, TO_RIGHT, None),
        (ABLE, BOTH, BOTH, BOTH),
        (NOTHING, None, None, None),
    ],
)
def test_b40_both_options_are_offered_where_the_other_app_can_tag(
    other, deletions, tag, status
):
    pair = config(left_more={"capabilities": ABLE}, right_more={"capabilities": other})
    assert options.offers(pair) == Offers(
        tags_deletions=deletions, unsubscribes_tag=tag, unsubscribes_status=status
    )
    assert ABLE.detects_deletions
    assert ABLE.detects_unsubscribes
