"""One request as a route sees it: who asks, what is said, and whom to ask."""

import contextlib
import datetime
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import msgspec
import structlog
from aiohttp import web

from proto import codec
from proto.base import Command, Reply
from proto.errors import ErrorCode
from proto.ids import AppId, PersonId, SessionId, TenantId
from services.api import remotes
from services.api.config import Config
from services.api.content import bodies
from services.api.errors import Refused
from services.api.proofs.issuers import Issuer
from services.api.proofs.passwords import Hasher
from services.api.proofs.seals import Safe
from services.api.requests.pacing import Pace
from services.api.requests.usage import Usage
from services.api.requests.windows import Windows
from services.api.store import ledger
from services.api.store.ledger import AuditEntry
from services.chassis import identifiers
from services.chassis.bus import Bus
from services.chassis.clock import Clock
from services.chassis.errors import CommandFailed, Unavailable
from services.chassis.identifiers import Identifiers, IdType
from services.chassis.store import Store, Work

log = structlog.get_logger()

T = TypeVar("T")
R = TypeVar("R", bound=Reply)
Id = TypeVar("Id", bound=str)

REQUEST_ID: web.RequestKey[str] = web.RequestKey("request_id", str)


@dataclass(frozen=True, kw_only=True)
class Parts:
    """What routes work with, whoever asks."""

    bus: Bus
    store: Store[Work]
    clock: Clock
    identifiers: Identifiers
    config: Config
    base_url: str
    pace: Pace
    usage: Usage
    hasher: Hasher
    safe: Safe
    """Seals second factors."""
    refused: Windows
    """Refusals that are in the audit log already."""
    issuer: Issuer | None = None
    """The provider that people may sign in at, if there is one."""

    async def ask(self, command: Command[R], *, calls_app: bool = False) -> R:
        """Send a command; one that makes a call to an app may take longer.

        Raises:
            CommandFailed: It was answered with an error.
            Unavailable: Nobody answered in time.
        """
        timeout_s = (
            self.config.app_timeout_s if calls_app else self.config.command_timeout_s
        )
        return await self.bus.request(command, timeout_s=timeout_s)

    async def write_down(self, entry: AuditEntry) -> None:
        """Add an entry to the audit log, in a transaction of its own."""
        async with self.store.transaction(entry.tenant_id) as work:
            await ledger.add_audit_entry(work.transaction, entry, now=self.clock.now())

    def audit_entry(
        self,
        request: web.Request,
        tenant_id: TenantId,
        *,
        actor: str,
        act: str,
        object_id: str,
        outcome: str,
        fields: tuple[str, ...] = (),
    ) -> AuditEntry:
        """Return an entry that names the request and where it came from."""
        return AuditEntry(
            tenant_id=tenant_id,
            actor=actor,
            act=act,
            object_id=object_id,
            fields=fields,
            outcome=outcome,
            request_id=request[REQUEST_ID],
            remote=self.remote_of(request),
        )

    def remote_of(self, request: web.Request) -> str:
        """Return the network address that a request comes from."""
        return remotes.remote_of(request, self.config.proxies)

    def redirect_uri(self, app: AppId) -> str:
        """Return where an app sends browsers back to: one address for each app."""
        return f"{self.base_url}/oauth/callback/{app}"


PARTS: web.AppKey[Parts] = web.AppKey("parts", Parts)


class SignedIn(NamedTuple):
    """A person, in one of their sessions."""

    person_id: PersonId
    session_id: SessionId
    email: str
    role: str
    began_at: datetime.datetime
    """When they proved who they are, in this session."""
    ends_at: datetime.datetime
    factors: int
    """By how many they proved it."""


class Caller(NamedTuple):
    """The holder of a valid key, or a person who is signed in."""

    tenant_id: TenantId
    actor: str
    """The key's id, or the person's."""
    scopes: tuple[str, ...]
    expires_at: datetime.datetime | None
    """When the key ends; what a person makes is not bound to their session."""
    person: SignedIn | None = None


CALLER: web.RequestKey[Caller] = web.RequestKey("caller", Caller)
"""Whose request it is, as soon as that is known, also where it is refused."""


