"""Every decoder of outside bytes, with the errors that it declares.

The apps' own are in ``apps``. Which bytes come from outside: answers of apps and of
their token endpoints, requests to the api, messages of the bus, and files of operators.
"""

import datetime
import gzip
import random
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

from aiohttp.test_utils import make_mocked_request
from nats.aio.msg import Msg
from yarl import URL

from proto import codec, ids
from proto.fields import Address, FieldKind
from services.api.content import bodies, settings
from services.api.errors import Refused
from services.api.proofs import keys, recovery, totp
from services.api.requests import paging
from services.api.routes.accounts import AccountIn
from services.api.routes.api_keys import ApiKeyIn
from services.api.routes.apps import ClientIn
from services.api.routes.authorisations import AuthorisationIn
from services.api.routes.connections import SearchIn
from services.api.routes.erasures import ErasureIn, LiftIn
from services.api.routes.invitations import AcceptanceIn, InvitationIn
from services.api.routes.links import LinkIn
from services.api.routes.people import PersonChangeIn
from services.api.routes.signing_in import PasswordIn, SignInIn
from services.api.routes.tenant import TenantChangeIn
from services.auth import checks, oauth, vault, verdicts
from services.auth.errors import CannotOpen
from services.auth.vault import Sealed, Vault
from services.auth.verdicts import Seen
from services.chassis import addresses, ciphers, identifiers
from services.chassis.addresses import Guard
from services.chassis.bus import NatsDelivery
from services.chassis.errors import (
    AddressRefused,
    BadConfiguration,
    CommandFailed,
    NotOpened,
)
from services.connector import exchange
from services.connector.errors import CallFailed
from services.connector.port import Answer, Call
from services.reconciler.engine import canon
from tests.contract import golden_messages
from tests.security.fuzz import mutating, vendors
from tests.security.fuzz.mutating import mutate


class Target(NamedTuple):
    """One decoder."""

    name: str
    run: Callable[[random.Random], object]
    """Tries it once, on bytes that follow from the source of randomness alone."""
    declared: tuple[type[Exception], ...] = ()


_NOW: Final = datetime.datetime(2026, 1, 2, tzinfo=datetime.UTC)
_TOKENS: Final = (
    b'{"access_token": "a", "refresh_token": "r", "expires_in": 7200, "scope": "a b"}',
    b'{"access_token": "a", "expires_in": "3600.5", "scope": ["a", "b"]}',
    b'{"error": "invalid_grant", "error_description": "used"}',
    b'{"error": "invalid_client"}',
)
_END: Final = b'{"account_id": "acct_0198f2a0-0000-7000-8000-000000000001"}'
_CONNECTION: Final = (
    b'{"name": "Office", "left": ' + _END + b', "right": {"account_id": "acct_2",'
    b' "container_id": "l1"}, "direction": "left_to_right", "winner": "right",'
    b' "winners": {"m": "left"}, "mappings_off": ["m"], "custom_mappings": [{"left":'
    b' {"field_id": "f", "label": "F"}, "right": {"field_id": "g"}, "direction":'
    b' "both", "options": [{"left": "1", "right": "2"}]}], "left_rules": [{"rule_id":'
    b' "r1", "conditions": [{"operator": "exists_on_other_side"}], "actions": [{"kind":'
    b' "add_tag", "value": "x"}], "undoes": true}], "right_rules": [], "leaving":'
    b' "stop", "tags_deletions": true, "deletion_tag": "gone"}'
)
BODIES: Final[tuple[tuple[type[Any], bytes], ...]] = (
    (settings.ConnectionIn, _CONNECTION),
    (settings.ConnectionChangeIn, _CONNECTION),
    (
        AccountIn,
        b'{"app": "carddav", "base_url": "https://dav.example.org/ana",'
        b' "username": "ana", "password": "secret", "account_id": "acct_1"}',
    ),
    (
        ClientIn,
        b'{"client_id": "c", "client_secret": "s", "token_url": "https://a.example/t",'
        b' "authorise_url": "https://a.example/a", "api_url": "https://a.example"}',
    ),
    (
        ApiKeyIn,
        b'{"name": "n", "scopes": ["read", "write"],'
        b' "expires_at": "2030-01-01T00:00:00Z"}',
    ),
    (AuthorisationIn, b'{"app": "constant_contact", "account_id": "acct_1"}'),
    (LinkIn, b'{"left": "a", "right": "b"}'),
    (InvitationIn, b'{"email": "ana@example.org", "role": "viewer"}'),
    (ErasureIn, b'{"email": "ada@example.org"}'),
    (LiftIn, b'{"email": "ada@example.org"}'),
    (SearchIn, b'{"email": "ada@example.org"}'),
    (AcceptanceIn, b'{"secret": "s-1", "password": "correct horse"}'),
    (PersonChangeIn, b'{"role": "owner"}'),
    (TenantChangeIn, b'{"requires_second_factor": true}'),
    (PasswordIn, b'{"current_password": "correct horse", "password": "battery"}'),
    (SignInIn, b'{"email": "ana@example.org", "password": "horse", "code": "123456"}'),
)
_QUERIES: Final = (
    b"limit=50&after=acct_0198f2a0-0000-7000-8000-000000000001",
    b"limit=200&after=%7B%22a%22%3A1%7D",
    b"state=abc&code=def&iss=https%3A%2F%2Fa.example",
)
_RING: Final = (
    b'{"active": "k1", "keys": {"k1": "'
    b'AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "k2":'
    b' "HwECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="}}'
)
_ADDRESSES: Final = (
    b"https://dav.example.org:8443/ana/?a=b",
    b"http://[::ffff:127.0.0.1]:5232/",
    "https://büro.example/kontakte".encode(),
    b"/principals/ana/",
)
_VALUES: Final = (
    b"Ana.Maria+x@example.org", b"+49 (0) 30 123456 ext. 7", b"2026-02-28", b"--02-29",
    b"2026-01-01T10:00:00.500+02:00", b"https://www.example.org/a", b"1,234.50",
    "Frau Müller-Lüdenscheidt".encode(), b"Germany", b"1 Main St\r\nApt 2",
)  # fmt: skip
_KEY: Final = bytes(range(32))
_CIPHERED: Final = ciphers.seal(_KEY, b"secret", bound_to=b"here")
_VAULT: Final = Vault(active="k1", keys={"k1": _KEY})
_BOUND: Final = ("tnt_1", "acct_1", "1")
_SEALED: Final = _VAULT.seal(b'{"password": "x"}', bound_to=_BOUND)


