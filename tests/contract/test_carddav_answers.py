"""CardDAV's operations on answers that Radicale does not give, but others do.

Prepared answers, no socket: redirects, partial listings, other spellings of a path,
cards left out, entity tags missing, and what is broken.
"""

import json

import pytest

from proto.errors import ErrorCode, Retry
from proto.fields import Item
from proto.ids import ContainerId, RecordId
from proto.record import Presence, Record
from services.connector.apps.carddav import wire
from services.connector.apps.carddav.app import App
from services.connector.errors import MAYBE_OF_ONE, CallFailed, Meaning
from services.connector.port import (
    Answer,
    Change,
    Exists,
    Facts,
    Missing,
    Moved,
    NewRecord,
    Refused,
    Snapshot,
    Written,
)
from tests.contract.carddav import FOLDER, MANIFEST, card
from tests.contract.driving import answer, drive, failing

BOOK = "/books/ann@example.org/main/"
CARD_ID = RecordId(f"{BOOK}x.vcf")
TEXT = card("x", "FN:Ann Lee", "N:Lee;Ann;;;", "EMAIL:ann@example.org")


def new_app(base: str = "https://dav.example.org") -> App:
    return App(MANIFEST, Facts(base_url=base, username="ann"))


@pytest.fixture
def app() -> App:
    return new_app()


def shown(name: str, *, status: int = 207) -> Answer:
    return answer((FOLDER / "fixtures" / f"{name}.xml").read_bytes(), status=status)


def snapshot(text: str = TEXT, *, etag: str = '"1"') -> Snapshot:
    record = Record(record_id=CARD_ID, version=etag)
    return Snapshot(record=record, raw=text.encode())


DISCOVERY = ("propfind_server", "propfind_principal")


def found_books() -> list[Answer]:
    return [*map(shown, DISCOVERY), shown("propfind_books")]


def meaning_of_failure(operation: object, answers: list[Answer], app: App) -> Meaning:
    with pytest.raises(CallFailed) as failure:
        drive(operation, answers, app=app)
    return failure.value.meaning


def test_the_manifest_is_named_for_its_folder():
    assert MANIFEST.app == FOLDER.name
    assert MANIFEST.base_url == ""


def test_each_field_is_described_once_with_its_role(app):
    described, calls = drive(app.describe_fields())
    assert calls == []
    assert len({field.field_id for field in described}) == len(described)
    assert len({field.role for field in described}) == len(described)


# Discovery


def test_books_are_found_by_way_of_the_principal(app):
    books, calls = drive(app.list_containers(), found_books())
    assert [(book.container_id, book.name) for book in books] == [(BOOK, "Main & only")]
    assert [(call.path, dict(call.headers)["Depth"]) for call in calls] == [
        ("/", "0"),
        ("/principals/ann@example.org/", "0"),
        ("/books/ann@example.org/", "1"),
    ]
    assert all(call.from_origin for call in calls)


def test_an_account_is_known_by_host_and_principal(app):
    identity, _ = drive(app.verify(), [shown(name) for name in DISCOVERY])
    assert identity.vendor_account_id == "dav.example.org/principals/ann@example.org/"
    assert identity.display_name == "ann at dav.example.org"


def test_redirects_are_followed_on_the_same_host_only(app):
    well_known = [
        answer(status=404),
        answer(status=301, headers={"location": "/dav/"}),
        answer(status=302, headers={"location": "https://dav.example.org/real/"}),
    ]
    _, calls = drive(app.verify(), [*well_known, *map(shown, DISCOVERY)])
    assert [call.path for call in calls][:4] == [
        "/",
        "/.well-known/carddav",
        "/dav/",
        "/real/",
    ]
    away = answer(status=301, headers={"location": "https://evil.example.net/"})
    assert meaning_of_failure(app.verify(), [away], app) is Meaning.REFUSED
    plain = answer(status=301, headers={"location": "http://dav.example.org/"})
    assert meaning_of_failure(app.verify(), [plain], app) is Meaning.REFUSED


def test_redirects_end(app):
    circle = [answer(status=307, headers={"location": "/"})] * 6
    assert meaning_of_failure(app.verify(), circle, app) is Meaning.BROKEN


def test_books_on_another_host_are_not_visited(app):
    answers = [
        shown("propfind_server"),
        shown("propfind_principal_elsewhere"),
        answer(status=404),
    ]
    assert meaning_of_failure(app.verify(), answers, app) is Meaning.REFUSED


