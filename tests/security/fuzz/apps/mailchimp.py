"""How Mailchimp usually answers, and what an account is asked to do."""

import functools
import random
from typing import Final, cast

from proto.ids import FieldId, RecordId
from proto.record import Consent, Memberships, Record
from services.connector.port import BatchApp, Call, Change, NewRecord, Snapshot
from tests.security.fuzz import samples
from tests.security.fuzz.samples import Begin, told

_LIST: Final = "57afe96172"
_MEMBER_ID: Final = RecordId(f"{_LIST}/{'c' * 31}1")
_CURSOR: Final = (
    b'{"stage": "changed", "lists": ["57afe96172"], "known": ["57afe96172"], "since":'
    b' "2026-01-01T00:00:00Z", "began": "2026-01-02T00:00:00Z", "offset": 2, "shown":'
    b' ["c1"], "last_at": "2026-01-02T00:00:00Z", "turns": 1}'
)
_LISTINGS: Final = (
    "members_page.json", "members_archived.json", "members_empty.json",
    "members_newest.json",
)  # fmt: skip
_ERRORS: Final = (
    "error_exists.json", "error_compliance.json", "error_forgotten.json",
    "error_merge.json", "error_fake.json", "error_not_found.json",
    "error_unauthorised.json", "error_forbidden.json", "busy.html",
)  # fmt: skip
_FIELDS: Final = (
    "text.FNAME", "number.LOAVES", "month_day.BIRTHDAY", "choice.SIZE", "email",
)  # fmt: skip


def usual(call: Call, random_: random.Random) -> tuple[int, bytes]:
    fixture = functools.partial(samples.fixture, "mailchimp")
    if random_.random() < 0.08:
        status = random_.choice((400, 401, 403, 404, 429))
        return status, fixture(random_.choice(_ERRORS))
    place = call.path.rstrip("/").rpartition("/")[2]
    if call.path == "/":
        return 200, fixture("account.json")
    if place == "lists":
        return 200, fixture(random_.choice(("lists.json", "lists_one.json")))
    if place == "merge-fields":
        return 200, fixture(
            random_.choice(("merge_fields.json", "merge_fields_other.json"))
        )
    if place == "tags":
        return call.accepts[0], b"" if call.is_write else fixture("tags.json")
    if place == "members" and not call.is_write:
        return 200, fixture(random_.choice(_LISTINGS))
    if call.is_write and place == _LIST:
        return 200, fixture("batch.json")
    return call.accepts[0], fixture(
        random_.choice(("member.json", "member_many_tags.json", "member_updated.json"))
    )


def _new(random_: random.Random) -> NewRecord:
    return NewRecord(
        fields={
            FieldId("email"): "new@example.org",
            FieldId(random_.choice(_FIELDS)): told(random_),
        },
        tags=("VIP",),
        consent=Consent.UNSUBSCRIBED,
    )


def _snapshot() -> Snapshot:
    return Snapshot(
        record=Record(record_id=_MEMBER_ID),
        raw=samples.fixture("mailchimp", "member.json"),
    )


def _change(random_: random.Random) -> Change:
    return Change(
        fields={FieldId(random_.choice(_FIELDS)): told(random_)},
        memberships=Memberships(tags_add=(told(random_),)),
        consent=Consent.UNSUBSCRIBED,
    )


OPERATIONS: Final[dict[str, Begin]] = {
    **samples.reads((_MEMBER_ID,), cursor=_CURSOR),
    "create": lambda app, random_: app.create(_new(random_)),
    "create_many": lambda app, random_: cast(BatchApp, app).create_many(
        [_new(random_) for _ in range(3)]
    ),
    "update": lambda app, random_: app.update(_snapshot(), _change(random_)),
}
DECODERS: Final = samples.hears("mailchimp", "push_profile.txt", secret=b"")