def _text(sample: bytes, random_: random.Random) -> str:
    if random_.random() < 0.2:
        return vendors.header(random_)
    return mutate(sample, random_).decode(errors="surrogateescape")


def _token_answer(random_: random.Random) -> None:
    status = random_.choice((200, 200, 200, 400, 401, 302, 500, 503))
    oauth.read_answer(status, mutate(random_.choice(_TOKENS), random_))


def _look(random_: random.Random) -> None:
    location = _text(random_.choice(_ADDRESSES), random_)
    seen = Seen(status=random_.choice((200, 302, 303, 400)), location=location)
    verdicts.look(seen, redirect_uri="https://tandem.example.org/oauth/callback/x")


def _body(random_: random.Random) -> None:
    into, sample = random_.choice(BODIES)
    given, _ = bodies.parse(mutate(sample, random_), into)
    if isinstance(given, settings.ConnectionIn):
        codec.encode(settings.settings_of(given))
    elif isinstance(given, AccountIn):
        bodies.account(given.account_id)
        addresses.is_url(str(given.base_url))


def _code(random_: random.Random) -> None:
    text = _text(random_.choice((b"123456", b"ABCD-2345-EFGH-6723")), random_)
    if totp.is_code(text):
        totp.is_right(b"secret", text, step=1)
    recovery.digest_of(text)


def _query(random_: random.Random) -> None:
    text = _text(random_.choice(_QUERIES), random_)
    url = "/v1/accounts?" + text.replace("\r", "").replace("\n", "")
    try:
        # As the server reads a request's first line; what it cannot is its own 400.
        path = str(URL(url, encoded=True))
        request = make_mocked_request("GET", path)
    except (ValueError, UnicodeError):
        return
    bodies.page_query(request, "state", "code", "iss")
    query = bodies.query(request, *paging.QUERY)
    paging.read(SimpleNamespace(query=query))


def _identifier(random_: random.Random) -> None:
    sample = b"acct_0198f2a0-0000-7000-8000-000000000001"
    text = _text(sample, random_)
    identifiers.is_id(ids.AccountId, text)
    if keys.is_well_formed(text):
        keys.digest(text)


def _bus() -> Iterator[Target]:
    for name, into in golden_messages.recorded_classes().items():
        sample = golden_messages.path_of(name).read_bytes()

        def run(
            random_: random.Random, into: Any = into, sample: bytes = sample
        ) -> None:
            codec.encode(codec.decode(mutate(sample, random_), into))

        yield Target(f"bus.{name}", run, (codec.Undecodable,))


