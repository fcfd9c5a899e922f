"""The made-up vendors and their app keep the promises that apps give the connector."""

import random

import msgspec
import pytest

from proto.errors import ErrorCode
from proto.fields import Role
from proto.ids import AppId, RecordId
from proto.record import Consent, Presence
from services.connector.errors import CallFailed, Meaning
from services.connector.port import (
    Call,
    Change,
    Exists,
    Missing,
    Moved,
    NewRecord,
    Refused,
    Written,
)
from tests.simulation.ledger import Entry, Who
from tests.simulation.vendors import ways as drawing
from tests.simulation.vendors import wire
from tests.simulation.vendors.app import OFFSET_OVERLAP
from tests.simulation.vendors.driving import ACCOUNT, Driver
from tests.simulation.vendors.forms import Forms
from tests.simulation.vendors.ways import Markers, Merges, Paging, Ways

ROLES = (Role.EMAIL, Role.NAME_GIVEN, Role.NAME_FAMILY, Role.JOB_TITLE, Role.PHONE)


def driver(**more) -> Driver:
    ways = Ways(app=AppId("sim_a"), roles=ROLES, **more)
    made = Driver(ways)
    made.token = tokens(made)[0]
    return made


def tokens(made: Driver) -> tuple[str, str]:
    grant = msgspec.json.decode(made.authorise().body, type=wire.Token)
    return grant.access_token, grant.refresh_token


def drawn(seed: int) -> Driver:
    ways = drawing.draw(random.Random(seed), AppId("sim_b"), is_shouting=seed % 2 == 0)
    made = Driver(
        msgspec.structs.replace(
            ways, calls_per_second=1_000.0, token_lifetime_s=3_600.0
        )
    )
    made.token = tokens(made)[0]
    return made


@pytest.mark.parametrize("seed", range(60))
def test_a_scan_shows_everybody_and_changes_leave_nobody_out(seed):
    made = drawn(seed)
    source = random.Random(seed)
    email = made.book.ways.email_name
    for number in range(23):
        made.book.create({email: f"p{number}@x.example"})
    made.wait(drawing.LAG_S_MAX + 1)
    pages = list(made.pages())
    shown = {record.record_id for page in pages for record in page.records}
    assert shown == set(made.book.holders)
    cursor = pages[-1].resume
    for _ in range(12):
        touched = set()
        for holder in source.sample(made.book.live(), 4):
            made.wait(source.random() * 3)
            made.book.edit(holder.record_id, {made.book.ways.own_name: str(source)})
            touched.add(holder.record_id)
        made.wait(source.choice((0.0, 1.0, 40.0)))
        seen = set()
        for _ in range(2):
            pages = list(made.pages(cursor))
            seen |= {record.record_id for page in pages for record in page.records}
            cursor = pages[-1].resume
            made.wait(drawing.LAG_S_MAX + 1)
        assert touched <= seen


def test_offset_pages_show_records_again_so_that_a_few_may_move():
    made = driver(paging=Paging.OFFSET, page_size=5)
    for number in range(12):
        made.book.create({"email": f"p{number}@x.example"})
    pages = iter(made.pages())
    seen = [record.record_id for record in next(pages).records]
    for holder in made.book.live()[:OFFSET_OVERLAP]:
        made.book.delete(holder.record_id)
    seen += [record.record_id for page in pages for record in page.records]
    assert {holder.record_id for holder in made.book.live()} <= set(seen)


def test_a_listing_lags_and_a_record_by_id_does_not():
    made = driver(lag_s=4.0)
    record_id = made.book.create({"email": "a@x.example"})
    assert [page.records for page in made.pages()] == [()]
    assert made.run(made.app.find_by_email(["a@x.example"])) == ()
    [snapshot] = made.run(made.app.get([record_id]))
    assert snapshot.record.fields["email"] == "a@x.example"
    made.wait(4.0)
    assert len(made.run(made.app.find_by_email(["A@X.example"]))) == 1


