"""The run: everything that goes well, and then everything that goes badly.

Each act makes sure that it did happen; what it leaves behind is searched afterwards.
"""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator
from typing import Any, Final

import asyncpg
import nats.errors

from deploy.demo import cards
from deploy.demo.browser import Browser, LostTheWay
from proto.subjects import SERVICES
from tests.security.canaries import doors, errands, misuse, running
from tests.security.canaries.running import World
from tests.security.canaries.vendors import TOKEN_PATH, Echo
from tests.security.canaries.words import CONTACT, PERSON

LISTING: Final = "/v3/contacts"
WAIT_S: Final = 60.0
LOOK_S: Final = 0.1
BOUNDS: Final = ("reconciler.emails", "api.invitations")
"""Tables that for a moment take no row that has a value of somebody."""


async def play(world: World) -> None:
    """Play the whole run."""
    for act in (
        doors.people_get_in,
        doors.people_come_from_a_provider,
        accounts_are_authorised,
        everybody_is_synced,
        edits_cross,
        apps_answer_badly,
        writes_are_refused,
        messages_cannot_be_handled,
        something_breaks_inside,
        misuse.of_the_api,
        processes_are_killed,
        an_account_is_lost,
    ):
        began = time.monotonic()
        await act(world)
        world.notes.took_s[act.__name__] = round(time.monotonic() - began, 1)


async def accounts_are_authorised(world: World) -> None:
    """Authorise both apps; before that the token endpoint repeats what it was sent."""
    story, gate = world.installation.story, world.gates["constant_contact"]
    await story.fill()
    await running.put_a_card_with_a_note(world)
    tandem = story.tandem
    await tandem.call("PUT", "/v1/apps/constant_contact/client", body=story.client)
    for shape in ("oauth", "odd", "html", "broken"):
        echo = gate.echo(400, path=TOKEN_PATH, shape=shape)
        with contextlib.suppress(LostTheWay):
            await authorise(world)
        assert echo.fired == 1, shape
    wrong = world.nest.note("password", "refused", world.nest.word(24))
    body = {"app": "carddav", **story.card_login, "password": wrong}
    assert (await world.send("POST", "/v1/accounts", json=body))[0] == 422
    echo = world.gates["radicale"].echo(500, shape="xml")
    body = {"app": "carddav", **story.card_login}
    await world.send("POST", "/v1/accounts", json=body)
    assert echo.fired == 1
    await story.connect()
    note_states(world)


async def authorise(world: World, **given: str) -> None:
    """Let a person's browser agree, and see what it is shown."""
    begun = await world.installation.tandem.call(
        "POST",
        "/v1/accounts/authorisations",
        body={"app": "constant_contact", **given},
    )
    link = begun["authorise_url"].rpartition("#")[2]
    world.nest.note("link", f"link {len(world.nest)}", link)
    tracing = world.notes.tracing(world.system.url("api"))
    tracing.freeze()
    async with Browser() as browser:
        browser._session.trace_configs.append(tracing)
        try:
            await browser.agree(begun["authorise_url"])
        finally:
            for cookie in browser._session.cookie_jar:
                if len(cookie.value) > 20:
                    name = f"cookie {len(world.nest)}"
                    world.nest.note("browser", name, cookie.value)


def note_states(world: World) -> None:
    """Note what auth made up for authorisations: the tap heard it."""
    for name, data in world.tap.messages:
        if name == "answer to cmd.auth.begin_authorisation.v1":
            state = json.loads(data.partition(b"\n")[2])["state"]
            world.nest.note("state", f"state {len(world.nest)}", state)
        if name == "cmd.auth.begin_authorisation.v1":
            browser = json.loads(data.partition(b"\n")[2])["browser"]
            world.nest.note("browser", f"browser {len(world.nest)}", browser)


async def everybody_is_synced(world: World) -> None:
    """Sync all; the first pages are answered with their own request."""
    gate, book = world.gates["constant_contact"], world.gates["radicale"]
    bad = [gate.echo(500, path=LISTING), book.echo(207, shape="xml", method="PROPFIND")]
    await world.installation.start()
    await until(world, *bad)
    await world.installation.tell("sync")
    await world.installation.until_live(timeout_s=WAIT_S)
    await world.installation.settle()
    agreement = await world.installation.agreement()
    assert agreement.is_whole, agreement
    path = f"/v1/connections/{world.installation.story.connection_id}/records"
    for state in ("in_sync", "failed"):
        assert (await world.send("GET", f"{path}?state={state}"))[0] == 200
    body = {"email": "nobody@example.org"}
    assert (await world.send("POST", f"{path}/search", json=body))[0] == 200
    assert (await world.send("POST", "/v1/erasures", json=body))[0] == 202