def _headers(random_: random.Random) -> None:
    names = ("Tandem-Tenant-Id", "Tandem-Message-Id", "Tandem-Sender", "Tandem-Tries")
    message = Msg(
        _client=None,  # type: ignore[arg-type]
        subject="evt.auth.account_lost.v1.acct_1",
        reply="$JS.ACK.S.C.1.2.3.1700000000000000000.4",
        headers={name: _text(b"12", random_) for name in names},
    )
    codec.encode(NatsDelivery(message).envelope)


class _Ring:
    """A key ring file that is written anew for each execution."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="tandem-fuzz-")
        self._path = Path(self._folder.name) / "ring.json"

    def __call__(self, random_: random.Random) -> None:
        self._path.write_bytes(mutate(_RING, random_))
        self._path.chmod(0o600)
        vault.load(self._path)


def _sealed(random_: random.Random) -> None:
    sealed = Sealed(
        key_id=random_.choice(("k1", "k1", "k1", mutating.text(random_))),
        wrapped_key=mutate(_SEALED.wrapped_key, random_),
        body=mutate(_SEALED.body, random_),
    )
    _VAULT.open(sealed, bound_to=_BOUND)


def _ciphered(random_: random.Random) -> None:
    ciphers.unseal(_KEY, mutate(_CIPHERED, random_), bound_to=b"here")


def _address(random_: random.Random) -> None:
    text = _text(random_.choice(_ADDRESSES), random_)
    Guard().check_literal(text, is_encrypted=True)
    checks.require_address(text, "base_url")
    canonical = checks.canonical(text)
    checks.origin(canonical)
    call = Call(method="GET", path="/x")
    exchange.url_of(call, base_url=canonical)


def _link(random_: random.Random) -> None:
    path = _text(random_.choice(_ADDRESSES), random_)
    query = ((mutating.text(random_), mutating.text(random_)),)
    call = Call(
        method="GET",
        path=path,
        from_origin=random_.random() < 0.5,
        query=query if random_.random() < 0.5 else (),
    )
    url = exchange.url_of(call, base_url="https://dav.example.org/ana")
    assert str(url.origin()) == "https://dav.example.org", "S6"


def _wait(random_: random.Random) -> None:
    sample = random_.choice((b"120", b"Thu, 01 Jan 2026 00:00:00 GMT"))
    headers = exchange.headers_of({"Retry-After": _text(sample, random_)})
    answer = Answer(status=429, headers=headers, body=b"")
    wait_s = exchange.retry_after_s(answer, now=_NOW)
    assert wait_s is None or wait_s >= 0


class _Content:
    def __init__(self, data: bytes) -> None:
        self._data = data

    async def iter_chunked(self, size: int) -> Any:
        for place in range(0, len(self._data), size):
            yield self._data[place : place + size]


def _packed(random_: random.Random) -> None:
    packed = random_.choice((gzip.compress(b"{}" * 500, mtime=0), zlib.compress(b"[]")))
    encoding = random_.choice(("gzip", "deflate", "GZIP", "identity", "br", "x-gzip"))
    response: Any = SimpleNamespace(
        headers={"Content-Encoding": encoding},
        content=_Content(mutate(packed, random_)),
    )
    taken: list[bytes] = []
    reading = exchange._read(response, taken.append, bytes_max=random_.choice((9, 999)))
    try:
        reading.send(None)
    except StopIteration:
        return
    raise AssertionError("nothing here waits")


def _value(random_: random.Random) -> None:
    kind = random_.choice(tuple(FieldKind))
    text = _text(random_.choice(_VALUES), random_).encode(errors="ignore").decode()
    canon.of(kind, text)
    canon.email(text)
    canon.address(Address(street=text, country=text))


TARGETS: Final[tuple[Target, ...]] = (
    *(Target(name, run, (CallFailed,)) for name, run in vendors.targets()),
    Target("auth.token_answer", _token_answer),
    Target("auth.look", _look),
    Target("auth.key_ring", _Ring(), (BadConfiguration,)),
    Target("auth.sealed", _sealed, (CannotOpen,)),
    Target("sealed", _ciphered, (NotOpened,)),
    Target("api.body", _body, (Refused,)),
    Target("api.query", _query, (Refused,)),
    Target("api.identifier", _identifier),
    Target("api.code", _code),
    Target("address", _address, (AddressRefused, CommandFailed, CallFailed)),
    Target("connector.link", _link, (CallFailed,)),
    Target("connector.wait", _wait),
    Target("connector.packed", _packed, (exchange.NoAnswer,)),
    Target("reconciler.value", _value),
    Target("bus.headers", _headers),
    *_bus(),
)
