"""What the api decides without asking anybody: pace, settings, faults, links."""

import datetime
from pathlib import Path

import msgspec
import pytest
from aiohttp.test_utils import make_mocked_request
from hypothesis import given
from hypothesis import strategies as st

from proto.errors import ErrorCode
from proto.ids import AppId, ConnectionId
from proto.reconciler import (
    Connection,
    ConnectionState,
    Direction,
    Offers,
    Settings,
    Side,
)
from proto.rules import Operator, Unsubscribes
from services.api import config
from services.api.config import Config
from services.api.content import bodies, pages, problems, reasons, settings
from services.api.content.problems import Code
from services.api.content.settings import ConnectionChangeIn, ConnectionIn, EndIn
from services.api.errors import Fault, Refused
from services.api.proofs import seals
from services.api.proofs.seals import Held
from services.api.requests import calls, guard
from services.api.requests.pacing import Pace
from services.chassis.errors import BadConfiguration, CommandFailed, NotOpened
from services.reconciler.engine.model import Reason

HELD = Held(vendor_url="https://vendor.example/?state=x", browser="cookie")


def configured(**changes: object) -> Config:
    needed = {"database_url": "d", "nats_url": "n", "key_ring_file": Path("ring")}
    return Config(**needed, **changes)  # type: ignore[arg-type]


def test_a_caller_may_burst_and_then_goes_on_evenly() -> None:
    pace = Pace(per_minute=60)
    assert [pace.wait_s("a", now_s=0.0) for _ in range(60)] == [0.0] * 60
    assert pace.wait_s("a", now_s=0.0) == pytest.approx(1.0)
    assert pace.wait_s("b", now_s=0.0) == 0.0
    assert pace.wait_s("a", now_s=0.5) == pytest.approx(0.5)
    assert pace.wait_s("a", now_s=1.1) == 0.0


@given(st.lists(st.floats(0, 5), max_size=200))
def test_no_more_than_the_limit_and_the_refill_ever_pass(gaps: list[float]) -> None:
    pace, now_s, passed = Pace(per_minute=60), 0.0, 0
    for gap in gaps:
        now_s += gap
        passed += pace.wait_s("a", now_s=now_s) == 0.0
    assert passed <= 60 + now_s + 1


def test_callers_remembered_are_bounded() -> None:
    pace = Pace(per_minute=1, callers_max=3)
    for number in range(10):
        pace.wait_s(str(number), now_s=0.0)
    assert pace.wait_s("9", now_s=0.0) > 0
    assert pace.wait_s("0", now_s=0.0) == 0.0


@pytest.mark.parametrize(
    ("changes", "url"),
    [
        ({"http_port": 8080}, "http://127.0.0.1:8080"),
        ({"public_url": "https://t.example.org/"}, "https://t.example.org"),
        ({"public_url": "https://t.example.org:8443"}, "https://t.example.org:8443"),
        ({"public_url": "http://localhost:9"}, "http://localhost:9"),
        ({"public_url": "http://[::1]:9"}, "http://[::1]:9"),
        ({"http_port": 9, "http_host": "localhost"}, "http://localhost:9"),
        ({"http_port": 9, "http_host": "::1"}, "http://[::1]:9"),
        (
            {"public_url": "https://t.example.org", "http_host": "0.0.0.0"},
            "https://t.example.org",
        ),
    ],
)
def test_the_public_address_is_known(changes: dict[str, object], url: str) -> None:
    assert config.base_url(configured(**changes)) == url


@pytest.mark.parametrize(
    "public_url",
    [
        "",
        "http://t.example.org",
        "https://",
        "ftp://localhost",
        "https://t.example.org/path",
        "https://u:p@t.example.org",
        "https://t.example.org?x=1",
        "t.example.org",
        "https://[bad",
        "https://t.example.org:99999",
        "https://t.example.org:x",
        "https://t.example.org\n",
    ],
)
def test_an_unsafe_public_address_is_refused(public_url: str) -> None:
    with pytest.raises(BadConfiguration):
        config.base_url(configured(public_url=public_url))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "tandem.internal"])
