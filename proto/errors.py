"""Error codes that cross the bus, and the reply that carries one.

A code is for programs; the words a person reads are made from it by the api.
"""

import enum
from typing import Self

from proto.base import Reply


class Retry(enum.StrEnum):
    """When trying the same thing again can help."""

    NEVER = "never"
    LATER = "later"
    AFTER_REAUTH = "after_reauth"

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("never")


class ErrorCode(enum.StrEnum):
    """What went wrong, as far as another service can act on it."""

    UNKNOWN = "unknown"
    MALFORMED = "malformed"
    NOT_FOUND = "not_found"
    ALREADY_EXISTS = "already_exists"
    INVALID = "invalid"
    NOT_ALLOWED_NOW = "not_allowed_now"
    """The object is in a state that does not take this command."""
    UNKNOWN_APP = "unknown_app"
    ACCOUNT_LOST = "account_lost"
    """The app no longer accepts our authorisation: a person has to give it again."""
    ACCOUNT_MISMATCH = "account_mismatch"
    """Authorised, but at another account of the app than before."""
    CREDENTIALS_REFUSED = "credentials_refused"
    CLIENT_MISSING = "client_missing"
    """No client id and secret are stored for this app."""
    CLIENT_REFUSED = "client_refused"
    """The app does not accept the client id and secret stored for it."""
    AUTHORISATION_EXPIRED = "authorisation_expired"
    """The authorisation was begun too long ago, elsewhere, or already used."""
    AUTHORISATION_DENIED = "authorisation_denied"
    APP_UNREACHABLE = "app_unreachable"
    ADDRESS_REFUSED = "address_refused"
    """The address is in a private network, or not https, and nobody allowed it."""
    APP_BROKEN = "app_broken"
    """The app answered with something that is not what it documents."""
    APP_REFUSED = "app_refused"
    """The app understood and said no, for a reason of its own."""
    VALUE_REFUSED = "value_refused"
    """The app does not accept one of the values."""
    RATE_LIMITED = "rate_limited"
    QUOTA_EXHAUSTED = "quota_exhausted"
    SERVICE_UNAVAILABLE = "service_unavailable"
    LIMIT_REACHED = "limit_reached"

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class ErrorReply(Reply, frozen=True, kw_only=True):
    """The reply to any command that could not be done."""

    code: ErrorCode
    detail: str = ""
    """A sentence for a person, without contact values and without vendor wording."""
    retry: Retry = Retry.NEVER
    field: str = ""
    """The command's field at fault, where there is one; with a slash in front, a JSON
    pointer into its settings."""
