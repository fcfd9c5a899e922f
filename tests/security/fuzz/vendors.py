"""The apps' operations, answered by fixtures of which some were changed.

What comes out of an operation has to fit on the bus, too: it is encoded as there.
"""

import functools
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from proto import codec
from proto.fields import Fields
from proto.ids import AppId, FieldId, RecordId
from proto.record import Consent, Memberships, Record
from services.connector import exchange, registry
from services.connector.apps.carddav import cards as carddav_cards
from services.connector.apps.carddav import fields as carddav_fields
from services.connector.apps.carddav import wire as carddav_wire
from services.connector.apps.carddav.values import BadValue
from services.connector.errors import CallFailed
from services.connector.port import (
    Answer,
    App,
    BatchApp,
    Call,
    Change,
    Facts,
    NewRecord,
    Operation,
    Snapshot,
    Update,
)
from tests.security.fuzz import mutating
from tests.security.fuzz.mutating import mutate

CALLS_MAX: Final = 40
"""A hostile server can make an operation go on; the transport ends it much later."""
_APPS: Final = Path(registry.__file__).with_name("apps")
_BASE_URL: Final = "https://app.example.org/v3"
_STATUSES: Final = (200, 204, 207, 301, 400, 403, 404, 409, 412, 429, 500, 503, 507)
_NAME: Final = FieldId("given_name")

Usual: TypeAlias = Callable[[Call, random.Random], tuple[int, bytes]]
Begin: TypeAlias = Callable[[App, random.Random], Operation[Any]]


def targets() -> Iterator[tuple[str, Callable[[random.Random], object]]]:
    """Return the names of the apps' decoders and how each is tried once."""
    for app, usual, operations in (
        (AppId("carddav"), _carddav, _CARDDAV),
        (AppId("constant_contact"), _constant_contact, _CONSTANT_CONTACT),
        (AppId("dotloop"), _dotloop, _DOTLOOP),
        (AppId("hubspot"), _hubspot, _HUBSPOT),
    ):
        for name, begin in operations.items():
            run = functools.partial(_try, app, usual=usual, begin=begin)
            yield f"{app}.{name}", run
    yield "carddav.multistatus", _multistatus
    yield "carddav.card", _card


def _try(
    app_id: AppId, random_: random.Random, *, usual: Usual, begin: Begin
) -> object:
    manifest, app_class = _registry().entry(app_id)
    app = app_class(manifest, Facts(base_url=_BASE_URL, username="ana"))
    operation = begin(app, random_)
    reply: Any = None
    try:
        for _ in range(CALLS_MAX):
            if isinstance(reply, CallFailed):
                call = operation.throw(reply)
            else:
                call = operation.send(reply)
            exchange.url_of(call, base_url=_BASE_URL)
            answer = _answer(call, random_, usual=usual)
            accepted = answer.status in call.accepts
            reply = answer if accepted else app.meaning_of(answer)
    except StopIteration as stop:
        return codec.encode(stop.value)
    finally:
        operation.close()
    return None


def _answer(call: Call, random_: random.Random, *, usual: Usual) -> Answer:
    status, body = usual(call, random_)
    chance = random_.random()
    if chance < 0.06:
        status = random_.choice(_STATUSES)
    elif chance < 0.2:
        status = random_.choice(call.accepts)
    if random_.random() < 0.7:
        body = mutate(body, random_)
    headers = {
        "date": "Thu, 01 Jan 2026 00:00:00 GMT",
        "etag": '"1"',
        "location": "/v3/elsewhere",
        "retry-after": "3",
    }
    if random_.random() < 0.2:
        headers[random_.choice(tuple(headers))] = header(random_)
    return Answer(status=status, headers=exchange.headers_of(headers), body=body)


def header(random_: random.Random) -> str:
    """Return a hostile header's text, as the client decodes it."""
    raw = mutating.text(random_).encode(errors="surrogatepass")
    return raw.decode(errors="surrogateescape")


@functools.cache
def _registry() -> registry.Registry:
    return registry.load()


@functools.cache
def _fixture(app: str, name: str) -> bytes:
    return (_APPS / app / "fixtures" / name).read_bytes()