async def edits_cross(world: World) -> None:
    """Edit on both sides; each edit is a canary of its own."""
    await edit_left(world, 0)
    await edit_right(world, 1)
    await world.installation.settle()
    assert (await world.installation.agreement()).is_whole


async def edit_left(world: World, number: int) -> None:
    """Give a contact another job."""
    person = world.installation.story.crowd.left[number]
    job = world.nest.word().title()
    world.nest.note(CONTACT, f"job {len(world.nest)}", job)
    changes = {"job_title": job}
    act = {"act": "edit", "email": person.emails[0], "changes": changes}
    await world.installation.left.act(act)


async def edit_right(world: World, number: int) -> None:
    """Give a card another job."""
    person = world.installation.story.crowd.right[number]
    job = world.nest.word().title()
    world.nest.note(CONTACT, f"job {len(world.nest)}", job)
    found = await world.installation.right.card_of(person.emails[0])
    assert found is not None
    path, card = found
    lines = [line for line in card.splitlines() if not line.startswith("TITLE")]
    lines.insert(-1, f"TITLE:{job}")
    await world.installation.right.put(path, "\r\n".join([*lines, ""]))


async def apps_answer_badly(world: World) -> None:
    """Read what is no JSON, no XML, of other types, or nothing but our own words."""
    gate, book = world.gates["constant_contact"], world.gates["radicale"]
    for status, shape in (
        (200, "broken"),
        (200, "types"),
        (200, "html"),
        (401, "json"),
        (403, "odd"),
        (429, "json"),
        (503, "html"),
    ):
        await read_again(world, gate.echo(status, path=LISTING, shape=shape))
    for status, shape in ((207, "broken"), (207, "xml"), (403, "xml"), (507, "html")):
        await read_again(world, book.echo(status, shape=shape))
    await world.installation.tell("sync")
    await world.installation.until_live(timeout_s=WAIT_S)


async def read_again(world: World, echo: Echo) -> None:
    """Have both sides read until a rule has answered a call."""
    await world.installation.tell("sync")
    await until(world, echo, sync=True)


async def writes_are_refused(world: World) -> None:
    """Have writes answered with what was to be written, and everything else."""
    gate, book = world.gates["constant_contact"], world.gates["radicale"]
    for number, (status, shape) in enumerate(
        ((400, "json"), (409, "odd"), (500, "html"))
    ):
        echo = gate.echo(status, shape=shape, method="PUT")
        await edit_right(world, number % 2)
        await read_again(world, echo)
    for number, (status, shape) in enumerate(
        ((403, "xml"), (412, "xml"), (500, "html"))
    ):
        echo = book.echo(status, shape=shape, method="PUT")
        await edit_left(world, number % 2)
        await read_again(world, echo)


async def messages_cannot_be_handled(world: World) -> None:
    """Send what is no message, and full of canaries; an operator lists what is left."""
    person = world.installation.story.crowd.left[0]
    name = person.family
    given = json.dumps(cards.contact(person), ensure_ascii=False)
    accounts = await world.installation.tandem.pages("/v1/accounts")
    account_id = accounts[0]["account_id"]
    whole = next(
        json.loads(data.partition(b"\n")[2])
        for name, data in world.tap.messages
        if name.startswith("evt.connector.contacts_observed.v1")
    )
    for number, content in enumerate(
        (
            given[:-1].encode(),
            b"\xff" + given.encode(),
            json.dumps({**whole, "scan": person.emails[0]}).encode(),
            json.dumps({**whole, "read_at": name}).encode(),
            json.dumps({**whole, "records": {name: name}}).encode(),
            json.dumps({**whole, "records": [{person.emails[0]: 1}]}).encode(),
            json.dumps(
                {**whole, "records": [{"record_id": "1", "fields": {name: {name: 1}}}]}
            ).encode(),
            json.dumps({**whole, "tenant_id": person.emails[0]}).encode(),
        )
    ):
        world.tap.planted.append(content)
        for sender in ("connector", person.emails[0]):
            await world.tap.client.jetstream().publish(
                f"evt.connector.contacts_observed.v1.{account_id}",
                content,
                headers={
                    "Tandem-Sender": sender,
                    "Tandem-Tenant-Id": whole["tenant_id"],
                    "Tandem-Message-Id": f"msg_{number}_{sender[:4]}",
                },
            )
    # A command of nonsense is answered in words.
    world.tap.planted.append(given.encode())
    with contextlib.suppress(nats.errors.Error):
        await world.tap.client.request("cmd.auth.get_account.v1", given.encode())
    async with asyncio.timeout(WAIT_S):
        while await count(world, "SELECT count(*) FROM reconciler.dead_letters") < 16:
            await asyncio.sleep(LOOK_S)
    listings = [errands.errand(world, service, "dead-letters") for service in SERVICES]
    assert set(await asyncio.gather(*listings)) == {0}