@pytest.mark.parametrize("is_told", [True, False])
def test_a_vendor_may_not_tell_when_a_record_changed(is_told):
    """Its listing of changes goes by that all the same."""
    made = driver(tells_changes=is_told)
    made.book.create({"email": "a@x.example"})
    made.wait(100.0)
    [cursor] = [page.resume for page in made.pages()]
    record_id = made.book.create({"email": "b@x.example"})
    [record] = [record for page in made.pages(cursor) for record in page.records]
    assert record.record_id == record_id
    assert (record.modified_at is not None) is is_told


def test_a_created_record_is_what_the_vendor_made_of_it():
    made = driver(forms=Forms(trims=True, titles_names=True, shortens_to=4))
    new = NewRecord(fields={"given": " ana ", "job_title": "Keeper"}, marker="m-1")
    result = made.run(made.app.create(new))
    assert isinstance(result, Written)
    assert result.record.fields["given"] == "Ana"
    assert result.record.fields["job_title"] == "Keep"
    entry = made.ledger.entries[-1]
    assert entry.who is Who.TANDEM
    assert entry.cause.marker == "m-1"
    assert entry.cause.asked["given"] == " ana "


def test_a_vendor_may_rewrite_values_long_after_the_write():
    made = driver(forms=Forms(titles_names=True, after_s=30.0))
    record_id = made.book.create({"given": "ana"})
    assert made.book.holders[record_id].now.fields["given"] == "ana"
    made.wait(31.0)
    [snapshot] = made.run(made.app.get([record_id]))
    assert snapshot.record.fields["given"] == "Ana"
    assert made.ledger.entries[-1].who is Who.VENDOR


class Hasty:
    """Somebody who edits a record as soon as we have written it."""

    def __init__(self, made: Driver) -> None:
        self._made = made
        self._is_new = True
        made.ledger.watchers.append(self._watch)

    def _watch(self, entry: Entry) -> None:
        if entry.who is Who.TANDEM:
            self._made.vendor.on_call.append(self._edit(entry.record_id))

    def _edit(self, record_id: RecordId):
        def edit(_place: object, _request: object) -> None:
            if self._is_new:
                self._is_new = False
                self._made.book.edit(record_id, {"given": "Eva"})

        return edit


@pytest.mark.parametrize("get_batch", [1, 5])
def test_a_vendor_that_tells_nothing_of_a_write_is_asked_after_it(get_batch):
    """What somebody has edited in between shows, and that it may (hazard 37)."""
    made = driver(tells_writes=False, get_batch=get_batch, write_batch=5)
    [record_id] = (made.book.create({"given": name}) for name in ("Ana",))
    [snapshot] = made.run(made.app.get([record_id]))
    change = Change(fields={"job_title": "Owner"})
    news = [NewRecord(fields={"given": name}) for name in ("Zoe", "Bob")]
    Hasty(made)
    written = made.run(made.app.update(snapshot, change))
    assert (written.is_read_after, written.record.fields["given"]) == (True, "Eva")
    assert written.record.fields["job_title"] == "Owner"
    made_one = made.run(made.app.create(news[0]))
    several = made.run(made.app.create_many(news))
    assert all(each.is_read_after for each in (made_one, *several))
    assert [each.record.fields["given"] for each in several] == ["Zoe", "Bob"]
    assert made.vendor.calls[ACCOUNT].paths["GET /api/people"] == (get_batch > 1) * 4


def test_what_cannot_be_read_after_a_write_may_be_done():
    made = driver(tells_writes=False, calls_per_second=1.0)
    with pytest.raises(CallFailed) as caught:
        made.run(made.app.create(NewRecord(fields={"given": "Ana"})))
    assert caught.value.meaning is Meaning.NO_ANSWER
    assert len(made.book.live()) == 1


def test_an_address_that_is_taken_names_its_owner():
    made = driver()
    record_id = made.book.create({"email": "a@x.example"})
    result = made.run(made.app.create(NewRecord(fields={"email": "A@x.example"})))
    assert result == Exists(record_id=record_id)
    other = made.book.create({"email": "b@x.example"})
    [snapshot] = made.run(made.app.get([other]))
    result = made.run(
        made.app.update(snapshot, Change(fields={"email": "a@x.example"}))
    )
    assert result == Refused(code=ErrorCode.ALREADY_EXISTS, field_id="email")


