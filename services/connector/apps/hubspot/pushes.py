"""What HubSpot pushes: events of all accounts of one application, signed (v3).

Signed are method, address, body and time, with the client's secret:
https://developers.hubspot.com/changelog/introducing-version-3-of-webhook-signatures
"""

import base64
from typing import Final

from proto import codec
from services.connector import vendors
from services.connector.apps.hubspot import wire
from services.connector.port import Heard, Push

_SIGNATURE: Final = "x-hubspot-signature-v3"
_STAMP: Final = "x-hubspot-request-timestamp"
_BODY_BYTES_MAX: Final = 1024 * 1024


def hear(push: Push, *, secret: bytes) -> Heard | None:
    """Return whose records changed; None where the secret did not sign it."""
    stamp = push.headers.get(_STAMP, "")
    sent_at = vendors.read_stamp(stamp, per_second=1000)
    if sent_at is None:
        return None
    told = f"{push.method}{push.url}".encode(errors="replace")
    text = told + push.body + stamp.encode()
    signed = base64.b64encode(vendors.sign(secret, text)).decode()
    if not vendors.is_same(push.headers.get(_SIGNATURE, ""), signed):
        return None
    return Heard(vendor_account_ids=_portals(push.body), sent_at=sent_at)


def _portals(body: bytes) -> tuple[str, ...]:
    try:
        events = codec.decode(body, tuple[wire.Event, ...], bytes_max=_BODY_BYTES_MAX)
    except codec.Undecodable:
        # HubSpot's own, and nothing that we know: sent again it would be the same.
        return ()
    return tuple({str(event.portal_id): None for event in events})
