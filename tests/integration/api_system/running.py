"""One running api for a module of tests, and a client that checks each answer."""

import asyncio
import contextlib
import datetime
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import asyncpg
import msgspec
from multidict import CIMultiDict

from deploy.local import nats, ports
from deploy.local.keys import key_ring
from proto.ids import PersonId, SessionId, TenantId
from services.api import service
from services.api.config import Config
from services.api.proofs import keys, seals
from services.api.proofs.passwords import Hasher
from services.api.requests import issuing
from services.api.requests.calls import Parts
from services.api.requests.pacing import Pace
from services.api.requests.permissions import SCOPES
from services.api.requests.routing import Route
from services.api.requests.usage import Usage
from services.api.requests.windows import Windows
from services.api.store import api_keys, roster, tenants
from services.api.store.roster import NewPerson, NewSession
from services.chassis import migrations, process
from services.chassis.clock import Clock, SystemClock
from services.chassis.process import Runtime
from services.chassis.store import Work
from services.chassis.tenancy import ALL_TENANTS
from tests.contract import rest
from tests.integration.api_system.others import Others
from tests.servers import Database


@dataclass(frozen=True)
class Answer:
    """An answer, read to its end."""

    status: int
    headers: CIMultiDict[str]
    body: Any
    cookies: dict[str, str] = field(default_factory=dict)

    @property
    def code(self) -> str:
        return self.body["code"]

    @property
    def faults(self) -> list[str]:
        return [fault["pointer"] for fault in self.body.get("errors", [])]


