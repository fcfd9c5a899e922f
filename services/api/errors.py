"""The api's exceptions, and what a problem says about one field."""

from collections.abc import Mapping
from typing import NamedTuple

from proto.errors import Retry


class Fault(NamedTuple):
    """What is wrong with one value of a request."""

    pointer: str
    """A JSON pointer into the body, or the name of a query parameter."""
    detail: str


class ApiError(Exception):
    """Base of what the api raises."""

    retry = Retry.NEVER


class Refused(ApiError):
    """A request that is not carried out; becomes a problem of this code."""

    def __init__(
        self,
        code: str,
        detail: str = "",
        *,
        faults: tuple[Fault, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(code)
        self.code = code
        self.detail = detail
        """Replaces the code's own sentence where there is more to say."""
        self.faults = faults
        self.headers = dict(headers or {})


class CannotOpen(ApiError):
    """A second factor is not as it was sealed, or its key is gone."""
