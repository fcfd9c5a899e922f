"""How Google usually answers, and what an account is asked to do."""

import functools
import random
from typing import Final, cast

from proto.fields import Fields, Item
from proto.ids import FieldId, RecordId
from proto.record import Memberships, Record
from services.connector.port import (
    BatchApp,
    Call,
    Change,
    NewRecord,
    Snapshot,
    Update,
)
from tests.security.fuzz import mutating, samples
from tests.security.fuzz.samples import Begin

_ZOE: Final = RecordId("people/c1885000000000000011")
_CURSOR: Final = b'{"stage": "changes", "sync": "sync-1", "page": "page-2"}'
_LISTINGS: Final = (
    "connections_page.json", "connections_last.json", "sync_changes.json",
    "sync_quiet.json",
)  # fmt: skip
_ERRORS: Final = (
    "error_batch_create.json", "error_batch_update.json",
    "error_expired_sync_token.json", "error_moved.json", "error_not_found.json",
    "error_quota.json",
)  # fmt: skip
_ANSWERS: Final = {
    "/people/me": ("me.json",),
    "/people/me/connections": _LISTINGS,
    "/people:batchGet": ("batch_get.json", "batch_get_partly.json"),
    "/people:batchCreateContacts": ("batch_created.json",),
    "/people:batchUpdateContacts": ("batch_updated.json",),
}
_MEMBERSHIPS: Final = Memberships(tags_add=("VIP", "New"), tags_remove=("Old",))


def usual(call: Call, random_: random.Random) -> tuple[int, bytes]:
    fixture = functools.partial(samples.fixture, "google_contacts")
    if random_.random() < 0.08:
        status = random_.choice((400, 401, 403, 404, 409, 429))
        return status, fixture(random_.choice(_ERRORS))
    if call.path == "/contactGroups":
        is_read = call.method == "GET"
        return 200, fixture("groups.json" if is_read else "group_created.json")
    return 200, fixture(random_.choice(_ANSWERS.get(call.path, ("contact.json",))))


def _fields(random_: random.Random) -> Fields:
    text = mutating.text(random_).encode(errors="ignore").decode()
    return {
        FieldId("emails"): (Item(value=text, label=text),),
        FieldId("given_name"): text,
        FieldId("birthday"): text,
    }


def _snapshot() -> Snapshot:
    raw = samples.fixture("google_contacts", "contact.json")
    return Snapshot(record=Record(record_id=_ZOE), raw=raw)


def _change(random_: random.Random) -> Change:
    fields = _fields(random_)
    if random_.random() < 0.8:
        del fields[FieldId("birthday")]
    return Change(fields=fields, memberships=_MEMBERSHIPS)


OPERATIONS: Final[dict[str, Begin]] = {
    **samples.reads((_ZOE, RecordId("people/c1885000000000000022")), cursor=_CURSOR),
    "create": lambda app, random_: app.create(
        NewRecord(fields=_change(random_).fields, tags=("VIP",), marker="m")
    ),
    "create_many": lambda app, random_: cast(BatchApp, app).create_many(
        [NewRecord(fields=_change(random_).fields)] * 2
    ),
    "update": lambda app, random_: app.update(_snapshot(), _change(random_)),
    "update_many": lambda app, random_: cast(BatchApp, app).update_many(
        [Update(snapshot=_snapshot(), change=_change(random_))]
    ),
}
