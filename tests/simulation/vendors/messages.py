"""A request on its way to a vendor, and the response to it."""

import msgspec

from proto.ids import RecordId
from tests.fakes.loop import Life


class Request(msgspec.Struct, kw_only=True):
    """One HTTP request as the vendor sees it."""

    method: str
    path: str
    query: dict[str, list[str]] = {}
    headers: dict[str, str] = {}
    """Names in lower case."""
    body: bytes = b""
    form: dict[str, str] = {}
    """The body of a form, where it is one."""
    sent_at: float = 0.0
    """The true time when it left; the vendor knows only when it arrived."""
    sender: Life | None = None
    """The process that waits for the answer, where somebody wants to know."""
    errand: int = 0
    """Which task has it sent, each call by a task of its own: what a write is based on
    was read for the same one."""
    is_doubled: bool = False
    """It was sent once, and the network has brought it a second time."""

    def first(self, name: str, default: str = "") -> str:
        """Return the first value of a parameter."""
        return self.query.get(name, [default])[0]


class Response(msgspec.Struct, kw_only=True):
    """One HTTP response."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = {}
    account: str = ""
    """Whose records it tells of."""
    told: dict[RecordId, float] = {}
    """What it tells of records, or that they are gone: as of when it is so."""


_encoder = msgspec.json.Encoder()


def answer(status: int, value: object, **headers: str) -> Response:
    """Return a response with a JSON body."""
    return Response(
        status=status,
        body=_encoder.encode(value),
        headers={"Content-Type": "application/json", **headers},
    )
