"""What a manifest says of apps whose accounts are not all at one address."""

import msgspec


class AddressFacts(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """How an app tells where an account's API is.

    Of no use where that is one address for all, or one that a person gives.
    """

    path: str
    """Asked with each new token, at the server of the token endpoint."""
    member: str
    """What the answer, an object of JSON, calls the address."""
    hosts: tuple[str, ...]
    """The address is at one of these hosts or below it, by https."""
    scheme: str = "Bearer"
    """What stands before the token where the address is asked for."""
    suffix: str = ""
    """Where the API is below that address."""