async def something_breaks_inside(world: World) -> None:
    """Postgres refuses rows, and says which: in the api, in a handler, in an errand."""
    nest = world.nest
    async with refusing(world, *BOUNDS, "api.people"):
        invited = nest.note(PERSON, "refused", f"{nest.word()}@{nest.word()}.example")
        body = {"email": invited, "role": "viewer"}
        assert (await world.send("POST", "/v1/invitations", json=body))[0] == 500
        password = nest.note("people_password", "refused", nest.word(24))
        mail = nest.note(PERSON, "no person", f"{nest.word()}@{nest.word()}.example")
        arguments = ("create-person", "--tenant", "test", "--email", mail)
        assert (
            await errands.errand(world, "api", *arguments, said=password + "\n") == 70
        )
        log = world.system.layout.log("reconciler")
        email = nest.note(
            CONTACT, "changed email", f"{nest.word()}@{nest.word()}.example"
        )
        person = world.installation.story.crowd.left[2]
        act = {"act": "change_email", "email": person.emails[0], "address": email}
        await world.installation.left.act(act)
        await world.installation.tell("sync")
        async with asyncio.timeout(WAIT_S):
            while '"handler_failed"' not in log.read_text():
                await asyncio.sleep(LOOK_S)
    await world.installation.settle()


@contextlib.asynccontextmanager
async def refusing(world: World, *tables: str) -> AsyncIterator[None]:
    """Have tables refuse every new row."""
    connection = await asyncpg.connect(world.system.admin_url)
    try:
        for table in tables:
            await connection.execute(
                f"ALTER TABLE {table} ADD CONSTRAINT nothing CHECK (false) NOT VALID"
            )
        yield
        for table in tables:
            await connection.execute(f"ALTER TABLE {table} DROP CONSTRAINT nothing")
    finally:
        await connection.close()


async def processes_are_killed(world: World) -> None:
    """Kill each service in the midst of work, and let it go on."""
    await keep_metrics(world)
    await edit_left(world, 1)
    await edit_right(world, 0)
    await world.installation.tell("sync")
    for service in ("connector", "reconciler", "auth", "api"):
        await world.system.kill(service)
    await world.system.until_ready()
    await world.installation.settle()
    assert (await world.installation.agreement()).is_whole


async def keep_metrics(world: World) -> None:
    """Keep the figures of processes that are about to go."""
    for service in SERVICES:
        url = world.system.operations_url(service) + "/metrics"
        async with world.installation.session.get(url) as answer:
            world.notes.note("metrics", service, await answer.read())


async def an_account_is_lost(world: World) -> None:
    """Each refresh is refused with the refresh token in the words; then it heals."""
    installation, gate = world.installation, world.gates["constant_contact"]
    vendor_id = await installation.left.account_id()
    echoes = [
        gate.echo(500, path=TOKEN_PATH, shape="html"),
        gate.echo(200, path=TOKEN_PATH, shape="broken"),
        gate.echo(400, path=TOKEN_PATH, shape="odd"),
        gate.echo(400, path=TOKEN_PATH, shape="oauth", count=9),
    ]
    path = f"/accounts/{vendor_id}/revoke"
    await installation.emulator("POST", path, {"tokens": "access"})
    await installation.tell("sync")

    def is_lost(status: dict[str, Any]) -> bool:
        return status["state"] == "needs_attention"

    await installation.until(is_lost, timeout_s=WAIT_S)
    assert sum(echo.fired for echo in echoes) >= 2
    gate.echoes.clear()
    accounts = await installation.tandem.pages("/v1/accounts")
    (lost,) = [a["account_id"] for a in accounts if a["state"] == "lost"]
    await authorise(world, account_id=lost)
    note_states(world)
    await installation.until(lambda s: s["state"] == "live", timeout_s=WAIT_S)
    await installation.settle()
    assert (await installation.agreement()).is_whole


async def until(world: World, *echoes: Echo, sync: bool = False) -> None:
    """Wait until rules have answered; ask to be read now and then, if asked to."""
    try:
        async with asyncio.timeout(WAIT_S):
            while not all(echo.fired for echo in echoes):
                await asyncio.sleep(5 * LOOK_S)
                if sync:
                    await world.installation.tell("sync")
    except TimeoutError:
        raise AssertionError(f"nobody came by: {echoes}") from None


async def count(world: World, sql: str) -> int:
    """Return a count out of the database."""
    return int((await world.installation.rows(sql))[0]["count"])