@pytest.mark.parametrize(
    "body",
    [
        b"<html><body>Welcome</body></html>",
        b"",
        b"{}",
        b"<multistatus/>",
        b'<!DOCTYPE x [<!ENTITY a "b">]><multistatus xmlns="DAV:"/>',
        b'<multistatus xmlns="DAV:"><response/></multistatus>',
        b'<multistatus xmlns="DAV:"><response><href>/</href>'
        b"<propstat><prop/></propstat></response></multistatus>",
    ],
)
def test_an_answer_that_is_no_multistatus_is_broken(app, body):
    broken = [answer(body, status=207)]
    assert meaning_of_failure(app.verify(), broken, app) is Meaning.BROKEN


@pytest.mark.parametrize(
    "kind",
    [
        '<!DOCTYPE m SYSTEM "file:///etc/passwd">',
        '<!DOCTYPE m PUBLIC "-//x" "http://127.0.0.1:1/x.dtd">',
        '<!DOCTYPE m [<!ENTITY a "b">]>',
        '<!DOCTYPE m [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        '<!DOCTYPE m [<!ENTITY % a SYSTEM "http://127.0.0.1:1/x.dtd"> %a;]>',
        "<!DOCTYPE m [<!ATTLIST m a CDATA 'b'>]>",
        "<!DOCTYPE m>",
    ],
)
def test_a_document_type_alone_makes_an_answer_broken(kind: str):
    """But for it the answer would be read, so nothing else can be what is refused."""
    shown_whole = (FOLDER / "fixtures" / "propfind_books.xml").read_bytes()
    whole = shown_whole.partition(b"?>")[2].strip()
    url = "https://dav.example.org/"
    assert wire.parse(whole, url=url).resources
    with pytest.raises(wire.Malformed):
        wire.parse(kind.encode() + whole, url=url)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        (200, Meaning.BROKEN),
        (401, Meaning.UNAUTHORISED),
        (403, Meaning.FORBIDDEN),
        (418, Meaning.REFUSED),
        (429, Meaning.RATE_LIMITED),
        (500, Meaning.NO_ANSWER),
        (502, Meaning.NO_ANSWER),
        (503, Meaning.UNAVAILABLE),
        (507, Meaning.QUOTA_EXHAUSTED),
    ],
)
def test_every_other_status_has_a_meaning(app, status, meaning):
    failed = answer(status=status, headers={"retry-after": "17"})
    with pytest.raises(CallFailed) as failure:
        drive(app.verify(), [failed], app=app)
    assert failure.value.meaning is meaning
    assert failure.value.retry_after_s == 17


def test_a_retry_after_date_is_left_to_the_back_off(app):
    when = {"retry-after": "Wed, 21 Oct 2026 07:28:00 GMT"}
    assert app.meaning_of(answer(status=503, headers=when)).retry_after_s is None


# Reading


def scan_start() -> str:
    """The cursor of a pass that begins, as text."""
    place = {"homes": ["/books/ann@example.org/"]}
    return json.dumps({"place": place, "reached": {}, "todo": [[BOOK, ""]]})


def test_a_listing_that_the_server_cuts_short_goes_on(app):
    first, calls = drive(
        app.scan(scan_start()),
        [shown("sync_partial"), answer(TEXT, headers={"etag": '"a1"'})],
    )
    assert [call.method for call in calls] == ["REPORT", "GET"]
    assert first.resume is None
    last, calls = drive(
        app.changes(first.next),
        [shown("sync_rest"), shown("multiget_omitting"), answer(status=404)],
    )
    assert b"<sync-token>urn:sync:3</sync-token>" in calls[0].body
    assert json.loads(last.resume)["reached"] == {BOOK: "urn:sync:5"}
    assert last.next is None


def test_one_path_has_one_spelling_and_a_card_left_out_is_asked_for(app):
    start = json.loads(scan_start())
    start["todo"] = [[BOOK, "urn:sync:3"]]
    page, calls = drive(
        app.changes(json.dumps(start)),
        [shown("sync_rest"), shown("multiget_omitting"), answer(status=410)],
    )
    live, removed = page.records
    assert live.record_id == f"{BOOK}b%C3%A9.vcf"
    assert live.version == '"b1"'
    assert live.fields["emails"] == (Item(value="be@example.org"),)
    assert removed == Record(
        record_id=RecordId(f"{BOOK}removed.vcf"), presence=Presence.DELETED
    )
    assert calls[2].path == f"{BOOK}removed.vcf"


