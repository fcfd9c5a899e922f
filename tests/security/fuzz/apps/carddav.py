"""How CardDAV servers usually answer, and what an account is asked to do."""

import functools
import random
from typing import Final

from proto import codec
from proto.fields import Fields
from proto.ids import FieldId, RecordId
from proto.record import Memberships
from services.connector.apps.carddav import cards, fields, wire
from services.connector.apps.carddav.values import BadValue
from services.connector.port import Call, Change, NewRecord, Snapshot
from tests.security.fuzz import samples
from tests.security.fuzz.mutating import mutate
from tests.security.fuzz.samples import BASE_URL, Begin, cut, told

_NAME: Final = FieldId("given_name")


def usual(call: Call, random_: random.Random) -> tuple[int, bytes]:
    fixture = functools.partial(samples.fixture, "carddav")
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
    raw = samples.fixture("carddav", random_.choice(_CARDS[:2]))
    raw = mutate(raw, random_).decode(errors="ignore").encode()
    try:
        card = cards.parse(raw.decode())
    except cards.Unreadable:
        card = cards.parse(samples.fixture("carddav", _CARDS[0]).decode())
    record = fields.record(_CARD_IDS[0], etag='"1"', card=card)
    return Snapshot(record=record, raw=raw)


def _changed(random_: random.Random) -> Fields:
    text = told(random_)
    return {_NAME: text, FieldId("birthday"): text, FieldId("note"): None}


OPERATIONS: Final[dict[str, Begin]] = {
    **samples.reads(_CARD_IDS, cursor=_BOOK_CURSOR, email="ana@example.org"),
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
    body = mutate(samples.fixture("carddav", random_.choice(names)), random_)
    try:
        codec.encode(wire.parse(body, url=BASE_URL))
    except wire.Malformed:
        wire.names_error(body, "valid-sync-token")


def _card(random_: random.Random) -> None:
    """Read a card; what was read and is written again is read as the same."""
    text = cut(samples.fixture("carddav", random_.choice(_CARDS)), random_)
    try:
        card = cards.parse(text)
    except cards.Unreadable:
        return
    before = fields.record(_CARD_IDS[0], etag='"1"', card=card)
    codec.encode(before)
    try:
        fields.write(card, _changed(random_))
    except BadValue:
        return
    again = cards.parse(card.text())
    codec.encode(fields.record(_CARD_IDS[0], etag='"2"', card=again))


DECODERS: Final = {"multistatus": _multistatus, "card": _card}
