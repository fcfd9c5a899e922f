"""What Dotloop pushes: events of one user, signed with the subscription's key.

Signed are time and body, with a point between. That is what clients in use say; the
guide names the headers and the algorithm (https://dotloop.github.io/public-api), and a
client in use goes by others (https://github.com/mpittsie4/Hubspot-dotloop).
"""

from typing import Final

from services.connector import vendors
from services.connector.port import Heard, Push

_STARTS: Final = ("x-dotloop-", "x-dotloop-webhook-")


def hear(push: Push, *, secret: bytes) -> Heard | None:
    """Return when it was signed; None where the secret did not sign it."""
    told = (_told(push, start, secret=secret) for start in _STARTS)
    return next(filter(None, told), None)


def _told(push: Push, start: str, *, secret: bytes) -> Heard | None:
    """Return when headers with such names say it was, if they prove it."""
    stamp = push.headers.get(f"{start}timestamp", "")
    sent_at = vendors.read_stamp(stamp)
    if sent_at is None:
        return None
    text = stamp.encode() + b"." + push.body
    signed = vendors.sign(secret, text, algorithm="sha1").hex()
    if not vendors.is_same(push.headers.get(f"{start}signature", ""), signed):
        return None
    return Heard(sent_at=sent_at)
