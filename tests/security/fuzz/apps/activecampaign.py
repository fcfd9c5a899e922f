"""How ActiveCampaign usually answers, and what an account is asked to do."""

import functools
import random
from typing import Final

from proto import codec
from proto.ids import FieldId, RecordId
from proto.record import Consent, Memberships, Record
from services.connector.port import Call, Change, NewRecord, Snapshot
from tests.security.fuzz import samples
from tests.security.fuzz.samples import Begin, told

_CONTACT_ID: Final = RecordId("113")
_CURSOR: Final = (
    b'{"stage": "changed", "since": "2026-01-01T00:00:00Z", "began":'
    b' "2026-01-02T00:00:00Z", "last_id": 2, "count": 3, "swept":'
    b' "2026-01-01T00:00:00Z"}'
)
_LISTINGS: Final = (
    "contacts.json", "contacts_one.json", "contacts_numbers.json",
    "contacts_empty.json", "count.json",
)  # fmt: skip
_ERRORS: Final = (
    "error_duplicate.json", "error_email.json", "error_attribute.json",
    "error_not_found.json", "error_key.json", "error_forbidden.json",
    "error_unpaid.json",
)  # fmt: skip
_WRITES: Final = (
    ("/contactLists", "contact_list.json"),
    ("/contactTags", "contact_tag.json"),
    ("/tags", "tag_created.json"),
    ("/contacts/", "contact_updated.json"),
    ("/contacts", "contact_created.json"),
)
_READS: Final = (
    ("/users/me", "user.json"),
    ("/lists", "lists.json"),
    ("/fields", "fields.json"),
    ("/tags", "tags.json"),
)
_FIELDS: Final = ("lastName", "field.1", "field.3", "field.4", "field.5", "field.7")


def usual(call: Call, random_: random.Random) -> tuple[int, bytes]:
    fixture = functools.partial(samples.fixture, "activecampaign")
    if random_.random() < 0.08:
        status = random_.choice((400, 402, 403, 404, 422, 429))
        return status, fixture(random_.choice(_ERRORS))
    for start, name in _WRITES if call.is_write else _READS:
        if call.path.startswith(f"/api/3{start}"):
            return call.accepts[0], fixture(name)
    return 200, fixture(random_.choice(_LISTINGS))


def _snapshot() -> Snapshot:
    page = codec.decode(
        samples.fixture("activecampaign", "contacts_one.json"), dict[str, object]
    )
    contacts = page["contacts"]
    assert isinstance(contacts, list)
    kept = {
        "contact": contacts[0],
        "values": {"1": "Rye"},
        "lists": {"1": "1"},
        "tags": {"VIP": "31"},
    }
    return Snapshot(record=Record(record_id=_CONTACT_ID), raw=codec.encode(kept))


def _change(random_: random.Random) -> Change:
    return Change(
        fields={FieldId(random_.choice(_FIELDS)): told(random_)},
        memberships=Memberships(tags_add=(told(random_),), tags_remove=("VIP",)),
        consent=Consent.UNSUBSCRIBED,
    )


def _new(random_: random.Random) -> NewRecord:
    return NewRecord(
        fields={
            FieldId("email"): "new@example.org",
            FieldId(random_.choice(_FIELDS)): told(random_),
        },
        tags=("PieSync Trash",),
        consent=Consent.UNSUBSCRIBED,
    )


OPERATIONS: Final[dict[str, Begin]] = {
    **samples.reads((_CONTACT_ID, RecordId("114")), cursor=_CURSOR),
    "create": lambda app, random_: app.create(_new(random_)),
    "update": lambda app, random_: app.update(_snapshot(), _change(random_)),
}
DECODERS: Final = samples.hears("activecampaign", "push_update.txt", secret=b"")