def test_a_card_that_is_listed_and_not_found_was_not_removed(app):
    """Hazard 70: a book that is away for a moment answers 404 for all in it."""
    start = json.loads(scan_start())
    start["todo"] = [[BOOK, "urn:sync:3"]]
    book_gone = [shown("sync_rest"), answer(status=404)]
    page, _ = drive(app.changes(json.dumps(start)), book_gone)
    found = {record.record_id: record.presence for record in page.records}
    assert found == {
        f"{BOOK}b%C3%A9.vcf": Presence.MISSING,
        f"{BOOK}removed.vcf": Presence.DELETED,
    }


def test_what_a_listing_tells_as_removed_is_known_on_later_pages_too(app):
    """Also in a fresh process, and in one that went on from an older cursor."""
    names = ["a.vcf", "b.vcf"]
    cursor = json.loads(scan_start())
    cursor |= {"todo": [[BOOK, "1"]], "token": "2", "window": [[n] for n in names]}
    gone = [answer(status=404)]
    for removed, presence in ((names, Presence.DELETED), ([], Presence.MISSING)):
        text = json.dumps(cursor | {"removed": removed})
        first, _ = drive(new_app().changes(text), gone)
        second, _ = drive(new_app().changes(first.next), gone)
        found = [record.presence for record in (*first.records, *second.records)]
        assert found == [presence] * 2


def test_a_removed_card_that_is_there_again_is_live(app):
    start = json.loads(scan_start())
    start["todo"] = [[BOOK, "urn:sync:3"]]
    again = answer(card("r", "FN:x", "N:x;;;;"), headers={"etag": '"9"'})
    answers = [shown("sync_rest"), shown("multiget_omitting"), again]
    page, _ = drive(app.changes(json.dumps(start)), answers)
    assert [record.presence for record in page.records] == [Presence.LIVE] * 2


def test_a_partial_answer_that_leads_nowhere_is_broken(app):
    start = json.loads(scan_start())
    start["todo"] = [[BOOK, "urn:sync:3"]]
    stuck = [shown("sync_partial")]
    operation = app.changes(json.dumps(start))
    assert meaning_of_failure(operation, stuck, app) is Meaning.BROKEN


@pytest.mark.parametrize("status", [403, 409])
def test_an_expired_token_is_told_by_its_name(app, status):
    start = json.loads(scan_start())
    start["todo"] = [[BOOK, "urn:sync:1"]]
    expired = [shown("error_valid_sync_token", status=status)]
    operation = app.changes(json.dumps(start))
    assert meaning_of_failure(operation, expired, app) is Meaning.CURSOR_EXPIRED
    refused = [answer(status=403)]
    operation = app.changes(json.dumps(start))
    assert meaning_of_failure(operation, refused, app) is Meaning.FORBIDDEN


def test_a_card_that_spoils_the_answer_is_found_by_halving(app):
    """A control character in one card made the answer for all of them no XML."""
    paths = [RecordId(f"{BOOK}{name}.vcf") for name in "abc"]
    spoilt = answer(b'<multistatus xmlns="DAV:">\x0b</multistatus>', status=207)
    headers = {"etag": '"1"'}
    spoilt_card = TEXT.replace("FN:", "NOTE:a\x0bb\r\nFN:")
    found, calls = drive(
        app.get(paths),
        [
            spoilt,
            answer(TEXT, headers=headers),
            spoilt,
            answer(spoilt_card, headers=headers),
            answer(b"\xff\xfe", headers=headers),
        ],
    )
    assert [call.method for call in calls] == ["REPORT", "GET", "REPORT", "GET", "GET"]
    assert [bool(one.record.fields) for one in found] == [True, True, False]
    assert all(one.record.presence is Presence.LIVE for one in found)


def test_an_answer_that_is_too_large_is_asked_for_in_halves(app):
    paths = [RecordId(f"{BOOK}{name}.vcf") for name in "ab"]
    too_large = CallFailed(Meaning.BROKEN, "more than 16777216 bytes")
    answers = [too_large, *[answer(TEXT, headers={"etag": '"1"'})] * 2]
    found, _ = drive(app.get(paths), answers)
    assert [one.record.record_id for one in found] == paths


