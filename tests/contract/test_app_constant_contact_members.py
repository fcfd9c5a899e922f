"""Constant Contact's tags, lists and consent, driven with fixtures."""

import json

import pytest

from proto.errors import ErrorCode
from proto.record import Consent, Memberships
from services.connector.apps.constant_contact.app import App
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Change, NewRecord, Refused, Written
from tests.contract.constant_contact import (
    ZOE,
    app_that_knows_its_account,
    fixture,
    new_app,
    read,
    sent,
    shown,
)
from tests.contract.driving import answer, drive, failing

GOLD = "e1000001-0000-4000-8000-000000000001"
TRASH = "e1000002-0000-4000-8000-000000000002"
MADE = "e1000003-0000-4000-8000-000000000003"
LISTS = (
    "d1000001-0000-4000-8000-000000000001",
    "d1000002-0000-4000-8000-000000000002",
)


@pytest.fixture
def app() -> App:
    return app_that_knows_its_account()


def tagged(*names: str, without: tuple[str, ...] = ()) -> Change:
    return Change(memberships=Memberships(tags_add=names, tags_remove=without))


def listed(*ids: str, without: tuple[str, ...] = ()) -> Change:
    return Change(
        memberships=Memberships(containers_add=ids, containers_remove=without)
    )


# Tags


def test_tags_are_told_by_name(app):
    assert read(app).record.tags == ("Gold card member",)


def test_tags_are_read_once_and_again_when_an_unknown_one_shows_up():
    app = new_app()
    known = [shown("custom_fields"), shown("tags")]
    _, calls = drive(app.get([ZOE]), [shown("contact_full"), *known])
    assert [call.path for call in calls][2] == "/contact_tags"
    assert len(drive(app.get([ZOE]), [shown("contact_full")])[1]) == 1
    body = json.loads(fixture("contact_full")) | {"taggings": [GOLD, "new", "gone"]}
    listing = {"tags": [{"tag_id": "new", "name": "N"}, {"tag_id": GOLD, "name": "G"}]}
    (snapshot,), _ = drive(app.get([ZOE]), [answer(body), answer(listing)])
    assert snapshot.record.tags == ("G", "N"), "an id that nobody lists is no tag"
    _, calls = drive(app.get([ZOE]), [answer(body)])
    assert len(calls) == 1, "and it is not looked up for ever"


def test_contacts_without_tags_need_no_tags_to_be_read():
    _, calls = drive(
        new_app().scan(None), [shown("contacts_last"), shown("custom_fields")]
    )
    assert len(calls) == 2


def test_a_tag_is_added_by_its_id_behind_those_that_are_there(app):
    _, calls = drive(
        app.update(read(app), tagged("PieSync Trash")), [shown("contact_full")]
    )
    (put,) = calls
    assert sent(put)["taggings"] == [GOLD, TRASH]
    assert "list_memberships" not in sent(put)
    assert sent(put)["first_name"] == "Zoë", "a PUT empties what it leaves out"


def test_a_tag_is_taken_off_and_the_last_one_leaves_an_empty_array(app):
    change = tagged(without=("Gold card member", "never there"))
    _, (put,) = drive(app.update(read(app), change), [shown("contact_full")])
    assert sent(put)["taggings"] == []


def test_a_tag_that_the_account_lacks_is_made_once(app):
    answers = [shown("tags"), shown("tag_made", status=201), shown("contact_full")]
    _, calls = drive(app.update(read(app), tagged("VIP")), answers)
    assert [(call.method, call.path) for call in calls] == [
        ("GET", "/contact_tags"),
        ("POST", "/contact_tags"),
        ("PUT", f"/contacts/{ZOE}"),
    ]
    assert sent(calls[1]) == {"name": "VIP"}
    assert not calls[1].is_write, "it may be repeated, for a name is taken once"
    assert sent(calls[2])["taggings"] == [GOLD, MADE]
    _, calls = drive(app.update(read(app), tagged("VIP")), [shown("contact_full")])
    assert len(calls) == 1, "it is remembered"


def test_several_missing_tags_have_the_tags_read_once(app):
    made = [
        answer({"tag_id": name, "name": name}, status=201) for name in ("One", "Two")
    ]
    answers = [shown("tags"), *made, shown("contact_full")]
    _, calls = drive(app.update(read(app), tagged("One", "Two")), answers)
    assert [call.method for call in calls] == ["GET", "POST", "POST", "PUT"]


@pytest.mark.parametrize("name", ["VIP", "vip", "VIP "])
def test_a_name_that_somebody_took_meanwhile_is_found(app, name):
    """The answer to our own first try may have been lost, too."""
    taken = answer(fixture("error_conflict"), status=409)
    listing = {"tags": [{"tag_id": MADE, "name": "VIP"}]}
    answers = [shown("tags"), taken, answer(listing), shown("contact_full")]
    _, calls = drive(app.update(read(app), tagged(name)), answers)
    assert sent(calls[-1])["taggings"] == [GOLD, MADE]


def test_a_name_that_is_taken_by_nobody_is_broken(app):
    taken = answer(fixture("error_conflict"), status=409)
    with pytest.raises(CallFailed) as failure:
        drive(
            app.update(read(app), tagged("VIP")), [shown("tags"), taken, shown("tags")]
        )
    assert failure.value.meaning is Meaning.BROKEN


@pytest.mark.parametrize("name", ["", " ", "x" * 256])
def test_a_name_that_no_tag_can_have_is_refused_and_nothing_is_sent(app, name):
    refused = Refused(code=ErrorCode.VALUE_REFUSED)
    result, calls = drive(app.update(read(app), tagged(name)), [shown("tags")])
    assert result == refused
    assert {call.method for call in calls} == {"GET"}
    new = NewRecord(fields={"first_name": "A"}, tags=(name,))
    assert drive(app.create(new), [shown("tags")])[0] == refused