def test_a_name_that_is_too_long_is_refused_by_field():
    made = driver(length_max=5)
    result = made.run(made.app.create(NewRecord(fields={"given": "Maximilian"})))
    assert result == Refused(code=ErrorCode.VALUE_REFUSED, field_id="given")


def test_a_conditional_write_meets_an_edit_made_since_the_read():
    made = driver(writes_conditionally=True)
    record_id = made.book.create({"given": "Ana"})
    [snapshot] = made.run(made.app.get([record_id]))
    made.book.edit(record_id, {"family": "Garcia"})
    assert (
        made.run(made.app.update(snapshot, Change(fields={"given": "Eva"}))) == Moved()
    )


def test_a_whole_write_keeps_what_it_does_not_mention():
    made = driver(replaces_whole=True)
    record_id = made.book.create({"given": "Ana", "ref": "own"})
    [snapshot] = made.run(made.app.get([record_id]))
    made.run(made.app.update(snapshot, Change(fields={"given": "Eva"})))
    fields = made.book.holders[record_id].now.fields
    assert (fields["given"], fields["ref"]) == ("Eva", "own")


@pytest.mark.parametrize("batch", [1, 5])
def test_a_record_that_is_gone_is_told(batch):
    made = driver(get_batch=batch)
    gone, kept = made.book.create({}), made.book.create({})
    made.book.delete(gone)
    first, second = made.run(made.app.get([gone, kept]))
    records = {each.record.record_id: each.record for each in (first, second)}
    assert records[gone].presence is Presence.MISSING
    assert records[kept].presence is Presence.LIVE
    [snapshot] = made.run(made.app.get([kept]))
    made.book.delete(kept)
    assert (
        made.run(made.app.update(snapshot, Change(fields={"given": "Eva"})))
        == Missing()
    )


@pytest.mark.parametrize("batch", [1, 5])
@pytest.mark.parametrize("merges", list(Merges))
def test_a_record_merged_away_is_told_as_the_vendor_tells_it(merges, batch):
    made = driver(merges=merges, get_batch=batch)
    loser = made.book.create({"given": "Ana", "family": "Garcia"})
    winner = made.book.create({"given": "Anna"})
    made.book.merge(loser, winner)
    snapshots = made.run(made.app.get([loser, winner][:batch]))
    record = next(s.record for s in snapshots if s.record.record_id == loser)
    if merges is Merges.SILENT:
        assert record.presence is Presence.MISSING
    else:
        assert (record.presence, record.merged_into) == (Presence.MERGED, winner)
    assert made.book.holders[winner].now.fields["family"] == "Garcia"


def test_an_id_leads_on_to_what_its_record_was_merged_into_at_last():
    made = driver(merges=Merges.REDIRECTS)
    first, second, third = (made.book.create({"given": "Ana"}) for _ in range(3))
    made.book.merge(first, second)
    made.book.merge(second, third)
    [snapshot] = made.run(made.app.get([first]))
    assert snapshot.record.merged_into == third
    made.book.delete(third)
    [snapshot] = made.run(made.app.get([first]))
    assert snapshot.record.presence is Presence.MISSING


def test_tombstones_are_in_the_changes_and_a_restored_record_is_back():
    made = driver(has_tombstones=True)
    record_id = made.book.create({"given": "Ana"})
    *_, page = made.pages()
    made.wait(20.0)
    made.book.delete(record_id)
    [page] = made.pages(page.resume)
    assert [r.presence for r in page.records] == [Presence.DELETED]
    made.wait(20.0)
    made.book.restore(record_id)
    [page] = made.pages(page.resume)
    assert [r.presence for r in page.records] == [Presence.LIVE]
    assert page.records[0].fields["given"] == "Ana"


def test_a_trash_may_have_lost_values():
    made = driver()
    record_id = made.book.create({"given": "Ana", "family": "Lee"})
    made.book.delete(record_id)
    made.book.restore(record_id, without=["family"])
    [snapshot] = made.run(made.app.get([record_id]))
    fields = snapshot.record.fields
    assert (fields["given"], fields["family"]) == ("Ana", None)


