"""How Campaign Monitor usually answers, and what an account is asked to do."""

import functools
import random
from typing import Final, cast

from proto.fields import Fields
from proto.ids import FieldId, RecordId
from proto.record import Consent, Record
from services.connector.port import BatchApp, Call, Change, NewRecord, Snapshot
from tests.security.fuzz import samples
from tests.security.fuzz.samples import Begin, told

_ID: Final = RecordId("0f2d1b7c9a3e4d5f8a6b7c8d9e0f1a2b/zoe.brandt@example.org")
_CURSOR: Final = (
    b'{"stage": "changes", "since": "2026-02-11T12:00:00Z", "began":'
    b' "2026-02-11T12:05:00Z", "swept": "2026-02-11T12:00:00Z", "more_pages": 120,'
    b' "list_id": "0f2d1b7c9a3e4d5f8a6b7c8d9e0f1a2b",'
    b' "state": "active", "offset": 1000, "anchors": ["0a1b2c3d4e5f"]}'
)
_ANSWERS: Final = (
    ("/listsforemail.json", ("lists_of_email.json",)),
    ("/lists.json", ("lists.json", "lists_two.json")),
    ("/clients.json", ("clients.json", "clients_of_an_agency.json")),
    ("/customfields.json", ("custom_fields.json",)),
    ("/import.json", ("imported.json", "imported_partly.json")),
    (
        "/deleted.json",
        ("subscribers_deleted.json", "subscribers_none.json"),
    ),
    (
        "ed.json",
        ("subscribers_bounced.json", "subscribers_none.json"),
    ),
    ("/active.json", ("subscribers_active.json",)),
)
_ERRORS: Final = (
    "error_not_in_list.json", "error_already_subscribed.json",
    "error_invalid_email.json", "error_invalid_page.json", "error_expired_token.json",
)  # fmt: skip


def usual(call: Call, random_: random.Random) -> tuple[int, bytes]:
    fixture = functools.partial(samples.fixture, "campaign_monitor")
    if random_.random() < 0.08:
        return random_.choice((400, 401, 404, 429)), fixture(random_.choice(_ERRORS))
    for end, names in _ANSWERS:
        if call.path.endswith(end):
            name = random_.choice(names)
            return (400 if "partly" in name else 200), fixture(name)
    if call.is_write:
        return 200, b""
    names = ("subscriber.json", "subscriber_minimal.json")
    return 200, fixture(random_.choice(names))


def _fields(random_: random.Random) -> Fields:
    return {FieldId("EmailAddress"): told(random_), FieldId("Name"): told(random_)}


def _new(random_: random.Random) -> NewRecord:
    return NewRecord(fields=_fields(random_), consent=Consent.SUBSCRIBED)


def _snapshot() -> Snapshot:
    raw = samples.fixture("campaign_monitor", "subscriber.json")
    return Snapshot(record=Record(record_id=_ID), raw=raw)


OPERATIONS: Final[dict[str, Begin]] = {
    **samples.reads((_ID,), cursor=_CURSOR, email="zoe.brandt@example.org"),
    "create": lambda app, random_: app.create(_new(random_)),
    "create_many": lambda app, random_: cast(BatchApp, app).create_many(
        [_new(random_) for _ in range(3)]
    ),
    "update": lambda app, random_: app.update(
        _snapshot(), Change(fields=_fields(random_), consent=Consent.UNSUBSCRIBED)
    ),
}
DECODERS: Final = samples.hears("campaign_monitor", "push_update.json", secret=b"")