def test_a_server_that_always_answers_nonsense_is_not_asked_for_each_card(app):
    paths = [RecordId(f"{BOOK}{number}.vcf") for number in range(50)]
    nonsense = [answer(b"<html>", status=200)] * 5
    assert (
        failing(app.get(paths), [*nonsense, answer(b"", status=500)], app=app)
        is Meaning.NO_ANSWER
    )


def test_large_cards_are_read_a_few_at_a_time(app):
    """Photos: two hundred cards in one answer would be larger than is taken."""
    response = (
        "<response><href>{}{}.vcf</href><propstat><prop><getetag>1</getetag>"
        "<getcontentlength>3000000</getcontentlength></prop>"
        "<status>HTTP/1.1 200 OK</status></propstat></response>"
    )
    listed = "".join(response.format(BOOK, number) for number in range(6))
    body = f'<multistatus xmlns="DAV:">{listed}<sync-token>2</sync-token></multistatus>'
    answers = [answer(body, status=207), answer(status=404)]
    page, calls = drive(app.scan(scan_start()), answers)
    assert calls[1].body.count(b"<href>") == 2
    assert len(json.loads(page.next)["window"]) == 2
    assert page.expected_count == 6


LONG_NAMES = [f"{number}{'x' * 40_000}.vcf" for number in range(3)]
"""Each of them fills a cursor."""


def listing_of(names: list[str], *, token: str) -> Answer:
    """Return a listing of cards whose sizes are not told."""
    listed = "".join(
        f"<response><href>{BOOK}{name}</href><propstat><prop><getetag>1</getetag></prop>"
        "<status>HTTP/1.1 200 OK</status></propstat></response>"
        for name in names
    )
    body = f'<multistatus xmlns="DAV:">{listed}<sync-token>{token}</sync-token>'
    return answer(f"{body}</multistatus>", status=207)


def test_a_listing_longer_than_a_cursor_is_asked_for_once(app):
    kept = answer(TEXT, headers={"etag": '"1"'})
    page, calls = drive(
        app.scan(scan_start()), [listing_of(LONG_NAMES, token="2"), kept]
    )
    methods = [call.method for call in calls]
    while page.next is not None:
        page, calls = drive(app.scan(page.next), [kept])
        methods += [call.method for call in calls]
    assert methods == ["REPORT", "GET", "GET", "GET"]
    assert json.loads(page.resume)["reached"] == {BOOK: "2"}


def test_a_process_that_remembers_another_listing_asks_for_its_own(app):
    """The cursor is another pass's, which began at another token or in another book."""
    kept = answer(TEXT, headers={"etag": '"1"'})
    first, _ = drive(app.scan(scan_start()), [listing_of(LONG_NAMES, token="2"), kept])
    cursor = json.loads(first.next)
    assert cursor["after"] == LONG_NAMES[0]
    again = [listing_of(LONG_NAMES[:2], token="7"), kept]
    for other in ({"token": "1"}, {"todo": [[BOOK, "1"]]}):
        _, calls = drive(app.scan(json.dumps(cursor | other)), again)
        assert [call.method for call in calls] == ["REPORT", "GET"]
    elsewhere = json.dumps(cursor | {"todo": [["/other/", ""]]})
    _, calls = drive(app.scan(elsewhere), again[:1])
    assert [call.path for call in calls] == ["/other/"]
    page, calls = drive(new_app().scan(first.next), again)
    assert [call.method for call in calls] == ["REPORT", "GET"]
    assert json.loads(page.resume)["reached"] == {BOOK: "2"}, "what came since is next"


def test_more_matches_than_the_server_tells_are_not_taken_for_all(app):
    answers = [*found_books(), shown("sync_partial")]
    operation = app.find_by_email(["ann@example.org"])
    assert meaning_of_failure(operation, answers, app) is Meaning.BROKEN


# Writing


def test_a_card_is_read_again_where_the_server_does_not_say_it_kept_it(app):
    new = NewRecord(fields={"note": "x"}, containers=(ContainerId(BOOK),), marker="m-1")
    kept = card("m-1", "FN:Changed", "N:;;;;", "NOTE:X")
    for headers in ({}, {"etag": 'W/"1"'}):
        result, calls = drive(
            app.create(new),
            [
                answer(status=201, headers=headers),
                answer(kept, headers={"etag": '"2"'}),
            ],
        )
        assert [call.method for call in calls] == ["PUT", "GET"]
        assert result.is_read_after, "somebody may have edited it in between"
        assert (result.record.version, result.record.fields["note"]) == ('"2"', "X")
    put = calls[0]
    assert put.is_write
    assert put.path == f"{BOOK}m-1.vcf"
    assert dict(put.headers) == {"If-None-Match": "*"}
    assert b"\r\nUID:m-1\r\n" in put.body


