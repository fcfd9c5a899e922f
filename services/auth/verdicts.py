"""What an app's answers say of a tenant's own client, before a person is sent there.

Nobody is signed in and no code is real, so each answer is read beside that to a
control which is wrong on purpose: an app that answers both alike has not looked yet.
Decides only; ``trials`` asks the app. Error codes are those of RFC 6749.
"""

import enum
from typing import Final
from urllib.parse import parse_qs, urlsplit

import msgspec

from proto.auth import ClientFinding, ClientPart, Verdict
from services.auth.oauth import NoGrant, TokenGrant, Why


class Seen(msgspec.Struct, frozen=True, kw_only=True):
    """How an authorisation server answered a browser that has no session."""

    status: int
    location: str = ""


class Sight(enum.Enum):
    """What a browser would see."""

    SHOWN = enum.auto()
    """A page to sign in at, or the way to it."""
    SENT_BACK = enum.auto()
    """It is sent to the redirect URI, mostly with an error."""
    REFUSED = enum.auto()
    """An error page: who cannot be sent back is told so here (section 4.1.2.1)."""
    NOTHING = enum.auto()
    """The app is away, or turns away what is no browser."""


class Look(msgspec.Struct, frozen=True, kw_only=True):
    """An answer of the authorisation page, as far as it can be told apart."""

    sight: Sight
    error: str = ""
    """With which the browser is sent back."""


class Looks(msgspec.Struct, frozen=True, kw_only=True):
    """The page as it answers the client, and both controls."""

    ours: Look
    other_redirect: Look
    other_scope: Look


NOTHING: Final = Look(sight=Sight.NOTHING)
_WAYS_ON: Final = frozenset((301, 302, 303, 307, 308))
_REFUSING: Final = frozenset((400, 401, 404, 422))
_OF_CLIENT: Final = frozenset(("invalid_client", "unauthorized_client"))
_OF_SCOPE: Final = "invalid_scope"


def look(seen: Seen | None, *, redirect_uri: str) -> Look:
    """Return what an answer to an authorisation request shows."""
    if seen is None:
        return NOTHING
    if seen.status in _REFUSING:
        return Look(sight=Sight.REFUSED)
    if seen.status not in _WAYS_ON:
        is_page = 200 <= seen.status < 300
        return Look(sight=Sight.SHOWN if is_page else Sight.NOTHING)
    try:
        parts, back = urlsplit(seen.location), urlsplit(redirect_uri)
        fields = parse_qs(parts.query, max_num_fields=100)
    except ValueError:
        return NOTHING
    if parts[:3] == back[:3]:
        return Look(sight=Sight.SENT_BACK, error=fields.get("error", [""])[0])
    # Google, for one, shows its errors at an address of their own.
    if "error" in parts.path.split("/"):
        return Look(sight=Sight.REFUSED)
    return Look(sight=Sight.SHOWN)


def judge(
    *,
    ours: TokenGrant | NoGrant,
    control: TokenGrant | NoGrant,
    looks: Looks,
    redirect_uri: str,
    scopes: tuple[str, ...],
) -> tuple[ClientFinding, ...]:
    """Return what the app says to each part of a client.

    Args:
        ours: The token endpoint's answer to a code that it never gave.
        control: The same with a secret that is wrong on purpose.
        looks: What the authorisation page shows.
        redirect_uri: Where the app would send a person back to.
        scopes: What it would be asked for.
    """
    secret = _judge_secret(ours, control, error=looks.ours.error)
    return (
        secret,
        _judge_redirect(
            looks, redirect_uri, is_client_refused=secret.verdict is Verdict.REFUSED
        ),
        _judge_scopes(looks, scopes),
    )


def _judge_secret(
    ours: TokenGrant | NoGrant, control: TokenGrant | NoGrant, *, error: str
) -> ClientFinding:
    part = ClientPart.SECRET
    if error in _OF_CLIENT:
        return _refused(
            part,
            f"The app's authorisation page does not accept the client id ({error})."
            " Compare it with the app's; the app may also have to be published there.",
        )
    if isinstance(ours, TokenGrant):
        return _unknown(part, "The app gave a token for a code that it never gave.")
    if ours.why is Why.CLIENT_REFUSED:
        return _refused(
            part,
            f"The app does not accept the client id and secret ({ours.reason}). Copy"
            " both from the app again and store them.",
        )
    if ours.why is not Why.REFUSED:
        return _unknown(
            part, f"The app's token endpoint did not answer clearly ({ours.reason})."
        )
    if isinstance(control, NoGrant) and control.why is Why.CLIENT_REFUSED:
        return ClientFinding(part=part, verdict=Verdict.ACCEPTED)
    return _unknown(part, "The app looks at the secret only once a person has agreed.")


def _judge_redirect(
    looks: Looks, redirect_uri: str, *, is_client_refused: bool
) -> ClientFinding:
    part, ours = ClientPart.REDIRECT_URI, looks.ours
    match ours.sight:
        case Sight.SENT_BACK:
            return ClientFinding(part=part, verdict=Verdict.ACCEPTED)
        case Sight.REFUSED if is_client_refused:
            return _unknown(part, "It can be told once the client id is right.")
        case Sight.REFUSED:
            return _refused(
                part,
                "The app shows an error instead of its page to sign in. Register"
                f" exactly {redirect_uri} at the app, and check the client id.",
            )
        case Sight.SHOWN if looks.other_redirect.sight is Sight.REFUSED:
            return ClientFinding(part=part, verdict=Verdict.ACCEPTED)
        case Sight.SHOWN:
            return _unknown(
                part,
                "The app looks at it only once a person has signed in. It has to be"
                f" registered there exactly as {redirect_uri}.",
            )
        case _:
            return _unknown(part, "The app's authorisation page did not answer.")


def _judge_scopes(looks: Looks, scopes: tuple[str, ...]) -> ClientFinding:
    part, ours, other = ClientPart.SCOPES, looks.ours, looks.other_scope
    if not scopes:
        return _unknown(
            part,
            "The app settles them when it registers a client, and shows them there.",
        )
    needed = " ".join(scopes)
    if ours.sight is Sight.SENT_BACK and ours.error == _OF_SCOPE:
        return _refused(
            part,
            f"The app does not allow this client all scopes that are needed: {needed}."
            " Add them to the client at the app.",
        )
    is_refused = other.sight is Sight.REFUSED or other.error == _OF_SCOPE
    if ours.sight is Sight.SHOWN and is_refused:
        return ClientFinding(part=part, verdict=Verdict.ACCEPTED)
    if ours.sight is Sight.REFUSED:
        return _unknown(part, "They can be told once the redirect URI is right.")
    return _unknown(
        part,
        "The app looks at them only once a person has signed in. These are needed:"
        f" {needed}.",
    )


def _refused(part: ClientPart, detail: str) -> ClientFinding:
    return ClientFinding(part=part, verdict=Verdict.REFUSED, detail=detail)


def _unknown(part: ClientPart, detail: str) -> ClientFinding:
    return ClientFinding(part=part, verdict=Verdict.UNKNOWN, detail=detail)