def _carddav(call: Call, random_: random.Random) -> tuple[int, bytes]:
    fixture = functools.partial(_fixture, "carddav")
    depth = dict(call.headers).get("Depth")
    match call.method:
        case "PUT":
            return 201, b""
        case "GET":
            return 200, fixture(random_.choice(_CARDS))
        case "PROPFIND" if depth == "1":
            return 207, fixture("propfind_books.xml")
        case "PROPFIND":
            return 207, fixture(random_.choice(_PLACES))
    body = call.body or b""
    if b"sync-collection" in body:
        return 207, fixture(random_.choice(("sync_partial.xml", "sync_rest.xml")))
    if b"multiget" in body:
        return 207, fixture("multiget_omitting.xml")
    return 207, fixture(random_.choice(("query_none.xml", "multiget_omitting.xml")))


_CARDS: Final = ("apple_3_0.vcf", "modern_4_0.vcf", "legacy_3_0.vcf", "group_apple.vcf")
_PLACES: Final = ("propfind_server.xml", "propfind_principal.xml", "propfind_books.xml")
_CARD_IDS: Final = (RecordId("/dav/ana/a.vcf"), RecordId("/dav/ana/b.vcf"))
_BOOK_CURSOR: Final = (
    b'{"place": {"homes": ["/dav/ana/"], "is_book": false}, "reached":'
    b' {"/dav/ana/book/": "1"}, "todo": [["/dav/ana/book/", "1"]], "token": "2",'
    b' "window": [["a.vcf", "b.vcf"]], "removed": ["b.vcf"], "after": "a.vcf"}'
)


def _snapshot_of_card(random_: random.Random) -> Snapshot:
    raw = _fixture("carddav", random_.choice(_CARDS[:2]))
    raw = mutate(raw, random_).decode(errors="ignore").encode()
    try:
        card = carddav_cards.parse(raw.decode())
    except carddav_cards.Unreadable:
        card = carddav_cards.parse(_fixture("carddav", _CARDS[0]).decode())
    record = carddav_fields.record(_CARD_IDS[0], etag='"1"', card=card)
    return Snapshot(record=record, raw=raw)


def _changed(random_: random.Random) -> Fields:
    # Texts reach an app from the bus, which carries no half of a character.
    text = mutating.text(random_).encode(errors="ignore").decode()
    return {_NAME: text, FieldId("birthday"): text, FieldId("note"): None}


def _text(sample: bytes, random_: random.Random) -> str:
    return mutate(sample, random_).decode(errors="ignore")


_CARDDAV: Final[dict[str, Begin]] = {
    "verify": lambda app, _: app.verify(),
    "list_containers": lambda app, _: app.list_containers(),
    "scan": lambda app, _: app.scan(None),
    "changes": lambda app, random_: app.changes(_text(_BOOK_CURSOR, random_)),
    "get": lambda app, _: app.get(_CARD_IDS),
    "find_by_email": lambda app, _: app.find_by_email(("ana@example.org",)),
    "find_by_markers": lambda app, _: app.find_by_markers(("m-1",)),
    "create": lambda app, random_: app.create(
        NewRecord(fields=_changed(random_), tags=("x",), marker="m-1")
    ),
    "update": lambda app, random_: app.update(
        _snapshot_of_card(random_),
        Change(fields=_changed(random_), memberships=Memberships(tags_add=("x",))),
    ),
}


def _multistatus(random_: random.Random) -> None:
    names = (*_PLACES, "sync_partial.xml", "multiget_omitting.xml", "query_none.xml")
    body = mutate(_fixture("carddav", random_.choice(names)), random_)
    try:
        codec.encode(carddav_wire.parse(body, url=_BASE_URL))
    except carddav_wire.Malformed:
        carddav_wire.names_error(body, "valid-sync-token")


def _card(random_: random.Random) -> None:
    """Read a card; what was read and is written again is read as the same."""
    text = _text(_fixture("carddav", random_.choice(_CARDS)), random_)
    try:
        card = carddav_cards.parse(text)
    except carddav_cards.Unreadable:
        return
    before = carddav_fields.record(_CARD_IDS[0], etag='"1"', card=card)
    codec.encode(before)
    try:
        carddav_fields.write(card, _changed(random_))
    except BadValue:
        return
    again = carddav_cards.parse(card.text())
    codec.encode(carddav_fields.record(_CARD_IDS[0], etag='"2"', card=again))


