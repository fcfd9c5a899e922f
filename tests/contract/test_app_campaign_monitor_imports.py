"""Campaign Monitor's imports of people some of whom are there: it tells how many."""

from typing import Any

import pytest

from proto.record import Consent
from services.connector.port import Exists, NewRecord, Unsure, Written
from tests.contract import emulated_account
from tests.contract.campaign_monitor_account import connected, email_of
from tests.contract.driving import answer, drive

CLIENT, LIST = "3b9aca00d1e2f3a4b5c6d7e8f9a0b1c2", "0f2d1b7c9a3e4d5f8a6b7c8d9e0f1a2b"
KNOWN = (
    answer([{"ClientID": CLIENT, "Name": "Main Street Bakery"}]),
    answer([{"ListID": LIST, "Name": "Newsletter"}]),
    answer([]),
)
A, B = "a@example.org", "b@example.org"


@pytest.fixture
def app() -> Any:
    return emulated_account.new_app("campaign_monitor")


def new(email: str, **fields: Any) -> NewRecord:
    asked = {"EmailAddress": email, **fields}
    return NewRecord(fields=asked, consent=Consent.SUBSCRIBED)


def counted(count: int, *, new: int, there: int = 0, failures: Any = ()) -> Any:
    """Return what an import answers, with the numbers of those who were not taken."""
    return {
        "TotalUniqueEmailsSubmitted": count,
        "TotalExistingSubscribers": there,
        "TotalNewSubscribers": new,
        "DuplicateEmailsInSubmission": [],
        "FailureDetails": [
            {"EmailAddress": email, "Code": code, "Message": "No"}
            for email, code in failures
        ],
    }


@pytest.mark.parametrize(
    "told", [{"new": 1, "there": 1}, {"new": 2, "there": 1}, {"new": 1}]
)
def test_where_an_import_counts_who_was_there_nobody_in_it_is_new(app, told):
    """It wrote over one of them, and does not say over whom.

    All of them were told as new, with nothing but what was sent.
    """
    told = answer(counted(2, **told), status=201)
    results, _ = drive(app.create_many([new(A), new(B)]), [*KNOWN, told])
    assert results == (Unsure(), Unsure())


@pytest.mark.parametrize(("there", "is_sure"), [(0, True), (1, True), (2, False)])
def test_who_was_not_taken_makes_nobody_else_doubtful(app, there, is_sure):
    """Also if the vendor counts who has unsubscribed among those who are there."""
    told = counted(2, new=1, there=there, failures=[(B, 206)])
    body = {"Code": 210, "Message": "Some failures", "ResultData": told}
    answers = [*KNOWN, answer(body, status=400)]
    results, _ = drive(app.create_many([new(A), new(B)]), answers)
    assert isinstance(results[0], Written if is_sure else Unsure)
    assert results[1] == Exists(record_id=f"{LIST}/{B}")


def test_an_import_without_counts_is_not_sure_of_anybody(app):
    bare = answer({"FailureDetails": [], "TotalUniqueEmailsSubmitted": 1}, status=201)
    assert drive(app.create(new(A)), [*KNOWN, bare])[0] == Unsure()


@pytest.mark.parametrize("name", [{}, {"Name": None}, {"Name": ""}])
async def test_who_subscribed_since_the_look_keeps_their_name(name):
    """Hazard 39: a create without a name emptied it, and was told as a new person."""
    async with connected() as account:
        account.main_list.define("bread", "Text", ())
        (one,) = account.add(1)
        account.act("edit", one, changes={"values": {"[bread]": "Rye"}})
        result = await account.run(account.app.create(new(email_of(0), **name)))
        assert result == Unsure(), "a look settles it"
        kept = account.subscriber(email_of(0))
        assert (kept.name, kept.values) == ("P 0", {"bread": ("Rye",)})
        (found,) = await account.run(account.app.find_by_email([email_of(0)]))
        assert (found.fields["Name"], found.fields["Text:bread"]) == ("P 0", "Rye")


async def test_one_who_is_there_has_all_of_an_import_looked_for():
    async with connected() as account:
        account.add(1)
        asked = [new(A, Name="Ann"), new(email_of(0), Name="Zoë"), new("no address")]
        results = await account.run(account.app.create_many(asked))
        assert results[:2] == (Unsure(), Unsure())
        assert not isinstance(results[2], Unsure | Written)
        assert account.subscriber(A).name == "Ann"
        (result,) = await account.run(account.app.create_many([new(B)]))
        assert isinstance(result, Written)
