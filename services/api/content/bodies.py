"""Reading what a request brings: JSON bodies and queries, checked to the last field.

A fault names its place by a JSON pointer and never quotes a value.
"""

import asyncio
import re
import urllib.parse
from typing import Final, TypeVar

import msgspec
from aiohttp import web

from proto.errors import ErrorCode
from proto.ids import AccountId
from services.api.content.problems import Code
from services.api.errors import Fault, Refused
from services.chassis import identifiers, patience

BODY_BYTES_MAX: Final = 1024 * 1024
BODY_TIMEOUT_S: Final = 30.0
PARAMETER_CHARS_MAX: Final = 4_096
JSON: Final = "application/json"
FORM: Final = "application/x-www-form-urlencoded"
FIELDS_MAX: Final = 20
FIELD_CHARS_MAX: Final = 1_000

T = TypeVar("T")

_PLACE: Final = re.compile(r" - at (?:`key` in )?`(?P<place>[^`]*)`$")
_NAMED: Final = re.compile(r"(?:unknown|required) field `(?P<name>[^`]*)`")
_STEP: Final = re.compile(r"\.([^.\[\]]+)|\[(\d+)\]")
_NUL: Final = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
_QUOTED_VALUE: Final = re.compile(r"^Invalid (?:enum )?value .*$", re.DOTALL)


async def read(request: web.Request, into: type[T]) -> tuple[T, tuple[str, ...]]:
    """Return a request's body, and the names of the fields that it mentions.

    Raises:
        Refused: Not JSON, packed, too large, nested too deep, or of another shape.
    """
    _refuse_packed(request)
    if request.content_type != JSON:
        raise Refused(Code.MEDIA_TYPE_UNSUPPORTED)
    return parse(await _bytes(request), into)


async def read_nothing(request: web.Request) -> None:
    """Refuse a body where there is nothing to say; an empty object says nothing."""
    if (await _bytes(request)).strip() not in (b"", b"{}"):
        raise Refused(Code.BODY_INVALID, faults=(Fault("", "Send no body here."),))


def parse(data: bytes, into: type[T]) -> tuple[T, tuple[str, ...]]:
    """Return bytes as a Struct, and the names at the top of the object."""
    try:
        value = msgspec.json.decode(data, type=into)
        names = tuple(sorted(msgspec.json.decode(data, type=dict[str, msgspec.Raw])))
    except msgspec.ValidationError as err:
        raise Refused(Code.BODY_INVALID, faults=(fault_of(str(err)),)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise Refused(Code.BODY_MALFORMED) from None
    except RecursionError:
        raise Refused(Code.BODY_MALFORMED, "The body is nested too deep.") from None
    if _NUL.search(data):
        # JSON has the character, Postgres has not.
        fault = Fault("", "A text may not hold the character U+0000.")
        raise Refused(Code.BODY_INVALID, faults=(fault,))
    return value, names


def fault_of(reason: str) -> Fault:
    """Return what msgspec says about a value as a pointer and a sentence."""
    place = _PLACE.search(reason)
    pointer = (
        "".join(f"/{name or index}" for name, index in _STEP.findall(place["place"]))
        if place
        else ""
    )
    named = _NAMED.search(reason)
    if named:
        pointer += "/" + named["name"].replace("~", "~0").replace("/", "~1")
    detail = _QUOTED_VALUE.sub("Not one of the values", _PLACE.sub("", reason))
    return Fault(pointer, f"{detail.replace('`', '')}.")


def account(text: str | None, pointer: str = "/account_id") -> AccountId | None:
    """Return an account's id from a body; what cannot be one is not found.

    Raises:
        Refused: There is no such account.
    """
    if text is None:
        return None
    if not identifiers.is_id(AccountId, text):
        fault = Fault(pointer, "There is no such account.")
        raise Refused(ErrorCode.NOT_FOUND, faults=(fault,))
    return AccountId(text)


def query(request: web.Request, *names: str) -> dict[str, str]:
    """Return the query's parameters, which are among ``names``; empty if not given.

    Raises:
        Refused: A parameter is unknown or there twice.
    """
    given = request.query
    faults = [
        Fault(name, "There is no such parameter here.")
        for name in dict.fromkeys(given)
        if name not in names
    ]
    faults += [
        Fault(name, "Give it once.")
        for name in names
        if len(given.getall(name, [])) > 1
    ]
    if faults:
        raise Refused(Code.QUERY_INVALID, faults=tuple(faults))
    return {name: given.get(name, "") for name in names}


def page_query(request: web.Request, *names: str) -> dict[str, str]:
    """Return what an app sent with a browser; what else it sends is its own business.

    Raises:
        Refused: Something is there twice, which RFC 6749 forbids, or is no plain text.
    """
    found = {}
    for name in names:
        values = request.query.getall(name, [])
        value = found[name] = values[0] if values else ""
        is_plain = len(value) <= PARAMETER_CHARS_MAX and value.isprintable()
        if len(values) > 1 or not is_plain:
            raise Refused(Code.REQUEST_MALFORMED)
    return found


async def form(request: web.Request, *names: str) -> dict[str, str]:
    """Return the fields of a form, which are among ``names``; empty if not given.

    Raises:
        Refused: It is no form of ours, packed, or too large.
    """
    _refuse_packed(request)
    if request.content_type != FORM:
        raise Refused(Code.MEDIA_TYPE_UNSUPPORTED)
    data = await _bytes(request)
    try:
        given = urllib.parse.parse_qs(
            data.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=FIELDS_MAX,
        )
    except ValueError:
        raise Refused(Code.REQUEST_MALFORMED) from None
    if not given.keys() <= set(names):
        raise Refused(Code.REQUEST_MALFORMED)
    for values in given.values():
        # Postgres has no such character, and no keyboard either.
        if len(values) > 1 or len(values[0]) > FIELD_CHARS_MAX or "\0" in values[0]:
            raise Refused(Code.REQUEST_MALFORMED)
    return {name: given.get(name, [""])[0] for name in names}


def _refuse_packed(request: web.Request) -> None:
    """Refuse a packed body: a little of it would cost much (hazard 127)."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise Refused(
            Code.MEDIA_TYPE_UNSUPPORTED,
            "Send the body as it is, without `Content-Encoding`.",
            headers={"Accept-Encoding": "identity"},
        )


async def _bytes(request: web.Request) -> bytes:
    try:
        with patience.waiting(request):
            async with asyncio.timeout(BODY_TIMEOUT_S):
                return await request.read()
    except TimeoutError:
        detail = f"The body did not arrive within {BODY_TIMEOUT_S:g} seconds."
        raise Refused(Code.REQUEST_MALFORMED, detail) from None
    except web.HTTPRequestEntityTooLarge:
        raise Refused(Code.BODY_TOO_LARGE) from None
    except (web.RequestPayloadError, ConnectionError, ValueError):
        # Nobody may be there any more to read this, and it is no fault of ours.
        raise Refused(Code.REQUEST_MALFORMED) from None
