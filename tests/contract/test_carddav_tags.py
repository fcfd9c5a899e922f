"""Tags of cards: on the lines of a card, and through a real server."""

import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proto.errors import ErrorCode
from proto.record import Consent, Memberships
from services.connector.apps.carddav import cards, tags
from services.connector.apps.carddav.cards import Card
from services.connector.apps.carddav.values import BadValue
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Change, Moved, NewRecord, Refused, Written
from tests.contract.carddav import Account, account, any_server, card

__all__ = ["account", "any_server"]

FRIEND = "friend"


def card_of(*lines: str) -> Card:
    body = "\r\n".join(("BEGIN:VCARD", "VERSION:3.0", *lines, "END:VCARD"))
    return cards.parse(body + "\r\n")


def lines_of(made: Card) -> list[str]:
    return [line for line in made.text().split("\r\n") if line.startswith("CAT")]


def tagged(*names: str, without: tuple[str, ...] = ()) -> Change:
    return Change(memberships=Memberships(tags_add=names, tags_remove=without))


# On the lines of a card


def test_a_tag_goes_behind_the_others_on_the_line_that_is_there():
    made = card_of("FN:Ada", "CATEGORIES:Work\\, hard,friend", "NOTE:x")
    tags.write(made, add=["PieSync Trash", "a;b"])
    assert lines_of(made) == ["CATEGORIES:Work\\, hard,friend,PieSync Trash,a\\;b"]
    assert tags.read(made) == ("Work, hard", FRIEND, "PieSync Trash", "a;b")
    assert made.text().split("\r\n")[2:5:2] == ["FN:Ada", "NOTE:x"]


def test_a_card_without_tags_gets_a_line():
    made = card_of("FN:Ada")
    tags.write(made, add=["one", "two", "one"])
    assert lines_of(made) == ["CATEGORIES:one,two"]


def test_tags_that_are_not_ours_keep_their_bytes_and_their_order():
    made = card_of("CATEGORIES;X-A=1: b , a\\;c ,ours", "categories:z,OURS,y")
    tags.write(made, add=(), remove=["ours"])
    assert made.text().split("\r\n")[2:4] == [
        "CATEGORIES;X-A=1: b , a\\;c ",
        "categories:z,OURS,y",
    ]


def test_the_last_tag_takes_its_line_along():
    made = card_of("FN:Ada", "CATEGORIES:ours", "CATEGORIES:")
    tags.write(made, add=(), remove=["ours"])
    assert lines_of(made) == ["CATEGORIES:"], "an empty one that was there stays"
    tags.write(made, add=["new"])
    assert lines_of(made) == ["CATEGORIES:new"]


def test_a_tag_is_taken_out_wherever_and_however_often_it_is():
    made = card_of("CATEGORIES:a,ours,b,ours", "CATEGORIES: ours ,c")
    tags.write(made, add=["d"], remove=["ours", "never there"])
    assert tags.read(made) == ("a", "b", "c", "d")


def test_what_is_so_already_changes_no_line():
    made = card_of("CATEGORIES:a\\,b, friend ")
    before = made.text()
    tags.write(made, add=["a,b", "friend", " friend"], remove=["none"])
    assert made.text() == before


def test_a_broken_end_of_a_line_does_not_swallow_the_tag_behind_it():
    made = card_of("CATEGORIES:a\\")
    tags.write(made, add=["b"])
    assert "b" in tags.read(made)
    assert "CATEGORIES:a\\" in lines_of(made)


@pytest.mark.parametrize(
    "name", ["", "  ", "\x01", "x" * (tags.TAG_CHARACTERS_MAX + 1)]
)
def test_a_tag_that_nobody_would_read_back_is_refused(name):
    with pytest.raises(BadValue) as refused:
        tags.write(card_of("FN:x"), add=[name])
    assert refused.value.field_id is None


def test_more_tags_than_are_read_are_not_written():
    full = ",".join(f"tag {number}" for number in range(tags.TAGS_MAX))
    made = card_of(f"CATEGORIES:{full}")
    with pytest.raises(BadValue):
        tags.write(made, add=["one more"])
    tags.write(made, add=["one more"], remove=["tag 0"])
    assert tags.read(made)[-1] == "one more"


names = st.text(
    st.one_of(
        st.sampled_from("\\,;: ab\n"),
        st.characters(exclude_categories=("Cs", "Cc", "Cn")),
    ),
    min_size=1,
    max_size=30,
).filter(lambda text: text.strip())