_CONTACT_ID: Final = RecordId("5a0f6e3c-2d41-4b7a-9c55-0d1e2f3a4b5c")
_CC_CURSOR: Final = (
    b'{"stage": "updated", "since": "2026-01-01T00:00:00Z", "began":'
    b' "2026-01-02T00:00:00Z", "swept_on": "2026-01-01", "link":'
    b' "/v3/contacts?cursor=x"}'
)
_CC_ANSWERS: Final = (
    ("/account/summary", ("account_summary.json",)),
    ("/contact_lists", ("lists_page.json", "lists_last.json")),
    ("/contact_tags", ("tags.json", "tags.json", "tag_made.json")),
    ("/contact_custom_fields", ("custom_fields.json",)),
    ("/contacts/", ("contact_full.json", "contact_unsubscribed.json")),
    (
        "/contacts",
        ("contacts_page.json", "contacts_last.json", "contacts_deleted.json"),
    ),
)
_CC_ERRORS: Final = (
    "error_conflict.json", "error_forbidden.json", "error_not_found.json",
    "error_quota_exceeded.json", "error_throttled.json", "error_validation.json",
)  # fmt: skip


def _constant_contact(call: Call, random_: random.Random) -> tuple[int, bytes]:
    fixture = functools.partial(_fixture, "constant_contact")
    if random_.random() < 0.08:
        status = random_.choice((400, 401, 403, 404, 409, 429))
        return status, fixture(random_.choice(_CC_ERRORS))
    if call.is_write:
        return call.accepts[0], fixture("contact_full.json")
    path = call.path.partition("?")[0].removeprefix("/v3")
    for start, names in _CC_ANSWERS:
        if path.startswith(start):
            return 200, fixture(random_.choice(names))
    return 200, fixture("contacts_empty.json")


def _snapshot_of_contact(random_: random.Random) -> Snapshot:
    record = Record(record_id=_CONTACT_ID)
    name = random_.choice(("contact_full.json", "contact_minimal.json"))
    return Snapshot(record=record, raw=_fixture("constant_contact", name))


_CONSTANT_CONTACT: Final[dict[str, Begin]] = {
    "verify": lambda app, _: app.verify(),
    "describe_fields": lambda app, _: app.describe_fields(),
    "list_containers": lambda app, _: app.list_containers(),
    "scan": lambda app, _: app.scan(None),
    "changes": lambda app, random_: app.changes(_text(_CC_CURSOR, random_)),
    "changes_on": lambda app, _: app.changes(_CC_CURSOR.decode()),
    "get": lambda app, _: app.get((_CONTACT_ID,)),
    "find_by_email": lambda app, _: app.find_by_email(("ana@example.org",)),
    "create": lambda app, random_: app.create(
        NewRecord(fields={FieldId("first_name"): "Ana"}, tags=("x",))
    ),
    "update": lambda app, random_: app.update(
        _snapshot_of_contact(random_),
        Change(
            fields={FieldId("first_name"): "Ana"},
            memberships=Memberships(tags_add=("x",)),
        ),
    ),
}


_HUBSPOT_ID: Final = RecordId("30151")
_HUBSPOT_CURSOR: Final = (
    b'{"stage": "tied", "since": 1770811200000, "began": 1770811260000, "at":'
    b' 1770811200000, "last_id": 30151, "swept": 1770811200000}'
)
_HUBSPOT_ANSWERS: Final = (
    ("/account-info", ("account.json",)),
    ("/crm/v3/properties", ("properties.json",)),
    ("/communication", ("unsubscribed.json",)),
    ("/crm/v3/objects/contacts/search", ("search_page.json", "contacts_empty.json")),
    (
        "/crm/v3/objects/contacts/batch/read",
        ("batch_read.json", "batch_read_missing.json", "batch_read_failed.json"),
    ),
    (
        "/crm/v3/objects/contacts/batch",
        ("batch_created_partly.json", "batch_updated.json"),
    ),
    (
        "/crm/v3/objects/contacts",
        ("contacts_page.json", "contacts_last.json", "contacts_archived.json"),
    ),
)
_HUBSPOT_ERRORS: Final = (
    "error_conflict.json", "error_forbidden.json", "error_not_found.json",
    "error_daily.json", "error_secondly.json", "error_validation.json",
)  # fmt: skip