def test_where_others_can_reach_it_the_public_address_must_be_given(host: str) -> None:
    """Links and redirects once led to http://0.0.0.0, and codes over plain http."""
    with pytest.raises(BadConfiguration) as refused:
        config.base_url(configured(http_host=host, http_port=8080))
    (fault,) = refused.value.faults
    assert "API_HTTP_HOST" in fault
    assert "https" in fault


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b'{"name": 1}', Fault("/name", "Expected str, got int.")),
        (b'{"left": []}', Fault("/left", "Expected object, got array.")),
        (b"{}", Fault("/name", "Object missing required field name.")),
        (b'{"a/b~": 1}', Fault("/a~1b~0", "Object contains unknown field a/b~.")),
        (
            b'{"name": "a", "winners": {"": "left"}}',
            Fault("/winners", "Expected str of length >= 1."),
        ),
        (
            b'{"name": "a", "left_rules": [{"rule_id": "r", "conditions": [{}]}]}',
            Fault(
                "/left_rules/0/conditions/0/operator",
                "Object missing required field operator.",
            ),
        ),
    ],
)
def test_a_fault_points_at_its_place(body: bytes, fault: Fault) -> None:
    with pytest.raises(Refused) as refused:
        bodies.parse(body, ConnectionIn)
    assert refused.value.code == Code.BODY_INVALID
    assert refused.value.faults == (fault,)


@given(st.binary(max_size=200) | st.text(max_size=50).map(str.encode))
def test_no_body_whatever_is_a_surprise(data: bytes) -> None:
    code: str = Code.BODY_INVALID
    try:
        bodies.parse(data, ConnectionChangeIn)
    except Refused as refused:
        code = refused.code
    assert code in (Code.BODY_INVALID, Code.BODY_MALFORMED)


def test_a_refused_value_is_not_repeated() -> None:
    with pytest.raises(Refused) as refused:
        bodies.parse(b'{"name": "x", "winner": "s3cr3t"}', ConnectionIn)
    assert "s3cr3t" not in str(refused.value.faults)


@pytest.mark.parametrize(
    ("text", "is_refused"),
    [(rb"\u0000", True), (rb"\\\u0000", True), (rb"\\u0000", False), (b"0000", False)],
)
def test_a_character_that_cannot_be_stored_is_refused(
    text: bytes, is_refused: bool
) -> None:
    body = b'{"name": "a' + text + b'"}'
    if is_refused:
        with pytest.raises(Refused) as refused:
            bodies.parse(body, ConnectionChangeIn)
        assert refused.value.code == Code.BODY_INVALID
    else:
        assert bodies.parse(body, ConnectionChangeIn)[1] == ("name",)


def test_only_the_link_opens_what_is_sealed() -> None:
    link, other = seals.new_secret(), seals.new_secret()
    sealed = seals.seal(HELD, link=link)
    assert seals.unseal(sealed, link=link) == HELD
    assert seals.seal(HELD, link=link) != sealed
    assert b"cookie" not in sealed
    for broken, opened_with in (
        (sealed, other),
        (sealed[:-1] + bytes([sealed[-1] ^ 1]), link),
    ):
        with pytest.raises(NotOpened):
            seals.unseal(broken, link=opened_with)


def test_every_code_has_words_and_a_status() -> None:
    assert problems.KINDS.keys() == {*ErrorCode, *Code}
    for code, kind in problems.KINDS.items():
        assert 400 <= kind.status <= 599, code
        assert kind.detail.endswith("."), code
        assert (kind.retry_s > 0) == (kind.status in (502, 503)), code


def test_a_page_shows_text_as_text() -> None:
    page = pages.connected(display_name="</p><script>x", account_id="</script>")
    text = page.text or ""
    assert "<script>x" not in text
    assert text.count("</script>") == 1


@pytest.mark.parametrize("text", ["", "A", "1a", "a-b", "é", "a.b", "a" * 65])
def test_what_is_no_apps_name_is_none(text: str) -> None:
    assert not calls.is_app(text)


def test_a_change_leaves_what_it_does_not_mention() -> None:
    account_id = "acct_0197f3a0-5a51-7c07-9a56-3f2c1f2b9d11"
    now = settings.settings_of(
        ConnectionIn(
            name="a",
            left=EndIn(account_id=account_id, container_id="x"),
            right=EndIn(account_id=account_id),
            winner="right",
        )
    )
    change, _ = bodies.parse(b'{"direction": "to_left"}', ConnectionChangeIn)
    changed = settings.changed(now, change)
    assert (changed.direction, changed.winner) == ("to_left", "right")
    assert (changed.left, changed.right, changed.name) == (now.left, now.right, "a")


