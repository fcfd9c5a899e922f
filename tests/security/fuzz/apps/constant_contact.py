"""How Constant Contact usually answers, and what an account is asked to do."""

import functools
import random
from typing import Final

from proto.ids import FieldId, RecordId
from proto.record import Memberships, Record
from services.connector.port import Call, Change, NewRecord, Snapshot
from tests.security.fuzz import samples
from tests.security.fuzz.samples import Begin

_CONTACT_ID: Final = RecordId("5a0f6e3c-2d41-4b7a-9c55-0d1e2f3a4b5c")
_CURSOR: Final = (
    b'{"stage": "updated", "since": "2026-01-01T00:00:00Z", "began":'
    b' "2026-01-02T00:00:00Z", "swept_on": "2026-01-01", "link":'
    b' "/v3/contacts?cursor=x"}'
)
_ANSWERS: Final = (
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
_ERRORS: Final = (
    "error_conflict.json", "error_forbidden.json", "error_not_found.json",
    "error_quota_exceeded.json", "error_throttled.json", "error_validation.json",
)  # fmt: skip


def usual(call: Call, random_: random.Random) -> tuple[int, bytes]:
    fixture = functools.partial(samples.fixture, "constant_contact")
    if random_.random() < 0.08:
        status = random_.choice((400, 401, 403, 404, 409, 429))
        return status, fixture(random_.choice(_ERRORS))
    if call.is_write:
        return call.accepts[0], fixture("contact_full.json")
    path = call.path.partition("?")[0].removeprefix("/v3")
    for start, names in _ANSWERS:
        if path.startswith(start):
            return 200, fixture(random_.choice(names))
    return 200, fixture("contacts_empty.json")


def _snapshot_of_contact(random_: random.Random) -> Snapshot:
    record = Record(record_id=_CONTACT_ID)
    name = random_.choice(("contact_full.json", "contact_minimal.json"))
    return Snapshot(record=record, raw=samples.fixture("constant_contact", name))


OPERATIONS: Final[dict[str, Begin]] = {
    **samples.reads((_CONTACT_ID,), cursor=_CURSOR, email="ana@example.org"),
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
