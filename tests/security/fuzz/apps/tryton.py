"""How Tryton usually answers, and what an account is asked to do."""

import functools
import json
import random
from typing import Final, cast

from proto.fields import Address, Fields, Item
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

_ZOE: Final = RecordId("11")
_CURSOR: Final = b'{"since": "2026-01-01T00:00:00Z", "last_id": 2}'
_ERRORS: Final = ("error_moved.json", "error_server.json", "error_user.json")
_PARTIES: Final = ("parties.json", "parties_changed.json", "parties_none.json")
_MEMBERSHIPS: Final = Memberships(tags_add=("VIP", "New"), tags_remove=("Old",))


def usual(call: Call, random_: random.Random) -> tuple[int, bytes]:
    fixture = functools.partial(samples.fixture, "tryton")
    method = json.loads(call.body or b"{}").get("method", "")
    chance = random_.random()
    if chance < 0.1:
        return 200, fixture(random_.choice(_ERRORS))
    if method.endswith("get_preferences"):
        return 200, fixture("preferences.json")
    if method.startswith("model.country"):
        return 200, fixture("place.json")
    if method.startswith("model.party.category"):
        is_read = method.endswith("search_read")
        return 200, fixture("categories.json" if is_read else "category_created.json")
    if method.endswith("create"):
        return 200, fixture(random_.choice(("created.json", "created_both.json")))
    if method.endswith("write"):
        return 200, fixture("written.json")
    return 200, fixture(random_.choice(_PARTIES))


def _fields(random_: random.Random) -> Fields:
    text = mutating.text(random_).encode(errors="ignore").decode()
    address = Address(street=text, city="Freiburg", country=text, region="BW")
    return {
        FieldId("name"): text,
        FieldId("emails"): (Item(value=text, label=text),),
        FieldId("addresses"): (Item(value=address),),
    }


def _snapshot() -> Snapshot:
    body = json.loads(samples.fixture("tryton", "party.json"))
    raw = json.dumps(body["result"][0]).encode()
    return Snapshot(record=Record(record_id=_ZOE), raw=raw)


def _change(random_: random.Random) -> Change:
    return Change(fields=_fields(random_), memberships=_MEMBERSHIPS)


OPERATIONS: Final[dict[str, Begin]] = {
    **samples.reads((_ZOE, RecordId("12")), cursor=_CURSOR),
    "find_by_email": lambda app, random_: app.find_by_email(
        ("zoe@example.org", mutating.text(random_).encode(errors="ignore").decode())
    ),
    "create": lambda app, random_: app.create(
        NewRecord(fields=_fields(random_), tags=("VIP",))
    ),
    "create_many": lambda app, random_: cast(BatchApp, app).create_many(
        [NewRecord(fields=_fields(random_))] * 2
    ),
    "update": lambda app, random_: app.update(_snapshot(), _change(random_)),
    "update_many": lambda app, random_: cast(BatchApp, app).update_many(
        [Update(snapshot=_snapshot(), change=_change(random_))]
    ),
}
