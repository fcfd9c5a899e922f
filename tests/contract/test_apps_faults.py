"""Every app: what goes wrong on the way has a meaning, and does no harm."""

import msgspec
import pytest

from proto.record import Presence
from services.connector.errors import CallFailed, Meaning
from services.connector.pacing import Lane
from services.connector.port import Change, Written
from services.connector.transport import READ_TRIES_MAX
from tests.contract.conformance import cards

CANARY = "Canary-9f3b"
UNCLEAR = (Meaning.BROKEN, Meaning.NO_ANSWER)
MEANINGS = {
    400: {Meaning.REFUSED, Meaning.BROKEN},
    401: {Meaning.UNAUTHORISED, Meaning.BROKEN},
    403: {Meaning.FORBIDDEN, Meaning.BROKEN, Meaning.RATE_LIMITED},
    418: {Meaning.REFUSED, Meaning.BROKEN},
    429: {Meaning.RATE_LIMITED, Meaning.QUOTA_EXHAUSTED},
    500: {Meaning.NO_ANSWER, Meaning.BROKEN},
    502: {Meaning.NO_ANSWER, Meaning.BROKEN},
    503: {Meaning.UNAVAILABLE},
    504: {Meaning.NO_ANSWER, Meaning.BROKEN},
}


async def reading(bench):
    return (await bench.app()).scan(None)


async def begin(bench):
    """Have one person there, and an app that knows its account."""
    (one,) = await bench.stage.add([bench.stage.plain(1)])
    await bench.scan()
    await bench.fields()
    await bench.read(one)
    bench.proxy.forget()
    return one


@pytest.mark.parametrize("status", sorted(MEANINGS))
async def test_a_status_without_words_has_a_meaning(bench, status):
    """Whatever stands between us and the vendor may answer so."""
    await begin(bench)
    bench.fault("status", status=status, count=99)
    result = await bench.outcome(await reading(bench))
    assert isinstance(result, CallFailed)
    assert result.meaning in MEANINGS[status], result


@pytest.mark.parametrize("status", [500, 502, 503])
async def test_a_read_that_fails_once_is_made_again(bench, status):
    one = await begin(bench)
    bench.fault("status", status=status)
    found, _ = await bench.scan()
    assert set(found) == {one}


async def test_a_read_whose_answer_is_lost_is_made_again(bench):
    one = await begin(bench)
    bench.fault("lost")
    found, _ = await bench.scan()
    assert set(found) == {one}


async def test_a_read_is_not_made_again_for_ever(bench):
    await begin(bench)
    bench.fault("dropped", count=99)
    result = await bench.outcome(await reading(bench))
    assert isinstance(result, CallFailed)
    assert len(bench.proxy.seen) <= READ_TRIES_MAX


@pytest.mark.parametrize("kind", ["html", "truncated", "oversized"])
async def test_an_answer_that_is_none_is_broken(bench, kind):
    """Nothing may be concluded from it, least of all that nobody is there."""
    await begin(bench)
    bench.fault(kind, count=99)
    result = await bench.outcome(await reading(bench))
    assert isinstance(result, CallFailed)
    assert result.meaning in UNCLEAR


@pytest.mark.parametrize("kind", ["html", "truncated"])
async def test_who_cannot_be_read_is_not_missing(bench, kind):
    """It fails, or nothing is said of any field, which changes nothing either."""
    one = await begin(bench)
    bench.fault(kind, count=99)
    result = await bench.outcome((await bench.app()).get([one]))
    if isinstance(result, CallFailed):
        assert result.meaning in UNCLEAR
    else:
        (found,) = result
        assert found.record.presence is Presence.LIVE
        assert found.record.fields == {}


async def test_a_page_of_nothing_in_the_vendors_place_is_broken(bench):
    """An empty object, an empty list and null are no listing with nobody in it."""
    await begin(bench)
    for body in (b"{}", b"[]", b"null", b"0", b'""', b"[" * 5000):
        bench.proxy.faults.clear()
        bench.fault("status", status=200, body=body, count=99)
        result = await bench.outcome(await reading(bench))
        assert isinstance(result, CallFailed), body
        assert result.meaning in UNCLEAR


async def test_a_redirect_is_not_followed(bench):
    """Hazard 48: our credentials would go along."""
    await begin(bench)
    bench.fault("redirect", count=99)
    result = await bench.outcome(await reading(bench))
    assert isinstance(result, CallFailed)
    assert result.meaning in (Meaning.BROKEN, Meaning.REFUSED)


async def test_what_a_failure_says_holds_nothing_of_anybody(bench):
    """Hazard 89: it goes into the log."""
    await begin(bench)
    body = msgspec.json.encode({"error": f"{CANARY} <{CANARY}@example.org>"})
    for status in (400, 401, 403, 404, 409, 422, 429, 500, 503):
        bench.proxy.faults.clear()
        bench.fault("status", status=status, body=body, count=99)
        result = await bench.outcome(await reading(bench))
        assert isinstance(result, CallFailed)
        assert CANARY not in f"{result} {result.detail}"


async def test_a_pause_that_is_asked_for_is_made(bench):
    await begin(bench)
    bench.fault("status", status=503, headers={"Retry-After": "7"})
    began_s = bench.clock.monotonic()
    await bench.scan()
    assert bench.clock.monotonic() - began_s >= 7.0