@dataclass
class Client:
    """Sends requests with one key, and holds every answer against the description.

    With a cookie it is a browser on a page of Tandem's own.
    """

    session: aiohttp.ClientSession
    url: str
    key: str | None = None
    tenant_id: str = ""
    cookie: str = ""
    person_id: str = ""

    async def __call__(
        self, method: str, path: str, body: Any = None, **options: Any
    ) -> Answer:
        headers = options.pop("headers", {})
        if self.key is not None:
            headers = {"Authorization": f"Bearer {self.key}", **headers}
        if self.cookie:
            own = {"Cookie": self.cookie, "Sec-Fetch-Site": "same-origin"}
            headers = {**own, **headers}
        if body is not None:
            options["data"] = body if isinstance(body, bytes) else json.dumps(body)
            headers = {"Content-Type": "application/json", **headers}
        async with self.session.request(
            method, self.url + path, headers=headers, allow_redirects=False, **options
        ) as response:
            answer = await _read(response)
        rest.check(
            method=method,
            path=path.partition("?")[0],
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
        )
        assert answer.headers["X-Request-Id"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        policy = answer.headers["Content-Security-Policy"].split("; ")
        assert {"default-src 'none'", "base-uri 'none'"} <= set(policy)
        assert "frame-ancestors 'none'" in policy
        return answer


async def _read(response: aiohttp.ClientResponse) -> Answer:
    text = await response.text()
    is_json = "json" in response.headers.get("Content-Type", "")
    return Answer(
        status=response.status,
        headers=CIMultiDict(response.headers),
        body=json.loads(text) if is_json else text,
        cookies={name: morsel.value for name, morsel in response.cookies.items()},
    )


@dataclass
class System:
    """A running api among its stand-ins."""

    runtime: Runtime[Config]
    database: Database
    others: Others
    session: aiohttp.ClientSession
    url: str

    @property
    def parts(self) -> Parts:
        """What the routes of an app like this one work with."""
        works = self.runtime.store(Work)
        return Parts(
            bus=self.runtime.bus,
            store=works,
            clock=self.runtime.clock,
            identifiers=self.runtime.identifiers,
            config=self.runtime.settings,
            base_url=self.url,
            pace=Pace(per_minute=1),
            usage=Usage(works, clock=self.runtime.clock),
            hasher=Hasher(),
            safe=seals.load(self.runtime.settings.key_ring_file),
            refused=Windows(),
        )

    async def client(self, *scopes: str, **changes: Any) -> Client:
        """Return a client with a key of a tenant of its own."""
        tenant_id = await self.tenant()
        key = await self.key(tenant_id, *scopes, **changes)
        return Client(self.session, self.url, key, tenant_id)

    def stranger(self, key: str | None = None) -> Client:
        """Return a client with any text as its key."""
        return Client(self.session, self.url, key)

    async def person(
        self, role: str = "owner", *, tenant_id: str = "", **changes: Any
    ) -> Client:
        """Return the browser of a person who is signed in."""
        tenant = TenantId(tenant_id) if tenant_id else await self.tenant()
        person_id = self.runtime.identifiers.new(PersonId)
        person = NewPerson(
            tenant_id=tenant,
            person_id=person_id,
            email=f"{person_id}@example.org",
            role=role,
            password_hash="",
        )
        person = msgspec.structs.replace(person, **changes)
        async with self.runtime.store(Work).transaction(tenant) as work:
            now = self.runtime.clock.now()
            assert await roster.add_person(work.transaction, person, now=now)
        cookie = await self.session_of(tenant, person_id)
        return Client(
            self.session, self.url, None, tenant, cookie=cookie, person_id=person_id
        )

    async def session_of(self, tenant_id: TenantId, person_id: PersonId) -> str:
        """Store a session of a person and return its cookie."""
        now, cookie = self.runtime.clock.now(), secrets.token_urlsafe(32)
        new = NewSession(
            tenant_id=tenant_id,
            session_id=self.runtime.identifiers.new(SessionId),
            person_id=person_id,
            digest=keys.digest(cookie),
            expires_at=now + datetime.timedelta(days=1),
            remote="127.0.0.1",
            browser="test",
        )
        async with self.runtime.store(Work).transaction(tenant_id) as work:
            await roster.add_session(work.transaction, new, keep=20, now=now)
        return f"tandem_session={cookie}"

    async def reaching(self, route: Route) -> Client:
        """Return somebody of a new tenant whom a route lets in."""
        return await (self.person() if route.is_personal else self.client())

    async def tenant(self, *, requires_second_factor: bool = False) -> TenantId:
        new_id = self.runtime.identifiers.new(TenantId)
        now = self.runtime.clock.now()
        async with self.runtime.store(Work).transaction(ALL_TENANTS) as work:
            return await tenants.take_tenant(
                work.transaction,
                f"tenant {new_id}",
                new_id=new_id,
                requires_second_factor=requires_second_factor,
                now=now,
            )

    async def key(self, tenant_id: TenantId, *scopes: str, **changes: Any) -> str:
        """Store a key and return its text."""
        now = self.runtime.clock.now()
        issued = issuing.make(
            tenant_id,
            name="test",
            scopes=scopes or SCOPES,
            expires_at=None,
            created_by="test",
            identifiers=self.runtime.identifiers,
        )
        row = msgspec.structs.replace(issued.row, **changes)
        async with self.runtime.store(Work).transaction(row.tenant_id) as work:
            await api_keys.add_key(work.transaction, row, now=now)
        return issued.text

    async def rows(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Read or change the api's tables, of all tenants, as an administrator."""
        connection = await asyncpg.connect(
            self.database.admin_url, server_settings={"search_path": "api"}
        )
        try:
            return [dict(row) for row in await connection.fetch(query, *values)]
        finally:
            await connection.close()


@contextlib.asynccontextmanager
async def running(
    database: Database,
    broker: nats.Server,
    *,
    others: Others,
    clock: Clock | None = None,
    **changes: Any,
) -> AsyncIterator[System]:
    """Run the api until the block ends, then see it stop by itself."""
    database_url = database.service_url("api")
    await migrations.apply(database.owner_url("api"), service="api", role="tandem_api")
    ring = key_ring(broker.seed_file("api").parent, "api")
    settings = Config(
        database_url=database_url,
        nats_url=broker.url,
        nats_seed_file=broker.seed_file("api"),
        http_port=ports.free_port(),
        operations_port=ports.free_port(),
        **{"key_ring_file": ring, **changes},
    )
    url = f"http://127.0.0.1:{settings.http_port}"
    stopping = asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        runtime = await stack.enter_async_context(
            process.standing("api", settings, clock=clock or SystemClock())
        )
        session = await stack.enter_async_context(
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        )
        serving = asyncio.create_task(service.serve(runtime, stopping))
        try:
            operations = f"http://127.0.0.1:{settings.operations_port}"
            await _until_ready(session, operations, serving=serving)
            yield System(
                runtime=runtime,
                database=database,
                others=others,
                session=session,
                url=url,
            )
        finally:
            stopping.set()
            await asyncio.wait_for(serving, timeout=30)


async def _until_ready(
    session: aiohttp.ClientSession, url: str, *, serving: asyncio.Task[None]
) -> None:
    async with asyncio.timeout(20):
        while not serving.done():
            with contextlib.suppress(aiohttp.ClientError):
                async with session.get(f"{url}/readyz") as response:
                    if response.status == 200:
                        return
            await asyncio.sleep(0.02)
    await serving