RULES = b"""{
    "left_rules": [
        {
            "rule_id": "customers",
            "conditions": [{"operator": "is", "field_id": "stage", "value": "c"}],
            "actions": [{"kind": "add_tag", "value": "gold"}],
            "undoes": true
        }
    ],
    "winners": {"name.given": "right"},
    "custom_mappings": [
        {
            "left": {"field_id": "stage"},
            "right": {"field_id": "STAGE", "label": "work"},
            "options": [{"left": "c", "right": "1"}]
        }
    ],
    "leaving": "keep_updating",
    "unsubscribes": "status",
    "tags_deletions": true,
    "deletion_tag": "Bin"
}"""


def made(now: Settings) -> Connection:
    return Connection(
        connection_id=ConnectionId("conn_1"),
        settings=now,
        left_app=AppId("a"),
        right_app=AppId("b"),
        state=ConnectionState.LIVE,
        guarded=(Side.RIGHT,),
        offers=Offers(tags_deletions=Direction.TO_LEFT),
        version=1,
        created_at=datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC),
    )


def test_what_is_shown_of_settings_can_be_sent_again() -> None:
    """A client changes one thing of what it read and sends the whole back."""
    end = EndIn(account_id="acct_0197f3a0-5a51-7c07-9a56-3f2c1f2b9d11")
    plain = settings.settings_of(ConnectionIn(name="a", left=end, right=end))
    assert plain == Settings(name="a", left=plain.left, right=plain.right)
    change, names = bodies.parse(RULES, ConnectionChangeIn)
    now = settings.changed(plain, change)
    assert now.left_rules[0].conditions[0].operator is Operator.IS
    assert now.winners == {"name.given": Side.RIGHT}
    assert now.unsubscribes is Unsubscribes.STATUS
    shown = msgspec.to_builtins(settings.show_connection(made(now)))
    assert (shown["guarded"], shown["name"]) == (("right",), "a")
    assert shown["offers"] == {
        "tags_deletions": "to_left",
        "unsubscribes_tag": None,
        "unsubscribes_status": None,
    }
    sent = {name: shown[name] for name in names}
    again, _ = bodies.parse(msgspec.json.encode(sent), ConnectionChangeIn)
    assert settings.changed(plain, again) == now
    everything = {each.name for each in msgspec.structs.fields(Settings)}
    assert everything == {each.name for each in msgspec.structs.fields(ConnectionIn)}
    assert everything <= shown.keys()


@pytest.mark.parametrize(
    ("method", "field", "pointer"),
    [
        ("PATCH", "/left_rules/0/value", "/left_rules/0/value"),
        ("PATCH", "/winners/name.given", "/winners/name.given"),
        ("POST", "settings.left.account_id", "/left/account_id"),
        ("POST", "right", "/right"),
        ("GET", "after", "after"),
    ],
)
def test_a_services_fault_has_a_pointer(method: str, field: str, pointer: str) -> None:
    request = make_mocked_request(method, "/", match_info={"connection_id": "conn_1"})
    err = CommandFailed(ErrorCode.INVALID, "Do better.", field=field)
    assert guard.faults_of(err, request) == (Fault(pointer, "Do better."),)
    unnamed = CommandFailed(ErrorCode.INVALID, field="connection_id")
    assert guard.faults_of(unnamed, request) == ()


@pytest.mark.parametrize("reason", [each for each in Reason if each != "unknown"])
def test_every_reason_has_a_sentence_of_its_own(reason: Reason) -> None:
    sentence = reasons.sentence(reason.value)
    assert sentence.endswith("."), reason
    assert sentence != reasons.sentence("unknown")
    known = [reasons.sentence(each.value) for each in Reason]
    assert known.count(sentence) == 1


def test_https_is_kept_for_a_year_where_it_is_spoken():
    """On this machine http is allowed; a browser that was told so could not come."""
    name = "Strict-Transport-Security"
    sent = guard.headers_of("https://t.example.org")
    assert sent[name] == "max-age=31536000; includeSubDomains"
    assert name not in guard.headers_of("http://127.0.0.1:8080")