@pytest.mark.parametrize("markers", list(Markers))
def test_our_mark_finds_a_record_where_the_vendor_keeps_it(markers):
    made = driver(markers=markers, unique_emails=False)
    new = NewRecord(fields={"email": "a@x.example"}, marker="m-1")
    first = made.run(made.app.create(new))
    second = made.run(made.app.create(new))
    found = made.run(made.app.find_by_markers(["m-1", "m-2"]))
    assert isinstance(first, Written)
    is_unique = markers is Markers.UNIQUE
    assert second == Exists(record_id=first.record.record_id) or not is_unique
    assert set(found) == (set() if markers is Markers.IGNORED else {"m-1"})
    shown = "" if markers is Markers.IGNORED else "m-1"
    assert first.record.marker == shown
    made.wait(drawing.LAG_S_MAX + 1)
    assert {r.marker for page in made.pages() for r in page.records} == {shown}


def test_a_vendor_subscribes_whoever_is_created_without_a_word():
    made = driver(has_consent=True, default_consent="subscribed")
    user_made = made.book.create({})
    assert made.book.holders[user_made].now.consent is Consent.SUBSCRIBED
    result = made.run(made.app.create(NewRecord(fields={})))
    assert isinstance(result, Written)
    assert result.record.consent is Consent.UNKNOWN


def test_a_vendor_that_mails_everybody_says_so_and_does():
    made = driver(has_consent=True, mails_everybody=True)
    assert made.app.ways.capabilities().least_consent is Consent.SUBSCRIBED
    result = made.run(made.app.create(NewRecord(fields={})))
    assert isinstance(result, Written)
    assert result.record.consent is Consent.SUBSCRIBED


def test_tags_lists_and_consent_can_be_changed_through_the_api():
    made = driver(can_tag=True, has_lists=True, has_consent=True)
    record_id = made.book.create({}, lists=("list-1",), tags=("old",))
    draft = wire.Draft(
        lists_add=("list-2",),
        lists_remove=("list-1",),
        tags_add=("new",),
        tags_remove=("old",),
        consent="unsubscribed",
    )
    answer = made.answer(_patch(record_id, draft))
    person = msgspec.json.decode(answer.body, type=wire.Person)
    assert (person.lists, person.tags) == (("list-2",), ("new",))
    assert person.consent == "unsubscribed"


def test_more_calls_than_the_vendor_takes_are_put_off():
    made = driver(calls_per_second=3.0)
    for _ in range(3):
        made.run(made.app.verify())
    with pytest.raises(CallFailed) as caught:
        made.run(made.app.verify())
    assert caught.value.meaning is Meaning.RATE_LIMITED
    made.wait(1.1)
    assert made.run(made.app.verify()).vendor_account_id == ACCOUNT


def test_a_refresh_token_that_comes_twice_ends_its_family():
    made = driver()
    _, refresh = tokens(made)
    answer = made.post_token(grant_type="refresh_token", refresh_token=refresh)
    grant = msgspec.json.decode(answer.body, type=wire.Token)
    made.token = grant.access_token
    made.run(made.app.verify())
    answer = made.post_token(grant_type="refresh_token", refresh_token=refresh)
    assert msgspec.json.decode(answer.body, type=wire.Token).error == "invalid_grant"
    with pytest.raises(CallFailed) as caught:
        made.run(made.app.verify())
    assert caught.value.meaning is Meaning.UNAUTHORISED


def test_an_access_token_ends():
    made = driver(token_lifetime_s=120.0)
    made.run(made.app.verify())
    made.wait(121.0)
    with pytest.raises(CallFailed) as caught:
        made.run(made.app.verify())
    assert caught.value.meaning is Meaning.UNAUTHORISED


def test_drawn_vendors_differ_and_are_the_same_for_the_same_seed():
    ways = [drawn(seed).book.ways for seed in range(40)]
    assert ways == [drawn(seed).book.ways for seed in range(40)]
    assert len({msgspec.json.encode(each) for each in ways}) == 40


def _patch(record_id: RecordId, draft: wire.Draft) -> Call:
    return Call(
        method="PATCH",
        path=f"/people/{record_id}",
        body=msgspec.json.encode(draft),
        is_write=True,
    )
