"""People are erased, and let in again, through the REST interface."""

import pytest

from proto.erasure import ErasePerson, LiftSuppression, Whom
from proto.errors import ErrorCode
from tests.integration.api_system.fixtures import system
from tests.integration.api_system.running import System

__all__ = ["system"]
pytestmark = pytest.mark.asyncio(loop_scope="module")
EMAIL = "ana.whoever@example.org"


async def test_an_erasure_is_begun_and_asked_about(system: System) -> None:
    owner = await system.person()
    begun = await owner("POST", "/v1/erasures", {"email": EMAIL})
    assert (begun.status, begun.body["state"]) == (202, "running")
    asked = system.others.last(ErasePerson)
    assert (asked.tenant_id, asked.whom) == (owner.tenant_id, Whom(email=EMAIL))
    shown = await owner("GET", begun.headers["Location"])
    assert shown.body == begun.body
    assert shown.body["left"] == [
        {"account_id": "acct_1", "app": "carddav", "record_ids": ["481"]}
    ]
    second = await owner("POST", "/v1/erasures", {"account_id": "a", "record_id": "b"})
    first = await owner("GET", "/v1/erasures?limit=1")
    rest = await owner("GET", f"/v1/erasures?limit=1&after={first.body['next']}")
    assert first.body["items"] + rest.body["items"] == [begun.body, second.body]
    assert rest.body["next"] is None
    bad = await owner("GET", "/v1/erasures?after=x")
    assert (bad.status, bad.code) == (422, "query_invalid")


async def test_the_audit_log_names_a_person_by_a_keyed_hash_alone(
    system: System,
) -> None:
    owner = await system.person()
    begun = await owner("POST", "/v1/erasures", {"email": EMAIL})
    lifted = await owner("POST", "/v1/suppressions/lift", {"email": EMAIL})
    assert lifted.body == {"digest": "cd" * 32, "count": 3}
    assert system.others.last(LiftSuppression).email == EMAIL
    entries = (await owner("GET", "/v1/audit")).body["items"]
    assert [(each["act"], each["outcome"], each["fields"]) for each in entries] == [
        ("person.lift_suppression", "done", ["email", f"hmac-sha256:{'cd' * 32}"]),
        ("person.lift_suppression", "begun", ["email"]),
        ("person.erase", "done", ["email", f"hmac-sha256:{'ab' * 32}"]),
        ("person.erase", "begun", ["email"]),
    ]
    assert entries[2]["object_id"] == begun.body["erasure_id"]
    for table in ("audit_entries", "outbox", "dead_letters"):
        assert EMAIL not in str(await system.rows(f"SELECT * FROM {table}"))


async def test_what_cannot_be_erased_says_why(system: System) -> None:
    owner = await system.person()
    detail = "More than 500 contacts would be erased."
    with system.others.refusing(ErasePerson, ErrorCode.LIMIT_REACHED, detail):
        answer = await owner("POST", "/v1/erasures", {"email": EMAIL})
    assert (answer.code, answer.body["detail"]) == ("limit_reached", detail)
    for body in ({"name": "x"}, {"email": ""}, {"email": "x" * 321}):
        answer = await owner("POST", "/v1/erasures", body)
        assert (answer.status, answer.code) == (422, "body_invalid")
