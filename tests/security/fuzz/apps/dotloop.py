"""How Dotloop usually answers, and what an account is asked to do."""

import functools
import hmac
import random
from typing import Final

from proto.ids import FieldId, RecordId
from proto.record import Record
from services.connector.port import Call, Change, NewRecord, Snapshot
from tests.security.fuzz import samples
from tests.security.fuzz.samples import Begin

_CONTACT_ID: Final = RecordId("8001")
_CURSOR: Final = (
    b'{"stage": "changes", "since": "2026-01-01T00:00:00Z", "began":'
    b' "2026-01-02T00:00:00Z", "offset": 2, "size": 2, "is_counted": true,'
    b' "shown": [8001, 8002]}'
)
_LISTINGS: Final = (
    "contacts_first.json", "contacts_last.json", "contacts_empty.json",
    "contacts_untold.json",
)  # fmt: skip
_ERRORS: Final = (
    "error_invalid_token.json", "error_not_found.json", "error_unparseable_date.json",
)  # fmt: skip


def usual(call: Call, random_: random.Random) -> tuple[int, bytes]:
    fixture = functools.partial(samples.fixture, "dotloop")
    if random_.random() < 0.08:
        status = random_.choice((400, 401, 403, 404, 422, 429))
        return status, fixture(random_.choice(_ERRORS))
    if call.path == "/account":
        return 200, fixture("account.json")
    if call.path == "/contact" and not call.is_write:
        return 200, fixture(random_.choice(_LISTINGS))
    return call.accepts[0], fixture("contact.json")


OPERATIONS: Final[dict[str, Begin]] = {
    **samples.reads((_CONTACT_ID,), cursor=_CURSOR),
    "create": lambda app, _: app.create(NewRecord(fields={FieldId("home"): "1"})),
    "update": lambda app, _: app.update(
        Snapshot(record=Record(record_id=_CONTACT_ID)),
        Change(fields={FieldId("home"): "1"}),
    ),
}


def _sign(body: bytes, stamp: str) -> dict[str, str]:
    text = stamp.encode(errors="surrogatepass") + b"." + body
    signed = hmac.digest(samples.PUSH_SECRET, text, "sha1").hex()
    return {"x-dotloop-timestamp": stamp, "x-dotloop-signature": signed}


DECODERS: Final = samples.hears("dotloop", "push_updated.json", sign=_sign)