class Act:
    """A configuration act under way; says which object it was once that is known."""

    def __init__(self, object_id: str, fields: tuple[str, ...]) -> None:
        self.object_id = object_id
        self.fields = fields


@dataclass(frozen=True, kw_only=True)
class Call:
    """A request of somebody who may make it."""

    request: web.Request
    parts: Parts
    caller: Caller
    query: Mapping[str, str]
    """The parameters that the route takes; empty where not given."""

    @property
    def tenant_id(self) -> TenantId:
        """Whose things it is about."""
        return self.caller.tenant_id

    @property
    def person(self) -> SignedIn:
        """Who is signed in; routes for people alone are reached by nobody else."""
        assert self.caller.person is not None, "the route is in permissions.PERSONAL"
        return self.caller.person

    def id_in_path(self, id_type: IdType[Id], name: str) -> Id:
        """Return an identifier of the path.

        Raises:
            Refused: It cannot be one, so there is nothing under it.
        """
        text = self.request.match_info[name]
        if not identifiers.is_id(id_type, text):
            raise Refused(ErrorCode.NOT_FOUND)
        return id_type(text)

    async def body(self, into: type[T]) -> tuple[T, tuple[str, ...]]:
        """Return the body, and the names of the fields that it mentions."""
        return await bodies.read(self.request, into)

    async def ask(self, command: Command[R], *, calls_app: bool = False) -> R:
        """Send a command and return its reply."""
        return await self.parts.ask(command, calls_app=calls_app)

    def audit_entry(
        self, act: str, *, outcome: str, object_id: str, fields: tuple[str, ...] = ()
    ) -> AuditEntry:
        """Return an entry that names who asks, the request and where it came from."""
        return self.parts.audit_entry(
            self.request,
            self.tenant_id,
            actor=self.caller.actor,
            act=act,
            object_id=object_id,
            fields=fields,
            outcome=outcome,
        )

    @contextlib.asynccontextmanager
    async def acting(
        self, act: str, *, object_id: str = "", fields: tuple[str, ...] = ()
    ) -> AsyncIterator[Act]:
        """Write an act of another service down before it is tried, and its outcome.

        The first entry comes first so that a crash cannot leave an act without one.
        """
        under_way = Act(object_id, fields)

        def entry(outcome: str) -> AuditEntry:
            return self.audit_entry(
                act,
                outcome=outcome,
                object_id=under_way.object_id,
                fields=under_way.fields,
            )

        await self.parts.write_down(entry("begun"))
        outcome: str = ErrorCode.UNKNOWN
        try:
            yield under_way
            outcome = "done"
        except CommandFailed as err:
            outcome = err.code
            raise
        except Refused as err:
            outcome = err.code
            raise
        except Unavailable:
            outcome = ErrorCode.SERVICE_UNAVAILABLE
            raise
        finally:
            try:
                await self.parts.write_down(entry(outcome))
            except Unavailable as err:
                # The act itself is not undone by this: its begin is on record.
                log.warning("outcome_not_written", reason=type(err).__name__)


@dataclass(frozen=True, kw_only=True)
class Visit:
    """A request of a person's browser, without a key."""

    request: web.Request
    parts: Parts
    query: Mapping[str, str]
    """What the page takes of it; empty where not given."""


def app_in_path(request: web.Request) -> AppId:
    """Return the app of the path; what cannot be one is not found."""
    text = request.match_info["app"]
    if not is_app(text):
        raise Refused(ErrorCode.UNKNOWN_APP)
    return AppId(text)


def is_app(text: str) -> bool:
    """Tell whether a text has the form of an app's name."""
    is_name = text.isascii() and text.isidentifier() and text.islower()
    return is_name and len(text) <= 64


def respond(
    view: msgspec.Struct, *, status: int = 200, headers: dict[str, str] | None = None
) -> web.Response:
    """Return a view as JSON."""
    return web.Response(
        status=status,
        body=codec.encode(view),
        content_type=bodies.JSON,
        headers=headers,
    )
