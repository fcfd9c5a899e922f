"""How Pipedrive usually answers, and what an account is asked to do."""

import functools
import random
from typing import Final

from proto.fields import Fields, Item
from proto.ids import FieldId, RecordId
from proto.record import Consent, Memberships, Record
from services.connector.port import Call, Change, NewRecord, Snapshot
from tests.security.fuzz import samples
from tests.security.fuzz.samples import Begin, told

_ID: Final = RecordId("8001")
_BREAD: Final = FieldId("6272656164627265616462726561646272656164")
_AGE: Final = FieldId("6167656167656167656167656167656167656167")
_CURSOR: Final = (
    b'{"stage": "changes", "since": "2026-02-11T12:00:00Z", "began":'
    b' "2026-02-11T12:05:00Z", "after": "eyJmaWVsZCI6ImlkIn0"}'
)
_ANSWERS: Final = (
    ("/personFields", ("fields_first.json", "fields_last.json", "fields_synced.json")),
    ("/api/v1/users/me", ("user.json",)),
    ("/persons/search", ("search.json", "search_empty.json")),
    (
        "/persons/",
        ("person.json", "person_minimal.json", "person_deleted.json"),
    ),
)
_PERSONS: Final = ("persons_page.json", "persons_last.json", "persons_empty.json")
_ERRORS: Final = (
    "error_validation.json", "error_unauthorised.json", "error_scope.json",
    "error_not_found.json", "error_limit.json",
)  # fmt: skip


def usual(call: Call, random_: random.Random) -> tuple[int, bytes]:
    fixture = functools.partial(samples.fixture, "pipedrive")
    if random_.random() < 0.08:
        status = random_.choice((400, 401, 403, 404, 429))
        return status, fixture(random_.choice(_ERRORS))
    if call.path.endswith("/options"):
        return 200, b'{"success": true, "data": [{"id": 9, "label": "x"}]}'
    for start, names in _ANSWERS:
        if call.path.startswith(start):
            return 200, fixture(random_.choice(names))
    if call.is_write:
        return 200, fixture("person.json")
    return 200, fixture(random_.choice(_PERSONS))


def _fields(random_: random.Random) -> Fields:
    emails = (Item(value=told(random_), label=told(random_)),)
    return {
        FieldId("name"): told(random_),
        FieldId("emails"): emails,
        _BREAD: told(random_),
        _AGE: random_.choice(("7", "-0.50", told(random_))),
    }


OPERATIONS: Final[dict[str, Begin]] = {
    **samples.reads(
        (_ID, RecordId("8002")), cursor=_CURSOR, email="zoe.brandt@example.org"
    ),
    "create": lambda app, random_: app.create(
        NewRecord(fields=_fields(random_), tags=("x",), consent=Consent.UNSUBSCRIBED)
    ),
    "update": lambda app, random_: app.update(
        Snapshot(record=Record(record_id=_ID), raw=b"[3]"),
        Change(
            fields=_fields(random_),
            memberships=Memberships(tags_add=(told(random_),)),
            consent=Consent.UNSUBSCRIBED,
        ),
    ),
}
DECODERS: Final = samples.hears("pipedrive", "push_change.json", secret=b"")
