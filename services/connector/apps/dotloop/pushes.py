"""What Dotloop pushes: events of one user, signed with the subscription's key.

Signed are time and body, with a point between. That is what clients in use say; the
guide names the headers and the algorithm (https://dotloop.github.io/public-api).
"""

from typing import Final

from services.connector import vendors
from services.connector.port import Heard, Push

_SIGNATURE: Final = "x-dotloop-signature"
_STAMP: Final = "x-dotloop-timestamp"


def hear(push: Push, *, secret: bytes) -> Heard | None:
    """Return when it was signed; None where the secret did not sign it."""
    stamp = push.headers.get(_STAMP, "")
    sent_at = vendors.read_stamp(stamp)
    if sent_at is None:
        return None
    text = stamp.encode() + b"." + push.body
    signed = vendors.sign(secret, text, algorithm="sha1").hex()
    if not vendors.is_same(push.headers.get(_SIGNATURE, ""), signed):
        return None
    return Heard(sent_at=sent_at)
