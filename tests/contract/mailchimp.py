"""Mailchimp's fixtures as answers, shared by the tests of its operations."""

import json
from collections.abc import Iterable, Sequence
from typing import Any

from proto.ids import FieldId, RecordId
from services.connector.port import Answer, Call, NewRecord
from tests.contract import emulated_account
from tests.contract.driving import Fixtures, answer, drive
from tests.contract.mailchimp_account import FOLDER

NOW = {"date": "Wed, 11 Feb 2026 12:00:00 GMT"}
shown = Fixtures(FOLDER, headers=NOW)
LIST = "57afe96172"
EMAIL = FieldId("email")
ZOE = RecordId(f"{LIST}/{'c' * 31}1")


def app_that_knows_its_account() -> Any:
    """Return an app that has read its one audience and the merge fields."""
    app = emulated_account.new_app("mailchimp")
    drive(app.describe_fields(), [shown("lists_one"), shown("merge_fields")])
    return app


def nobody() -> Answer:
    """Answer that no member has an address, archived or not."""
    return shown("error_not_found", status=404)


def body_of(call: Call) -> Any:
    assert call.body is not None
    return json.loads(call.body)


def listing(numbers: Iterable[int], *, total: int) -> Answer:
    members = [
        {
            "id": f"h{number}",
            "contact_id": f"c{number}",
            "email_address": f"p{number}@example.org",
            "status": "subscribed",
            "last_changed": "2026-02-11T11:47:30+00:00",
        }
        for number in numbers
    ]
    return answer({"members": members, "total_items": total}, headers=NOW)


def offsets(calls: Sequence[Call]) -> list[int]:
    return [int(dict(call.query)["offset"]) for call in calls]


def people(*emails: str) -> list[NewRecord]:
    """Return new records of people at one domain."""
    return [NewRecord(fields={EMAIL: f"{one}@example.org"}) for one in emails]
