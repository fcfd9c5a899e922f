"""The whole system of the run: four services and both vendors, full of canaries."""

import contextlib
import json
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import msgspec
import yarl

from deploy.demo import cards, setting
from deploy.demo.people import Crowd, Person, Place
from deploy.demo.rest import Tandem
from deploy.demo.story import Story
from deploy.demo.vendors import CardDav, ConstantContact
from deploy.local import environment, keys, postgres, programs
from deploy.local.access import create_key
from deploy.local.layout import Layout
from deploy.local.supervisor import DATABASE, Supervisor
from proto.subjects import SERVICES
from tests.e2e.installation import QUICK, Installation
from tests.security import forger
from tests.security.canaries import servers
from tests.security.canaries.places import Changes
from tests.security.canaries.places import Place as Found
from tests.security.canaries.servers import Tap
from tests.security.canaries.vendors import EchoingGate
from tests.security.canaries.words import CONTACT, RECORD_ID, Nest
from tests.security.forger import Provider

LEVEL: Final = "debug"
SECRET_FILE: Final = "oidc-client.secret"
_SETTINGS: Final[Mapping[str, Mapping[str, str]]] = {
    "auth": {"AUTH_REFUSAL_CONFIRM_S": "0.5", "AUTH_REFRESH_PAUSE_S": "0.5"},
    "connector": {**QUICK["connector"], "CONNECTOR_REQUEST_TIMEOUT_S": "5"},
    "reconciler": QUICK["reconciler"],
    "api": QUICK["api"],
}


class Notes:
    """What the api answered and errands printed, and figures of processes that went."""

    def __init__(self) -> None:
        self.found: list[Found] = []
        self.took_s: dict[str, float] = {}
        """How long each act took."""
        self.proved: set[str] = set()
        """Secrets without which something could not have happened that did."""
        self.is_misuse = False
        """Whether what is sent now proves nothing: it is sent where it has no use."""
        self.answers = bytearray()
        """What was sent to the api, and its answers that were successes: those may
        show a secret once, to whom it belongs."""

    def note_answer(self, status: int, head: str, body: bytes) -> None:
        """Keep an answer of the api."""
        data = head.encode(errors="replace") + b"\n\n" + body
        if status >= 400:
            self.note("error", f"{status}", data)
        else:
            self.hear(data)

    def hear(self, data: bytes) -> None:
        """Keep what was said to the api, or rightly by it."""
        if not self.is_misuse:
            self.answers += data + b"\n"

    def note(self, kind: str, name: str, data: bytes) -> None:
        """Keep anything else that is to be searched."""
        self.found.append(Found(kind, f"{name} ({len(self.found)})", data))

    def tracing(self, api_url: str) -> aiohttp.TraceConfig:
        """Return what has the api's answers to a client kept."""

        async def note(_session: Any, _context: Any, told: Any) -> None:
            if told.url.port == urlsplit(api_url).port:
                body = await told.response.read()
                head = f"{told.response.status} {dict(told.response.headers)}"
                self.hear(repr((told.url, dict(told.headers))).encode())
                self.note_answer(told.response.status, head, body)

        tracing = aiohttp.TraceConfig()
        tracing.on_request_end.append(note)
        return tracing


@dataclass(frozen=True, kw_only=True)
class World:
    """One run and what is known of it."""

    installation: Installation
    gates: dict[str, EchoingGate]
    nest: Nest
    notes: Notes
    tap: Tap
    provider: Provider
    database: postgres.Server
    changes: Changes

    @property
    def system(self) -> Supervisor:
        return self.installation.system

    async def send(
        self, method: str, path: str, *, key: str | None = None, **options: Any
    ) -> tuple[int, aiohttp.ClientResponse, Any]:
        """Send a request as it is given; return the answer's status, head and body.

        With an empty key nobody asks.
        """
        headers = {**options.pop("headers", {})}
        if key != "":
            headers = {
                "Authorization": f"Bearer {key or self.installation.key}",
                **headers,
            }
        self.notes.hear(repr(options).encode())
        url = yarl.URL(self.system.url("api") + path, encoded=True)
        async with self.installation.session.request(
            method, url, headers=headers, allow_redirects=False, **options
        ) as answer:
            text = await answer.text()
        is_json = "json" in answer.headers.get("Content-Type", "")
        return answer.status, answer, json.loads(text) if is_json and text else text


@contextlib.asynccontextmanager
async def running(nest: Nest) -> AsyncIterator[World]:
    """Start everything in a folder of its own; leave nothing behind."""
    with tempfile.TemporaryDirectory(prefix="tandem-canaries-") as folder:
        layout = Layout(Path(folder))
        layout.prepare()
        _plant_secrets(layout, nest)
        async with (
            servers.postgres_that_talks(
                layout.postgres, log=layout.log("postgres")
            ) as database,
            servers.tapped_nats(
                layout.nats, keys_directory=layout.keys, log=layout.log("nats")
            ) as (broker, tap),
            forger.running(client_secret=_provider_secret(layout, nest)) as provider,
        ):
            # Made before anything of ours is written.
            changes = Changes(layout.postgres)
            options = msgspec.structs.replace(
                setting.options(layout),
                database_url=database.dsn(database=DATABASE),
                nats_url=broker.url,
                environment=_environment(layout, provider),
            )
            async with (
                Supervisor(layout, options) as system,
                contextlib.AsyncExitStack() as stack,
            ):
                world = await _world(
                    system,
                    nest,
                    stack=stack,
                    tap=tap,
                    provider=provider,
                    database=database,
                    changes=changes,
                )
                yield world