def _hubspot(call: Call, random_: random.Random) -> tuple[int, bytes]:
    fixture = functools.partial(_fixture, "hubspot")
    if random_.random() < 0.08:
        status = random_.choice((400, 401, 403, 404, 409, 429))
        return status, fixture(random_.choice(_HUBSPOT_ERRORS))
    if call.is_write and "/batch" not in call.path:
        return call.accepts[0], fixture("contact_updated.json")
    for start, names in _HUBSPOT_ANSWERS:
        if call.path.startswith(start):
            return call.accepts[0], fixture(random_.choice(names))
    raise AssertionError(f"no answer to {call.path}")


def _hubspot_snapshot() -> Snapshot:
    batch = codec.decode(_fixture("hubspot", "batch_read.json"), dict[str, Any])
    record = Record(record_id=_HUBSPOT_ID)
    return Snapshot(record=record, raw=codec.encode(batch["results"][0]))


def _hubspot_change(random_: random.Random) -> Change:
    text = mutating.text(random_).encode(errors="ignore").decode()
    return Change(fields={FieldId("email"): text}, consent=Consent.UNSUBSCRIBED)


_HUBSPOT: Final[dict[str, Begin]] = {
    "verify": lambda app, _: app.verify(),
    "describe_fields": lambda app, _: app.describe_fields(),
    "scan": lambda app, _: app.scan(None),
    "changes": lambda app, random_: app.changes(_text(_HUBSPOT_CURSOR, random_)),
    "changes_on": lambda app, _: app.changes(_HUBSPOT_CURSOR.decode()),
    "get": lambda app, _: app.get((_HUBSPOT_ID, RecordId("30252"))),
    "find_by_email": lambda app, _: app.find_by_email(("ann@example.org",)),
    "create": lambda app, random_: app.create(
        NewRecord(fields=_hubspot_change(random_).fields, consent=Consent.UNSUBSCRIBED)
    ),
    "create_many": lambda app, random_: cast(BatchApp, app).create_many(
        [NewRecord(fields=_hubspot_change(random_).fields)] * 3
    ),
    "update": lambda app, random_: app.update(
        _hubspot_snapshot(), _hubspot_change(random_)
    ),
    "update_many": lambda app, random_: cast(BatchApp, app).update_many(
        [Update(snapshot=_hubspot_snapshot(), change=_hubspot_change(random_))]
    ),
}


_DL_CONTACT_ID: Final = RecordId("8001")
_DL_CURSOR: Final = (
    b'{"stage": "changes", "since": "2026-01-01T00:00:00Z", "began":'
    b' "2026-01-02T00:00:00Z", "offset": 2, "size": 2, "is_counted": true,'
    b' "shown": [8001, 8002]}'
)
_DL_LISTINGS: Final = (
    "contacts_first.json", "contacts_last.json", "contacts_empty.json",
    "contacts_untold.json",
)  # fmt: skip
_DL_ERRORS: Final = (
    "error_invalid_token.json", "error_not_found.json", "error_unparseable_date.json",
)  # fmt: skip


def _dotloop(call: Call, random_: random.Random) -> tuple[int, bytes]:
    fixture = functools.partial(_fixture, "dotloop")
    if random_.random() < 0.08:
        status = random_.choice((400, 401, 403, 404, 422, 429))
        return status, fixture(random_.choice(_DL_ERRORS))
    if call.path == "/account":
        return 200, fixture("account.json")
    if call.path == "/contact" and not call.is_write:
        return 200, fixture(random_.choice(_DL_LISTINGS))
    return call.accepts[0], fixture("contact.json")


_DOTLOOP: Final[dict[str, Begin]] = {
    "verify": lambda app, _: app.verify(),
    "scan": lambda app, _: app.scan(None),
    "changes": lambda app, random_: app.changes(_text(_DL_CURSOR, random_)),
    "changes_on": lambda app, _: app.changes(_DL_CURSOR.decode()),
    "get": lambda app, _: app.get((_DL_CONTACT_ID,)),
    "create": lambda app, _: app.create(NewRecord(fields={FieldId("home"): "1"})),
    "update": lambda app, _: app.update(
        Snapshot(record=Record(record_id=_DL_CONTACT_ID)),
        Change(fields={FieldId("home"): "1"}),
    ),
}