def test_a_tag_that_the_vendor_does_not_take_is_refused(app):
    answers = [shown("tags"), shown("error_validation", status=400)]
    result, _ = drive(app.update(read(app), tagged("VIP")), answers)
    assert result == Refused(code=ErrorCode.VALUE_REFUSED)


def test_a_refused_write_with_tags_has_them_read_again_for_the_next(app):
    """One of them may be gone; until then they are still known by name."""
    refused = shown("error_validation", status=400)
    result, _ = drive(app.update(read(app), tagged("PieSync Trash")), [refused])
    assert isinstance(result, Refused)
    assert read(app).record.tags == ("Gold card member",)
    answers = [answer({"tags": [{"tag_id": "t", "name": "PieSync Trash"}]})]
    answers += [shown("contact_full")]
    _, calls = drive(app.update(read(app), tagged("PieSync Trash")), answers)
    assert sent(calls[1])["taggings"] == [GOLD, "t"]


def test_a_new_contact_is_created_with_its_tags_and_lists(app):
    new = NewRecord(
        fields={"email": "zoe.brandt@example.org"},
        containers=LISTS,
        tags=("PieSync Trash",),
    )
    body = json.loads(fixture("contact_without_sub_resources"))
    result, (post,) = drive(app.create(new), [answer(body, status=201)])
    assert sent(post)["taggings"] == [TRASH]
    assert sent(post)["list_memberships"] == list(LISTS)
    assert isinstance(result, Written)
    assert result.record.tags == ("PieSync Trash",), "written, though not shown"
    assert result.record.containers == LISTS


# Lists


def test_lists_are_added_and_left_and_all_others_stay(app):
    snapshot = read(app)
    first, second = snapshot.record.containers
    change = listed(LISTS[0], "new", without=(second,))
    _, (put,) = drive(app.update(snapshot, change), [shown("contact_full")])
    assert sent(put)["list_memberships"] == [first, "new"]
    assert "taggings" not in sent(put)


def test_an_answer_without_sub_resources_still_tells_what_was_written(app):
    """Without its lists the contact would seem to have left the connection."""
    body = json.loads(fixture("contact_without_sub_resources"))
    snapshot = read(app)
    change = Change(
        memberships=Memberships(containers_add=("new",), tags_add=("PieSync Trash",))
    )
    result, _ = drive(app.update(snapshot, change), [answer(body)])
    assert isinstance(result, Written)
    assert result.record.containers == (*snapshot.record.containers, "new")
    assert result.record.tags == ("Gold card member", "PieSync Trash")


@pytest.mark.parametrize("change", [tagged("PieSync Trash"), listed("new")])
def test_what_is_not_shown_is_not_replaced(app, change):
    """Asked for and left out is not empty: all of it would be taken away."""
    snapshot = read(app, "contact_without_sub_resources")
    assert failing(app.update(snapshot, change)) is Meaning.BROKEN


# Consent


@pytest.mark.parametrize("consent", [Consent.UNSUBSCRIBED, Consent.SUPPRESSED])
def test_an_unsubscribe_is_written_as_the_contacts_own(app, consent):
    """Hazard 85: what an account took away it could give back by itself."""
    result, (put,) = drive(
        app.update(read(app), Change(consent=consent)), [shown("contact_unsubscribed")]
    )
    body = sent(put)
    assert body["email_address"] == {
        "address": "zoe.brandt@example.org",
        "permission_to_send": "unsubscribed",
    }
    assert body["update_source"] == "Contact"
    assert body["first_name"] == "Zoë"
    assert isinstance(result, Written)
    assert result.record.consent is Consent.UNSUBSCRIBED


def test_what_is_unsubscribed_already_is_not_written_again(app):
    """The vendor knows nothing tighter, so that suppressed would never be reached."""
    snapshot = read(app, "contact_unsubscribed")
    change = Change(consent=Consent.SUPPRESSED)
    assert drive(app.update(snapshot, change)) == (Written(record=snapshot.record), [])


@pytest.mark.behaviour(
    39,
    broken_by="connector/apps/constant_contact/fields.py: a permission is set to"
    " whatever was asked for",
)
@pytest.mark.parametrize("consent", [Consent.UNKNOWN, Consent.SUBSCRIBED])
def test_no_change_of_ours_ever_loosens_a_permission(app, consent):
    """Nobody is subscribed again, not even if we were asked to."""
    snapshot = read(app, "contact_unsubscribed")
    change = Change(fields={"job_title": "X"}, consent=consent)
    _, (put,) = drive(app.update(snapshot, change), [shown("contact_unsubscribed")])
    assert sent(put)["email_address"]["permission_to_send"] == "unsubscribed"
    assert sent(put)["update_source"] == "Account"


def test_a_first_email_of_somebody_unsubscribed_is_unsubscribed(app):
    snapshot = read(app, "contact_minimal")
    change = Change(fields={"email": "ngozi@example.org"}, consent=Consent.UNSUBSCRIBED)
    _, (put,) = drive(app.update(snapshot, change), [shown("contact_minimal")])
    assert sent(put)["email_address"]["permission_to_send"] == "unsubscribed"


def test_who_has_no_address_cannot_be_unsubscribed(app):
    snapshot = read(app, "contact_minimal")
    change = Change(consent=Consent.UNSUBSCRIBED)
    refused = Refused(code=ErrorCode.VALUE_REFUSED, field_id="email")
    assert drive(app.update(snapshot, change)) == (refused, [])