def _provider_secret(layout: Layout, nest: Nest) -> str:
    """Return the secret that the api has at the provider, from its file."""
    text = nest.note("client_secret", "at the provider", nest.word(32))
    keys.write_secret(layout.keys / SECRET_FILE, text.encode())
    return text


def _environment(layout: Layout, provider: Provider) -> dict[str, dict[str, str]]:
    """Return the settings of each service: it says as much as it can."""
    made = {s: {**_SETTINGS[s], f"{s.upper()}_LOG_LEVEL": LEVEL} for s in SERVICES}
    made["api"] |= {
        "API_OIDC_ISSUER": provider.issuer,
        "API_OIDC_CLIENT_ID": forger.CLIENT_ID,
        "API_OIDC_CLIENT_SECRET_FILE": str(layout.keys / SECRET_FILE),
    }
    return made


def _plant_secrets(layout: Layout, nest: Nest) -> None:
    """Make up what an installation would else make up by itself, and note all of it."""
    for name, group in (("radicale", "password"), ("emulator-client", "client_secret")):
        text = nest.note(group, name, nest.word(32))
        keys.write_secret(layout.keys / f"{name}.password", text.encode())
    for role in environment.roles():
        text = nest.note("database_password", role, nest.word(32))
        keys.write_secret(layout.keys / f"{role}.password", text.encode())
    for service in SERVICES:
        seed = keys.nats_seed(layout.keys, service).read_text()
        nest.note("nats_seed", service, seed)
    for service in ("auth", "reconciler", "api"):
        ring = json.loads(keys.key_ring(layout.keys, service).read_text())
        for key_id, key in ring["keys"].items():
            nest.note("key_ring", f"{service} {key_id}", key)


async def _world(
    system: Supervisor, nest: Nest, *, stack: contextlib.AsyncExitStack, **parts: Any
) -> World:
    layout = system.layout
    vendors = {name: system.url(name) for name in ("constant_contact", "radicale")}
    passing, plain = [
        await stack.enter_async_context(
            aiohttp.ClientSession(
                auto_decompress=decompresses, cookie_jar=aiohttp.DummyCookieJar()
            )
        )
        for decompresses in (False, True)
    ]
    gates = {
        name: EchoingGate(url, session=passing, nest=nest)
        for name, url in vendors.items()
    }
    for made in gates.values():
        await stack.enter_async_context(made.standing())
    key = nest.note(
        "api_key", "installation", await create_key(layout, system, tenant="test")
    )
    notes = Notes()
    session = await stack.enter_async_context(
        aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=60),
            cookie_jar=aiohttp.DummyCookieJar(),
            trace_configs=[notes.tracing(system.url("api"))],
        )
    )
    user = programs.DEMO_USER
    password = keys.password(layout.keys, "radicale")
    client = setting.client(layout, gates["constant_contact"].url)
    story = Story(
        tandem=Tandem(session, system.url("api"), key=key),
        left=ConstantContact(plain, vendors["constant_contact"]),
        right=CardDav(plain, vendors["radicale"], user=user, password=password),
        crowd=crowd(nest),
        client={
            **client,
            # Browsers go there directly.
            "authorise_url": vendors["constant_contact"]
            + urlsplit(client["authorise_url"]).path,
        },
        card_login={
            "base_url": gates["radicale"].url,
            "username": user,
            "password": password,
        },
        say=lambda _sentence: None,
        watch=lambda _status: None,
    )
    installation = Installation(
        system=system, session=session, story=story, key=key, gates={**gates}
    )
    return World(
        installation=installation, gates=gates, nest=nest, notes=notes, **parts
    )


def crowd(nest: Nest) -> Crowd:
    """Make people of whom everything is a canary: two on both sides, two on each."""
    everybody = [_person(number, nest) for number in range(6)]
    return Crowd(
        left=tuple(everybody[:4]),
        right=(*everybody[:2], *everybody[4:]),
        shared_count=2,
    )


def _person(number: int, nest: Nest) -> Person:
    def told(what: str, text: str) -> str:
        return nest.note(CONTACT, f"{what} of {number}", text)

    word = nest.word
    place = Place(
        label="home",
        street=told("street", f"{word()} {number + 1}"),
        city=told("city", word().title()),
        region="",
        postal_code=told("postal code", nest.digits(10)),
        country="Germany",
    )
    # The number, however it is written.
    phone = told("phone", f"30{nest.digits(9)}")
    return Person(
        number=number,
        given=told("given name", f"{word().title()}é"),
        family=told("family name", f"Ñ{word()}"),
        emails=(told("email", f"{word()}.{word()}@{word()}.example"),),
        company=told("company", f"{word().title()} & Söhne"),
        job=told("job", word().title()),
        phones=(("mobile", f"+49{phone}"),),
        places=(place,),
    )


async def put_a_card_with_a_note(world: World) -> None:
    """Put one more person into the address book, at a path that tells who they are."""
    nest = world.nest
    person = _person(6, nest)
    note = nest.note(CONTACT, f"note of {person.number}", f"{nest.word()} ist erkrankt")
    card = cards.card(person).replace("END:VCARD", f"NOTE:{note}\r\nEND:VCARD")
    name = nest.note(RECORD_ID, f"card of {person.number}", f"{nest.word(16)}")
    await world.installation.right.put(
        f"/{programs.DEMO_USER}/contacts/{name}.vcf",
        card.replace(f"UID:{cards.uid(person)}", f"UID:{name}"),
    )