@settings(deadline=None)
@given(
    held=st.lists(names, max_size=5),
    add=st.lists(names, max_size=3),
    remove=st.lists(names, max_size=3),
)
def test_whatever_is_added_and_removed_is_so_afterwards(held, add, remove):
    made = card_of("FN:Ada")
    tags.write(made, add=held)
    before = tags.read(made)
    remove = [*remove, *before[:1]]
    tags.write(made, add=add, remove=remove)
    after = tags.read(cards.parse(made.text()))
    gone = {name.strip() for name in remove}
    wanted = dict.fromkeys(
        (*(n for n in before if n not in gone), *(name.strip() for name in add))
    )
    assert after == tuple(wanted)


# Through a server


async def create(account: Account, **more: object) -> Written:
    new = NewRecord(fields={"note": "x"}, marker=str(uuid.uuid4()), **more)
    result = await account.run(account.app.create(new))
    assert isinstance(result, Written), result
    return result


async def test_tags_are_created_changed_and_read_back_by_everybody(account):
    made = await create(account, tags=("PieSync Trash", "a, b; c\\d"))
    assert made.record.tags == ("PieSync Trash", "a, b; c\\d")
    snapshot = await account.read(made.record.record_id)
    assert snapshot.record == made.record
    change = Change(
        fields={"job_title": "Baker"},
        memberships=Memberships(tags_add=("Grüße",), tags_remove=("PieSync Trash",)),
    )
    account.caller.calls.clear()
    written = await account.run(account.app.update(snapshot, change))
    assert account.caller.counts == {"PUT": 1}, "fields and tags go in one write"
    after = await account.read(made.record.record_id)
    assert written.record == after.record
    assert after.record.tags == ("a, b; c\\d", "Grüße")
    assert after.record.fields["job_title"] == "Baker"


async def test_tags_of_another_program_stay_as_they_are(account):
    path = f"{account.book}apple.vcf"
    await account.put(path, card("u", "FN:x", "N:x;;;;", "CATEGORIES:zoo,Work,art"))
    before = (await account.text(path)).splitlines()
    snapshot = await account.read(path)
    await account.run(account.app.update(snapshot, tagged("PieSync Trash")))
    after = (await account.text(path)).splitlines()
    assert [line for line in after if line not in before] == [
        "CATEGORIES:zoo,Work,art,PieSync Trash"
    ]
    tagged_now = await account.read(path)
    change = tagged(without=("PieSync Trash",))
    await account.run(account.app.update(tagged_now, change))
    assert (await account.text(path)).splitlines() == before


async def test_a_tag_is_not_written_onto_a_card_that_moved_on(account):
    made = await create(account, tags=("one",))
    stale = await account.read(made.record.record_id)
    await account.run(account.app.update(stale, tagged("two")))
    assert await account.run(account.app.update(stale, tagged("three"))) == Moved()
    assert (await account.read(made.record.record_id)).record.tags == ("one", "two")


async def test_a_lost_answer_of_a_tag_is_found_to_be_done(account):
    made = await create(account)
    snapshot = await account.read(made.record.record_id)
    operation = account.app.update(snapshot, tagged("two"))
    await account.caller.send(next(operation))
    with pytest.raises(CallFailed):
        operation.throw(CallFailed(Meaning.NO_ANSWER, "timeout"))
    after = await account.read(made.record.record_id)
    assert after.record.tags == ("two",)
    account.caller.calls.clear()
    again = await account.run(account.app.update(after, tagged("two")))
    assert again == Written(record=after.record)
    assert account.caller.calls == []


async def test_a_tag_shows_in_the_changes_like_an_edit(account):
    made = await create(account)
    _, resume = await account.scan()
    snapshot = await account.read(made.record.record_id)
    await account.run(account.app.update(snapshot, tagged("two")))
    found, _ = await account.changes(resume)
    assert found[made.record.record_id].tags == ("two",)


async def test_a_tag_that_no_card_can_hold_is_refused_before_it_is_sent(account):
    made = await create(account)
    snapshot = await account.read(made.record.record_id)
    account.caller.calls.clear()
    refused = Refused(code=ErrorCode.VALUE_REFUSED)
    assert await account.run(account.app.update(snapshot, tagged("\x01"))) == refused
    new = NewRecord(fields={}, marker=str(uuid.uuid4()), tags=("\x01",))
    assert await account.run(account.app.create(new)) == refused
    assert account.caller.calls == []


async def test_a_card_tells_no_consent(account):
    made = await create(account, consent=Consent.UNSUBSCRIBED)
    assert made.record.consent is Consent.UNKNOWN
