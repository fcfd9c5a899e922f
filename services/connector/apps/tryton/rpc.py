"""Calls of the server's methods, and what its answers and errors mean."""

import datetime
import enum
from collections.abc import Mapping
from typing import Any, Final, TypeVar

import msgspec
from msgspec import UNSET

from proto import codec
from services.connector import vendors
from services.connector.apps.tryton import wire
from services.connector.errors import CallFailed, Meaning
from services.connector.port import ANSWER_BYTES_MAX, Answer, Call, Operation

T = TypeVar("T")
PARTY: Final = "model.party.party"
ALL: Final = {"active_test": False}
"""The context in which what is deactivated is found, too; each call has one."""
MINUTE_S: Final = 60.0


class Refusal(enum.Enum):
    """Why the server did nothing."""

    MOVED = enum.auto()
    """One of the records is no longer as it was read."""
    USER = enum.auto()
    """A value, or the user's rights, stand against it; it says so in words."""


_REFUSALS: Final = {
    "ConcurrencyException": Refusal.MOVED,
    "UserError": Refusal.USER,
    "UserWarning": Refusal.USER,
}


class Done(msgspec.Struct, frozen=True):
    """The server did it; the result is its own JSON."""

    result: msgspec.Raw
    at: datetime.datetime | None
    """The server's clock."""

    def decode(self, into: type[T]) -> T:
        """Return the result.

        Raises:
            CallFailed: It is not what the server documents.
        """
        try:
            return codec.decode(bytes(self.result), into, bytes_max=ANSWER_BYTES_MAX)
        except codec.Undecodable as err:
            raise CallFailed(Meaning.BROKEN, f"undecodable result: {err}") from err


def call(
    method: str,
    *params: object,
    context: Mapping[str, object] = ALL,
    is_write: bool = False,
) -> Operation[Done | Refusal]:
    """Call a method; the server undoes all of a call that it does not finish."""
    # An answer is an error with status 200 only where these three are all there is.
    body = {"id": 1, "method": method, "params": [*params, context]}
    answer = yield Call(
        method="POST", path="/rpc/", body=codec.encode(body), is_write=is_write
    )
    reply = answer.decode(wire.Reply)
    if reply.error is not UNSET and reply.error:
        refusal = _REFUSALS.get(str(reply.error[0]))
        if refusal is None:
            raise CallFailed(Meaning.BROKEN, "the server failed at it")
        return refusal
    if reply.result is UNSET:
        raise CallFailed(Meaning.BROKEN, "an answer without a result")
    return Done(reply.result, vendors.clock_of(answer.headers))


def search(
    model: str, domain: list[Any], *, limit: int | None, fields: tuple[str, ...]
) -> Operation[Done]:
    """Read the records that a domain finds, by their ids.

    Raises:
        CallFailed: The user may not read them, or the answer is none.
    """
    order = [["id", "ASC"]]
    done = yield from call(f"{model}.search_read", domain, 0, limit, order, fields)
    if isinstance(done, Refusal):
        raise CallFailed(Meaning.FORBIDDEN, "the user may not read this")
    return done


def meaning_of(answer: Answer) -> CallFailed:
    """Say what an answer means whose status is not 200."""
    if failed := vendors.meaning_of_server(answer.status):
        return failed
    if answer.status == 429:
        # After some wrong passwords, whoever sent them.
        wait_s = None if "retry-after" in answer.headers else MINUTE_S
        return CallFailed(
            Meaning.RATE_LIMITED, "too many tries to log in", retry_after_s=wait_s
        )
    if answer.status in (401, 403):
        return vendors.meaning_of_word(answer.status)
    detail = f"status {answer.status} of something that is not the server"
    return CallFailed(Meaning.BROKEN, detail)
