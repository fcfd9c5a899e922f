"""Mailchimp's creates of whom an audience has archived: they are met and not made."""

import json
from typing import Any

import pytest

from services.connector.apps.mailchimp import names
from services.connector.errors import Meaning
from services.connector.port import Alone, Answer, Exists, NewRecord, Written
from tests.contract import emulated_account
from tests.contract.driving import answer, drive, failing
from tests.contract.mailchimp import (
    LIST,
    NOW,
    app_that_knows_its_account,
    body_of,
    listing,
    nobody,
    offsets,
    people,
    shown,
)

EVA = answer(json.loads(shown("members_archived").body)["members"][0])
MET = Exists(record_id=f"{LIST}/{'c' * 31}6")


def made() -> Answer:
    batch = json.loads(shown("batch").body) | {"errors": []}
    batch["new_members"][0]["contact_id"] = "d1"
    return answer(batch)


MADE = made()
"""The answer to a batch that tells ids, so that nobody is read after it."""


@pytest.fixture
def known() -> Any:
    return app_that_knows_its_account()


def with_hashes(page: Answer) -> Answer:
    """Return a page whose people have the names that the vendor makes of addresses."""
    body = json.loads(page.body)
    for one in body["members"]:
        one["id"] = names.hash_of(one["email_address"])
    return answer(body, headers=NOW)


def test_who_is_archived_is_met_and_not_made(known):
    """Invariant I5: a create of theirs would bring them back, with another status."""
    result, (call,) = drive(known.create(people("eva")[0]), [EVA])
    assert result == MET
    assert call.path.endswith(names.hash_of("eva@example.org"))
    answers = [shown("members_archived"), shown("batch"), shown("members_newest")]
    results, calls = drive(known.create_many(people("new", "eva")), answers)
    assert isinstance(results[0], Written)
    assert results[1] == Alone()
    asked = dict(calls[0].query)
    assert asked["status"] == "archived"
    assert asked["fields"] == (
        "members.id,members.contact_id,members.last_changed,total_items"
    )
    sent = body_of(calls[1])["members"]
    assert [one["email_address"] for one in sent] == ["new@example.org"]


def test_nothing_is_sent_where_all_are_archived(known):
    answers = [with_hashes(listing([0, 1], total=2))]
    results, _ = drive(known.create_many(people("p0", "p1")), answers)
    assert results == (Alone(), Alone())


def test_the_archive_is_read_once_and_then_its_changes(known):
    asked = []
    for _ in range(2):
        answers = [shown("members_archived"), MADE]
        _, calls = drive(known.create_many(people("new", "ann")), answers)
        asked.append(dict(calls[0].query).get("since_last_changed"))
    assert asked == [None, "2026-02-11T11:59:00Z"]


def test_whom_the_archive_has_no_more_is_made(known):
    drive(known.create_many(people("new", "ann")), [shown("members_archived"), MADE])
    result, _ = drive(known.create(people("eva")[0]), [nobody(), shown("member")])
    assert isinstance(result, Written)


@pytest.mark.parametrize(
    ("total", "worth"), [(2, 2), (3_000, 6), (1_000_000, None)], ids=str
)
def test_a_long_archive_is_not_read_for_a_few(known, total, worth):
    """Each is created alone, which asks for them, and from then on without a look."""
    news = people(*(f"new{number}" for number in range(500)))
    assert known.together(news) == [[*range(500)]]
    look = [listing(range(2), total=total)] + [MADE] * (worth == 2)
    results, _ = drive(known.create_many(news[:2]), look)
    assert (results == (Alone(), Alone())) is (worth != 2)
    for count in (1, 2, 5, 6, 500):
        is_worth = worth is not None and count >= worth
        assert known.together(news[:count]) == [[*range(count)]] * is_worth


def test_members_of_different_audiences_are_made_apart():
    app = emulated_account.new_app("mailchimp")
    drive(app.list_containers(), [shown("lists")])
    news = [
        NewRecord(fields={}, containers=(one,) if one else ())
        for one in (LIST, "9a1c0ffee2", LIST, "9a1c0ffee2", "")
    ]
    assert app.together(news) == [[0, 2], [1, 3]]


def test_a_look_of_several_pages_is_followed_by_another(known):
    news = people("new", *(f"p{number}" for number in range(9, 14)))
    pages = [listing(range(10), total=12), listing(range(9, 12), total=12)]
    answers = [
        *(with_hashes(page) for page in pages),
        shown("members_empty"),
        MADE,
    ]
    results, calls = drive(known.create_many(news), answers)
    assert offsets(calls[:3]) == [0, 9, 0]
    assert results[1:4] == (Alone(), Alone(), Alone())
    assert len(body_of(calls[3])["members"]) == 3


def test_an_audience_that_is_gone_makes_nobody(known):
    gone = [shown("error_not_found", status=404)]
    assert failing(known.create_many(people("new", "ann")), gone) is Meaning.BROKEN
