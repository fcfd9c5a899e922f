"""How people get in: with a password, by an invitation, from a provider; or do not."""

import html
import json
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, Final

from aiohttp import web

from tests.security import forger
from tests.security.canaries import errands, second_steps
from tests.security.canaries.running import World
from tests.security.canaries.words import PERSON

SIGN_IN: Final = "/sign-in/oidc"
NO_TENANT: Final[Mapping[str, str]] = {"tenant": ""}


async def people_get_in(world: World) -> None:
    """Make people, sign them in and out, and let others fail at it."""
    nest = world.nest
    email = nest.note(PERSON, "owner", f"{nest.word()}@{nest.word()}.example")
    password = nest.note("people_password", "of the owner", nest.word(24))
    arguments = ("create-person", "--tenant", "test", "--email", email)
    assert await errands.errand(world, "api", *arguments, said=password + "\n") == 0
    # The second time there is somebody of this address.
    assert await errands.errand(world, "api", *arguments, said=password + "\n") == 1

    await second_steps.person_enrols(world, email=email, password=password)

    invited = nest.note(PERSON, "invited", f"{nest.word()}@{nest.word()}.example")
    body = {"email": invited, "role": "editor"}
    status, _, made = await world.send("POST", "/v1/invitations", json=body)
    assert status == 201, made
    secret = nest.note("invitation", "editor", made["link"].rpartition("#")[2])
    assert await _posts(world, "/invitation", secret=secret) == 200
    other = nest.note("people_password", "of the invited", nest.word(24))
    accepting = {"secret": secret, "password": other}
    path = "/v1/invitations/accept"
    # Sending the link's secret and the password to the wrong place tells nobody.
    assert (await world.send("POST", path, json=accepting))[0] in (201, 204)
    assert (await world.send("POST", path, key="", json=accepting))[0] == 410
    wrong = nest.note("people_password", "mistyped", nest.word(24))
    for mail in (email, f"{nest.word()}@example.org"):
        given = {"email": mail, "password": wrong}
        assert (await world.send("POST", "/v1/session", key="", json=given))[0] == 422
    form = {"email": "nobody@example.org", "password": wrong, "tenant": ""}
    assert await _posts(world, "/sign-in", **form) == 422
    status, _, made = await world.send(
        "POST", "/v1/api-keys", json={"name": "second", "scopes": ["read"]}
    )
    assert status == 201, made
    nest.note("api_key", "second", made["key"])


async def people_come_from_a_provider(world: World) -> None:
    """Sign in at a provider, which first answers with what it was sent, or forges."""
    nest, provider = world.nest, world.provider
    mail = nest.note(PERSON, "of provider", f"{nest.word()}@{nest.word()}.example")

    def hand_over(token: str) -> str:
        world.notes.proved.add(token)
        return nest.note("id_token", f"{len(nest)}", token)

    def signed(claims: dict[str, Any]) -> str:
        return hand_over(provider.token(claims))

    def unsigned(claims: dict[str, Any]) -> str:
        return hand_over(forger.unsigned(claims))

    def stale(claims: dict[str, Any]) -> str:
        return signed({**claims, "exp": 1, mail: mail})

    for answer in (_refusal(world, 400), _refusal(world, 500), _page(world)):
        provider.answer = answer
        assert (await _come_back(world, email=mail))[0] >= 400
    provider.answer = None
    for forge in (unsigned, stale):
        provider.forge = forge
        assert (await _come_back(world, email=mail))[0] == 403
    provider.forge = signed
    # Nobody is known by this address, until they are invited.
    status, page = await _come_back(world, email=mail, email_verified=True)
    assert (status, "Not known here" in page) == (403, True)
    status, _, made = await world.send(
        "POST", "/v1/invitations", json={"email": mail, "role": "viewer"}
    )
    assert status == 201, made
    secret = nest.note("invitation", "viewer", made["link"].rpartition("#")[2])
    form = {"secret": secret}
    status, _ = await _come_back(
        world, "/invitation/oidc", form, email=mail, email_verified=True
    )
    assert status == 303
    world.notes.proved.add(provider.client_secret)


async def _posts(world: World, path: str, **form: str) -> int:
    """Send a form of a page of ours; return the status."""
    status, _, _ = await world.send(
        "POST", path, key="", data=form, headers=second_steps.of_our_page(world)
    )
    return int(status)


async def _come_back(
    world: World,
    path: str = SIGN_IN,
    form: Mapping[str, str] = NO_TENANT,
    **claims: Any,
) -> tuple[int, str]:
    """Go to the provider as a browser does, and come back with a code."""
    nest, provider = world.nest, world.provider
    status, gone, page = await world.send(
        "POST", path, key="", data=dict(form), headers=second_steps.of_our_page(world)
    )
    assert status == 200, page
    link = str(page).partition('<a href="')[2].partition('"')[0]
    url, number = html.unescape(link), len(nest)
    query = urllib.parse.parse_qs(urllib.parse.urlsplit(url).query)
    state = nest.note("state", f"state {number}", query["state"][0])
    nest.note("nonce", f"nonce {number}", query["nonce"][0])
    cookie = nest.note(
        "browser", f"sign-in {number}", gone.cookies["tandem_oidc"].value
    )
    code = nest.note("code", f"code {number}", nest.word(32))
    provider.codes[code] = provider.codes.pop(provider.log_in(url, **claims))
    status, answer, page = await world.send(
        "GET",
        f"{SIGN_IN}/callback?state={state}&code={code}",
        key="",
        headers={"Cookie": f"tandem_oidc={cookie}", "Sec-Fetch-Site": "cross-site"},
    )
    for name in ("tandem_session", "tandem_half_session"):
        if name in answer.cookies:
            nest.note("session", f"{name} {number}", answer.cookies[name].value)
    return status, str(page)


def _refusal(world: World, status: int) -> Callable[[], web.Response]:
    """Return what refuses a code, and repeats secrets and addresses."""

    def refuse() -> web.Response:
        said = _said(world)
        return web.json_response(
            {"error": said, "error_description": said}, status=status
        )

    return refuse


def _page(world: World) -> Callable[[], web.Response]:
    """Return what answers with a page in place of a token."""
    return lambda: web.Response(text=f"<h1>{_said(world)}", content_type="text/html")


def _said(world: World) -> str:
    found = [each.text for each in world.nest if each.group in ("code", "state")]
    return json.dumps([world.provider.client_secret, *found[-4:]])