async def test_a_create_whose_answer_is_lost_is_sent_once(bench):
    """Hazard 32: it may be done; nobody knows before it is looked for."""
    await begin(bench)
    bench.fault("lost", is_write=True)
    new = bench.new(await bench.values(bench.stage.plain(7)))
    operation = (await bench.app()).create(new)
    result = await bench.outcome(operation, lane=Lane.WRITE)
    assert isinstance(result, CallFailed)
    assert result.meaning is Meaning.NO_ANSWER
    assert len(await bench.stage.find(cards.email_of(7))) == 1


async def test_an_update_whose_answer_is_lost_is_sent_once(bench):
    one = await begin(bench)
    snapshot = await bench.read(one)
    bench.proxy.forget()
    bench.fault("lost", is_write=True)
    fields = await bench.values({bench.stage.text_role: "Baker"})
    operation = (await bench.app()).update(snapshot, Change(fields=fields))
    result = await bench.outcome(operation, lane=Lane.WRITE)
    assert isinstance(result, CallFailed)
    assert result.meaning is Meaning.NO_ANSWER
    assert [seen.status for seen in bench.proxy.seen].count(0) == 1


@pytest.mark.parametrize("status", [500, 502, 504])
async def test_a_write_that_fails_without_a_word_may_be_done(bench, status):
    one = await begin(bench)
    snapshot = await bench.read(one)
    bench.fault("status", status=status, is_write=True)
    fields = await bench.values({bench.stage.text_role: "Baker"})
    operation = (await bench.app()).update(snapshot, Change(fields=fields))
    result = await bench.outcome(operation, lane=Lane.WRITE)
    assert isinstance(result, CallFailed)
    assert result.meaning is Meaning.NO_ANSWER


async def test_a_create_is_looked_for_where_its_answer_was_lost(bench):
    """By what the app has: our mark, the address, or else what is shown after it.

    Where nothing can be looked for, what was made is recognised among the records that
    changes show since (hazards, section 4.4), so those have to show it as it was asked.
    """
    await begin(bench)
    _, resume = await bench.scan()
    bench.fault("lost", is_write=True)
    mark = "01890a5d-ac96-774b-bcce-b302099a8057"
    fields = await bench.values(bench.stage.plain(7))
    new = bench.new(fields, marker=mark)
    await bench.outcome((await bench.app()).create(new), lane=Lane.WRITE)
    (made,) = await bench.stage.find(cards.email_of(7))
    if bench.can.keeps_marks:
        found = await bench.run((await bench.app()).find_by_markers([mark]))
        assert found[mark].record_id == made
    if bench.can.can_find_by_email:
        (record,) = await bench.find(cards.email_of(7))
        assert record.record_id == made
    if not (bench.can.keeps_marks or bench.can.can_find_by_email):
        changed, _ = await bench.changes(resume)
        assert changed[made].fields | fields == changed[made].fields


@pytest.mark.needs("call_limit")
async def test_too_many_calls_a_second_are_told_with_a_time_to_wait(bench):
    one = await begin(bench)
    bench.stage.set_limit(0)
    result = await bench.outcome((await bench.app()).get([one]))
    assert isinstance(result, CallFailed)
    assert result.meaning is Meaning.RATE_LIMITED
    assert result.retry_after_s is not None
    assert 0 < result.retry_after_s <= 120


@pytest.mark.needs("day_limit")
async def test_a_day_without_calls_left_is_told_apart(bench):
    one = await begin(bench)
    bench.stage.exhaust()
    result = await bench.outcome((await bench.app()).get([one]))
    assert isinstance(result, CallFailed)
    assert result.meaning is Meaning.QUOTA_EXHAUSTED


@pytest.mark.needs("expiring_tokens")
async def test_an_expired_token_is_replaced_and_the_call_made_again(bench):
    one = await begin(bench)
    bench.stage.expire_token()
    found, _ = await bench.scan()
    assert set(found) == {one}
    assert bench.issuer.asked[-1] > 0


@pytest.mark.needs("expiring_tokens")
async def test_a_write_that_met_an_expired_token_is_made_once(bench):
    one = await begin(bench)
    snapshot = await bench.read(one)
    bench.stage.expire_token()
    role = bench.stage.text_role
    result = await bench.update_read(snapshot, {role: "Baker"})
    assert isinstance(result, Written)
    assert (await bench.stage.see(one))[role] == "Baker"


async def test_credentials_that_are_refused_are_told_so(bench):
    one = await begin(bench)
    bench.stage.revoke()
    bench.restart()
    for operation in ("scan", "get"):
        argument = None if operation == "scan" else [one]
        found = await bench.outcome(getattr(await bench.app(), operation)(argument))
        assert isinstance(found, CallFailed)
        assert found.meaning is Meaning.UNAUTHORISED
    verified = await bench.outcome((await bench.app()).verify())
    assert isinstance(verified, CallFailed)
    assert verified.meaning is Meaning.UNAUTHORISED


async def test_credentials_are_in_a_header_alone(bench):
    await begin(bench)
    await bench.created(bench.stage.plain(3))
    secret = bench.stage.token(version_min=0).secret
    for seen in bench.proxy.seen:
        assert secret not in seen.path
        assert secret.encode() not in seen.body


async def test_personal_data_is_in_no_path(bench):
    """It would be in the vendor's access logs; a query is the vendor's own way."""
    await begin(bench)
    await bench.created(bench.stage.plain(3))
    for seen in bench.proxy.seen:
        path = seen.path.partition("?")[0]
        assert "Person" not in path
