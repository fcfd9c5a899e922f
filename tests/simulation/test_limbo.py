"""What cannot be found out is not waited for, and everything else is."""

from typing import Any, Final

import msgspec
import pytest

from proto.connector import WriteKind
from proto.fields import Role
from proto.ids import AccountId, IntentId, LinkId
from proto.reconciler import SIDES
from services.reconciler.engine.model import Intent
from tests.simulation import limbo
from tests.simulation.hand_made import (
    AT_ONCE,
    CONNECTION,
    LEFT_ACCOUNT,
    RIGHT_ACCOUNT,
    History,
)

LEFT, RIGHT = SIDES
ACCOUNTS: Final = {LEFT: LEFT_ACCOUNT, RIGHT: RIGHT_ACCOUNT}


def tables(history: History, **missing: bool) -> dict[str, list[dict[str, Any]]]:
    """Return what Tandem keeps of records on the left that wait, each in a link."""
    return {
        "auth.accounts": [
            {
                "account_id": ACCOUNTS[side],
                "app": book.place.app,
                "vendor_account_id": book.place.account,
            }
            for side, book in history.books.items()
        ],
        "reconciler.connections": [
            {
                "connection_id": CONNECTION,
                "left_account": LEFT_ACCOUNT,
                "right_account": RIGHT_ACCOUNT,
            }
        ],
        "reconciler.observations": [
            {
                "account_id": LEFT_ACCOUNT,
                "record_id": record_id,
                "missing_since": history.time if is_missing else None,
            }
            for record_id, is_missing in missing.items()
        ],
        "reconciler.links": [
            {
                "link_id": f"link_{record_id}",
                "connection_id": CONNECTION,
                "left_record_id": record_id,
                "right_record_id": None,
                "state": "pending",
            }
            for record_id in missing
        ],
    }


@pytest.mark.parametrize("is_missing", [True, False])
@pytest.mark.parametrize("is_alone", [True, False])
def test_a_link_waits_in_vain_where_nothing_shows_that_the_app_is_well(
    is_missing, is_alone
):
    """Its only record is not known to an app that has no other (seeds 197, 1174)."""
    history = History()
    person = history.person()
    record_id = history.enter(LEFT, person, email=history.value(Role.EMAIL, person))
    if not is_alone:
        other = history.person()
        history.enter(LEFT, other, email=history.value(Role.EMAIL, other))
    history.books[LEFT].delete(record_id)
    rows = tables(history, **{record_id: is_missing}).__getitem__
    books = {book.place: book for book in history.books.values()}
    empty: set[AccountId] = limbo.empty_accounts(rows, books)
    is_open = list(limbo.open_links(rows, empty=empty)) == [f"link_{record_id}"]
    assert is_open is not (is_missing and is_alone)


def test_an_empty_account_says_nothing_of_the_others():
    """Once nobody was waited for as soon as one account was empty (seed 960)."""
    history = History()
    person = history.person()
    history.enter(RIGHT, person, email=history.value(Role.EMAIL, person))
    books = {book.place: book for book in history.books.values()}
    found = limbo.empty_accounts(tables(history).__getitem__, books)
    assert found == {LEFT_ACCOUNT}


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("reason", ["outcome_unknown", "conflict"])
def test_nobody_can_tell_which_of_several_a_lost_create_has_made(count, reason):
    """A user has one of them, and edited the other before it was seen (seed 604257)."""
    history = History(left={"unique_emails": False})
    email = history.value(Role.EMAIL, history.person())
    made = history.enter(RIGHT, history.person(), email=email)
    for _ in range(count):
        history.enter(LEFT, history.person(), email=email)
    intent = Intent(
        intent_id=IntentId("int_1"),
        link_id=LinkId("link_1"),
        side=LEFT,
        kind=WriteKind.CREATE,
        fields={},
        source_id=made,
        source={},
        source_read_at=AT_ONCE,
        mapping_ids=(),
        changes=(),
        emails=(email,),
        decided_at=AT_ONCE,
    )
    rows = tables(history) | {
        "reconciler.links": [
            {
                "link_id": intent.link_id,
                "connection_id": CONNECTION,
                "left_record_id": None,
                "right_record_id": made,
                "reason": reason,
            }
        ],
        "reconciler.intents": [
            {
                "link_id": intent.link_id,
                "account_id": LEFT_ACCOUNT,
                "state": "unknown",
                "body": msgspec.json.encode(intent),
            }
        ],
        "reconciler.dirty": [
            {"connection_id": CONNECTION, "side": "right", "record_id": made}
        ],
    }
    books = {book.place: book for book in history.books.values()}
    found = limbo.doubtful_links(rows.__getitem__, books)
    is_doubtful = count > 1 and reason == "outcome_unknown"
    assert found == ({intent.link_id} if is_doubtful else set())
    left = list(limbo.records_to_plan(rows.__getitem__, but=found))
    assert left == ([] if is_doubtful else [made])
