"""How HubSpot usually answers, and what an account is asked to do."""

import base64
import functools
import hmac
import random
from typing import Any, Final, cast

from proto import codec
from proto.ids import ContainerId, FieldId, RecordId
from proto.record import Consent, Memberships, Record
from services.connector.port import BatchApp, Call, Change, NewRecord, Snapshot, Update
from tests.security.fuzz import samples
from tests.security.fuzz.samples import Begin, told

_CONTACT_ID: Final = RecordId("30151")
_CURSOR: Final = (
    b'{"stage": "tied", "since": 1770811200000, "began": 1770811260000, "at":'
    b' 1770811200000, "last_id": 30151, "swept": 1770811200000}'
)
_OF_LISTS: Final = (
    b'{"stage": "joined", "since": 1770811200000, "began": 1770811260000, "listed":'
    b' 1770811200000, "lists": ["13", "104"], "after": "MTc2NDU4"}'
)
_ANSWERS: Final = (
    ("/account-info", ("account.json",)),
    ("/crm/v3/properties", ("properties.json",)),
    ("/communication", ("unsubscribed.json",)),
    ("/crm/v3/lists/search", ("lists_page.json", "lists_none.json")),
    (
        "/crm/v3/lists/records",
        ("memberships.json", "memberships.json", "memberships_failed.json"),
    ),
    ("/crm/v3/lists/", ("list_members.json", "list_members_page.json")),
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
_ERRORS: Final = (
    "error_conflict.json", "error_forbidden.json", "error_not_found.json",
    "error_daily.json", "error_secondly.json", "error_validation.json",
)  # fmt: skip


def usual(call: Call, random_: random.Random) -> tuple[int, bytes]:
    fixture = functools.partial(samples.fixture, "hubspot")
    if random_.random() < 0.08:
        status = random_.choice((400, 401, 403, 404, 409, 429))
        return status, fixture(random_.choice(_ERRORS))
    if call.is_write and "/lists/" in call.path:
        names = ("list_moved.json", "list_moved_nobody.json")
        return call.accepts[0], fixture(random_.choice(names))
    if call.is_write and "/batch" not in call.path:
        return call.accepts[0], fixture("contact_updated.json")
    for start, names in _ANSWERS:
        if call.path.startswith(start):
            return call.accepts[0], fixture(random_.choice(names))
    raise AssertionError(f"no answer to {call.path}")


def _snapshot() -> Snapshot:
    batch = codec.decode(samples.fixture("hubspot", "batch_read.json"), dict[str, Any])
    record = Record(record_id=_CONTACT_ID)
    return Snapshot(record=record, raw=codec.encode(batch["results"][0]))


def _change(random_: random.Random) -> Change:
    text = told(random_)
    return Change(
        fields={FieldId("email"): text},
        consent=Consent.UNSUBSCRIBED,
        memberships=Memberships(
            containers_add=(ContainerId("13"),), containers_remove=(ContainerId("104"),)
        ),
    )


def _new(random_: random.Random) -> NewRecord:
    change = _change(random_)
    lists = change.memberships.containers_add
    return NewRecord(
        fields=change.fields, consent=Consent.UNSUBSCRIBED, containers=lists
    )


OPERATIONS: Final[dict[str, Begin]] = {
    **samples.reads(
        (_CONTACT_ID, RecordId("30252")), cursor=_CURSOR, email="ann@example.org"
    ),
    "changes_of_lists": lambda app, random_: app.changes(
        samples.cut(_OF_LISTS, random_)
    ),
    "create": lambda app, random_: app.create(_new(random_)),
    "create_many": lambda app, random_: cast(BatchApp, app).create_many(
        [_new(random_)] * 3
    ),
    "update": lambda app, random_: app.update(_snapshot(), _change(random_)),
    "update_many": lambda app, random_: cast(BatchApp, app).update_many(
        [Update(snapshot=_snapshot(), change=_change(random_))]
    ),
}


def _sign(body: bytes, stamp: str) -> dict[str, str]:
    text = b"POST" + samples.PUSH_URL.encode() + body
    text += stamp.encode(errors="surrogatepass")
    signed = hmac.digest(samples.PUSH_SECRET, text, "sha256")
    return {
        "x-hubspot-request-timestamp": stamp,
        "x-hubspot-signature-v3": base64.b64encode(signed).decode(),
    }


DECODERS: Final = samples.hears(
    "hubspot", "push_events.json", sign=_sign, per_second=1000
)
