"""Problem details (RFC 9457): one table from a code to its status and its words.

Codes are those that cross the bus and those of the REST interface itself. The words
are for a person and say what to do; a service's own sentence may replace them.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from aiohttp import web

from proto import codec
from proto.errors import ErrorCode
from services.api.content.codes import Code
from services.api.errors import Fault

__all__ = ["Code"]

CONTENT_TYPE: Final = "application/problem+json"
RETRY_S: Final = 5


class Kind(NamedTuple):
    """How a code is shown."""

    status: int
    title: str
    detail: str
    retry_s: int = 0
    """Where trying again can help: after how long."""

    @property
    def is_passing(self) -> bool:
        """Whether the very same request can succeed later."""
        return self.status >= 500 or self.status == 429


KINDS: Final[Mapping[str, Kind]] = {
    ErrorCode.UNKNOWN: Kind(
        500,
        "Unexpected fault",
        "Something went wrong on our side. Try again; if it stays, look for this"
        " request's id in the log.",
    ),
    ErrorCode.MALFORMED: Kind(
        500,
        "Services disagree",
        "Two parts of this installation do not understand each other. Check that all"
        " services run the same release.",
    ),
    ErrorCode.NOT_FOUND: Kind(
        404,
        "Not found",
        "There is nothing under this id. Check the id and that the key is of the"
        " right tenant.",
    ),
    ErrorCode.ALREADY_EXISTS: Kind(
        409, "Already exists", "It is there already. Change the one that exists."
    ),
    ErrorCode.INVALID: Kind(
        422, "Not valid", "A value does not fit. Correct it and send it again."
    ),
    ErrorCode.NOT_ALLOWED_NOW: Kind(
        409,
        "Not possible now",
        "Its present state does not allow this. Read it again to see what it allows.",
    ),
    ErrorCode.UNKNOWN_APP: Kind(
        404, "Unknown app", "There is no such app. GET /v1/apps lists them."
    ),
    ErrorCode.ACCOUNT_LOST: Kind(
        409,
        "Authorisation lost",
        "The app no longer accepts our authorisation. Authorise the account again.",
    ),
    ErrorCode.ACCOUNT_MISMATCH: Kind(
        409,
        "Another account",
        "This was authorised at another account of the app than before. Sign in there"
        " with the same account, or add it as a new one.",
    ),
    ErrorCode.CREDENTIALS_REFUSED: Kind(
        422,
        "Credentials refused",
        "The app does not accept these credentials. Check address, user name and"
        " password, or the client id and secret.",
    ),
    ErrorCode.CLIENT_MISSING: Kind(
        409,
        "Client missing",
        "No client id and secret are stored for this app. Put them with"
        " PUT /v1/apps/{app}/client first.",
    ),
    ErrorCode.CLIENT_REFUSED: Kind(
        409,
        "Client refused",
        "The app does not accept the client id and secret stored for it. Put the right"
        " ones with PUT /v1/apps/{app}/client; accounts and connections go on then.",
    ),
    ErrorCode.AUTHORISATION_EXPIRED: Kind(
        410,
        "Authorisation expired",
        "The authorisation was begun too long ago or is already used. Begin it again.",
    ),
    ErrorCode.AUTHORISATION_DENIED: Kind(
        409,
        "Authorisation denied",
        "The app was not given leave. Begin again and agree there.",
    ),
    ErrorCode.APP_UNREACHABLE: Kind(
        502,
        "App unreachable",
        "The app does not answer. Check its address, or try again later.",
        retry_s=60,
    ),
    ErrorCode.ADDRESS_REFUSED: Kind(
        422,
        "Address refused",
        "The address is not listed, is in a private network or is not https. If it is"
        " meant, whoever runs Tandem can list it in _ALLOWED_HOSTS if it is public, or"
        " in _PRIVATE_ADDRESSES, of CONNECTOR and of AUTH.",
    ),
    ErrorCode.APP_BROKEN: Kind(
        502,
        "App answers wrongly",
        "The app answered with something unexpected. Check its address, or try again"
        " later.",
        retry_s=60,
    ),
    ErrorCode.APP_REFUSED: Kind(
        409,
        "App refuses",
        "The app understood and said no. Look there for what it does not allow.",
    ),
    ErrorCode.VALUE_REFUSED: Kind(
        422, "Value refused", "The app does not accept one of the values. Correct it."
    ),
    ErrorCode.RATE_LIMITED: Kind(
        503,
        "App asks to slow down",
        "The app takes no more calls for the moment. Try again shortly.",
        retry_s=60,
    ),
    ErrorCode.QUOTA_EXHAUSTED: Kind(
        503,
        "App's quota used up",
        "The app's quota of calls is used up. Try again when it starts anew.",
        retry_s=3600,
    ),
    ErrorCode.SERVICE_UNAVAILABLE: Kind(
        503,
        "Away for the moment",
        "A part of the system is away for the moment. Try again shortly.",
        retry_s=RETRY_S,
    ),
    ErrorCode.LIMIT_REACHED: Kind(
        409,
        "Limit reached",
        "There are as many as may be. Remove one that is no longer needed.",
    ),
    Code.KEY_MISSING: Kind(
        401,
        "API key missing",
        "Send `Authorization: Bearer <API key>`, or sign in.",
    ),
    Code.KEY_MALFORMED: Kind(
        401, "Not an API key", "The key is mistyped or cut off. Copy it again."
    ),
    Code.KEY_UNKNOWN: Kind(
        401, "Unknown API key", "This installation has no such key. Make a new one."
    ),
    Code.KEY_EXPIRED: Kind(
        401, "API key expired", "The key's time is over. Make a new one."
    ),
    Code.KEY_REVOKED: Kind(
        401, "API key revoked", "The key was revoked. Use another one."
    ),
    Code.SCOPE_MISSING: Kind(
        403, "Scope missing", "The key may not do this. Use a key with this scope."
    ),
    Code.NO_SUCH_ROUTE: Kind(
        404, "No such route", "Nothing is at this path. See openapi.yaml for what is."
    ),
    Code.METHOD_NOT_ALLOWED: Kind(
        405, "Method not allowed", "Use a method that the Allow header lists."
    ),
    Code.BODY_TOO_LARGE: Kind(
        413, "Body too large", "The body may have 1 MiB at most. Send less."
    ),
    Code.MEDIA_TYPE_UNSUPPORTED: Kind(
        415,
        "Media type not supported",
        "Send JSON, as `Content-Type: application/json`.",
    ),
    Code.BODY_MALFORMED: Kind(
        400, "Body is not JSON", "The body cannot be read as JSON. Correct it."
    ),
    Code.BODY_INVALID: Kind(
        422, "Body not valid", "Correct what `errors` lists and send it again."
    ),
    Code.QUERY_INVALID: Kind(
        422, "Query not valid", "Correct what `errors` lists and ask again."
    ),
    Code.REQUEST_MALFORMED: Kind(
        400, "Request not valid", "The request cannot be read. Correct it."
    ),
    Code.TOO_MANY_REQUESTS: Kind(
        429, "Too many requests", "Wait as long as the Retry-After header says."
    ),
    Code.VERSION_CONFLICT: Kind(
        412,
        "Changed since it was read",
        "It is no longer at the version of If-Match. Read it and change that.",
    ),
    Code.ACCOUNT_IN_USE: Kind(
        409,
        "Account in use",
        "A connection uses this account. Delete the connection first.",
    ),
    Code.LINK_OPENED: Kind(
        409,
        "Link already opened",
        "This link was opened in another browser, and works only once. Begin the"
        " authorisation again.",
    ),
    Code.OTHER_BROWSER: Kind(
        403,
        "Another browser",
        "This authorisation was not begun in this browser, or its cookies are off."
        " Begin it again, here.",
    ),
    Code.OTHER_PERSON: Kind(
        403,
        "Another person",
        "Whoever began this authorisation has to be signed in here to finish it. Sign"
        " in as that person, or begin it again.",
    ),
    Code.SESSION_OVER: Kind(
        401, "Signed out", "This session has ended, or never was. Sign in again."
    ),
    Code.FOREIGN_PAGE: Kind(
        403,
        "Another site's page",
        "This did not come from a page of Tandem's own. Open Tandem at its own address"
        " and do it there; programs use an API key.",
    ),
    Code.ROLE_MISSING: Kind(
        403, "Not for this role", "Your role may not do this. Ask an owner."
    ),
    Code.PERSON_MISSING: Kind(
        403,
        "For people alone",
        "This is about the person who is signed in, and a key is nobody's. Sign in.",
    ),
    Code.SIGN_IN_REFUSED: Kind(
        422,
        "Not signed in",
        "Email address and password do not belong together. Check both; if the address"
        " is known in several tenants, give the name of the tenant, too.",
    ),
    Code.TOO_MANY_GUESSES: Kind(
        429,
        "Tried too often",
        "There were too many tries. Wait as long as the Retry-After header says.",
    ),
    Code.NOT_CONFIRMED: Kind(
        422, "Wrong password", "This is not your present password. Check it."
    ),
    Code.OWN_ROLE: Kind(
        409,
        "Your own role",
        "Nobody changes their own role. Let another owner do it.",
    ),
    Code.LAST_OWNER: Kind(
        409,
        "Last owner",
        "A tenant needs an owner. Make somebody else an owner first.",
    ),
    Code.INVITATION_OVER: Kind(
        410,
        "Invitation over",
        "This invitation was used, withdrawn or is over. Ask for another one.",
    ),
    Code.RESET_OVER: Kind(
        410, "Link over", "This link was used or is over. Ask an owner for another one."
    ),
    Code.CODE_NEEDED: Kind(
        403,
        "A code is needed",
        "Your password is right. Send it again together with the code that your"
        " authenticator app shows, or with a recovery code.",
    ),
    Code.CODE_REFUSED: Kind(
        422,
        "Wrong code",
        "This code does not count, or no longer: each counts once and for 30 seconds."
        " Wait for the next one, and check the clock of the device that shows it.",
    ),
    Code.ENROLMENT_NEEDED: Kind(
        403,
        "A second factor is needed",
        "Your tenant lets nobody in by a password alone. Sign in with a browser, which"
        " leads to where an authenticator app is set up.",
    ),
    Code.ENROLMENT_OVER: Kind(
        410,
        "Begin again",
        "This was begun too long ago, or done meanwhile. Begin again.",
    ),
    Code.SIGN_IN_AGAIN: Kind(
        403,
        "Sign in again",
        "Sign out and in again, and do this within ten minutes of that.",
    ),
    Code.IDENTITY_TAKEN: Kind(
        409,
        "Not added",
        "You are somebody else here at the sign-in service, or added already.",
    ),
    Code.OIDC_REFUSED: Kind(
        403,
        "Not signed in",
        "The sign-in service did not say who you are. Try again.",
    ),
    Code.OIDC_UNKNOWN: Kind(
        403,
        "Not known here",
        "The sign-in service knows you, but Tandem does not. Open your invitation, and"
        " sign in with the address that was invited.",
    ),
    Code.OIDC_WEAK: Kind(
        403,
        "One factor is too few",
        "The sign-in service does not say that you proved by two factors who you are."
        " Set up a second one there, and sign in with it.",
    ),
    Code.OIDC_KEYS_TOO_SHORT: Kind(
        403,
        "Keys too short",
        "The sign-in service signs with RSA keys that are shorter than is taken here."
        " Whoever runs Tandem can accept them with API_OIDC_RSA_BITS_MIN=2048, which is"
        " 112 bits of security instead of 128.",
    ),
    Code.OIDC_OVER: Kind(
        410,
        "Sign-in over",
        "This sign-in was begun too long ago or in another browser, or is used already."
        " Begin again.",
    ),
    Code.OIDC_AWAY: Kind(
        503,
        "Sign-in service away",
        "The sign-in service does not answer. Try again shortly.",
        retry_s=RETRY_S,
    ),
}


def kind_of(code: str) -> Kind:
    """Return how a code is shown."""
    return KINDS.get(code, KINDS[ErrorCode.UNKNOWN])


REFUSAL: Final = web.ResponseKey("refusal", str)
"""The code of an answer that says no, for the log."""


def respond(
    code: str,
    detail: str = "",
    *,
    faults: tuple[Fault, ...] = (),
    request_id: str,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """Return the answer that tells of a problem."""
    kind = kind_of(code)
    body: dict[str, object] = {
        "type": f"urn:tandem:problem:{code}",
        "title": kind.title,
        "status": kind.status,
        "detail": detail or kind.detail,
        "code": code,
        "request_id": request_id,
    }
    if faults:
        body["errors"] = [fault._asdict() for fault in faults]
    retry = {"Retry-After": str(kind.retry_s)} if kind.retry_s else {}
    response = web.Response(
        status=kind.status,
        body=codec.encode(body),
        content_type=CONTENT_TYPE,
        headers={**retry, **(headers or {})},
    )
    response[REFUSAL] = code
    return response