def test_a_card_deleted_right_after_it_was_written_is_told(app):
    answers = [answer(status=204), answer(status=404)]
    result, _ = drive(app.update(snapshot(), Change(fields={"note": "x"})), answers)
    assert isinstance(result, Written)
    assert result.record.presence is Presence.MISSING


def test_an_update_is_sent_under_the_version_that_was_read(app):
    answers = [answer(status=204, headers={"etag": '"2"'})]
    result, (call,) = drive(
        app.update(snapshot(), Change(fields={"note": "x"})), answers
    )
    assert dict(call.headers) == {"If-Match": '"1"'}
    assert call.is_write
    assert call.body.decode() == TEXT.replace("END:", "NOTE:x\r\nEND:")
    assert result.record.version == '"2"'
    assert not result.is_read_after, "the server kept every byte"


@pytest.mark.parametrize(
    ("status", "wanted"),
    [
        (412, Moved()),
        (404, Missing()),
        (410, Missing()),
        (400, Refused(code=ErrorCode.VALUE_REFUSED)),
        (413, Refused(code=ErrorCode.VALUE_REFUSED)),
        (415, Refused(code=ErrorCode.VALUE_REFUSED)),
        (403, Refused(code=ErrorCode.APP_REFUSED)),
    ],
)
def test_a_refused_update_says_why(app, status, wanted):
    result, _ = drive(
        app.update(snapshot(), Change(fields={"note": "x"})), [answer(status=status)]
    )
    assert result == wanted


LOCKED, STORED = answer(status=423), answer(status=204, headers={"etag": '"2"'})


def test_a_book_that_is_locked_for_a_moment_is_written_to_after_it(app):
    """As Xandikos 0.4 locks one; nothing is done while it is locked."""
    renamed = Change(fields={"given_name": "Anna"})
    update = app.update(snapshot(), renamed)
    result, calls = drive(update, [LOCKED, LOCKED, STORED])
    assert isinstance(result, Written)
    assert {(call.method, call.path, call.body) for call in calls} == {
        ("PUT", CARD_ID, calls[0].body)
    }
    assert 0.0 == calls[0].wait_s < calls[1].wait_s < calls[2].wait_s


def test_a_card_that_stays_locked_is_told_to_be_tried_later(app):
    renamed = Change(fields={"given_name": "Anna"})
    with pytest.raises(CallFailed) as failure:
        drive(app.update(snapshot(), renamed), [LOCKED] * 3)
    assert failure.value.retry is Retry.LATER
    assert failure.value.meaning in MAYBE_OF_ONE


def test_a_card_without_a_version_is_never_overwritten(app):
    result, calls = drive(app.update(snapshot(etag=""), Change(fields={"note": "x"})))
    assert (result, calls) == (Refused(code=ErrorCode.APP_REFUSED), [])
    gone = Snapshot(record=Record(record_id=CARD_ID, presence=Presence.DELETED))
    assert drive(app.update(gone, Change(fields={"note": "x"}))) == (Missing(), [])


def test_a_marker_that_is_taken_leads_to_the_card_that_has_it(app):
    new = NewRecord(fields={}, containers=(ContainerId(BOOK),), marker="x")
    mine = [answer(status=412), answer(TEXT, headers={"etag": '"1"'})]
    assert drive(app.create(new), mine)[0] == Exists(record_id=CARD_ID)
    not_mine = [answer(status=412), answer(card("y"), headers={"etag": '"1"'})]
    assert drive(app.create(new), not_mine)[0] == Refused(code=ErrorCode.APP_REFUSED)
    conflict = shown("error_no_uid_conflict", status=409)
    answers = [conflict, *found_books(), shown("query_none")]
    assert drive(app.create(new), answers)[0] == Refused(code=ErrorCode.APP_REFUSED)


def test_an_unanswered_write_is_left_to_the_caller(app):
    lost = CallFailed(Meaning.NO_ANSWER, "timeout")
    assert (
        failing(app.update(snapshot(), Change(fields={"note": "x"})), [lost])
        is Meaning.NO_ANSWER
    )
