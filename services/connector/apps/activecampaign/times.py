"""When a contact changed, as far as its times tell it."""

import datetime
from typing import Final

from services.connector import vendors
from services.connector.apps.activecampaign.wire import Contact

ZONE: Final = datetime.timedelta(hours=12)
"""Nowhere is it earlier than in UTC by more than this."""
_SAME: Final = datetime.timedelta(seconds=2)


def may_have_changed(contact: Contact, *, since: datetime.datetime) -> bool:
    """Say whether any of the times of a contact may be as late as this.

    In a sample (``GET /trackingLogs/{id}/contact``) ``updated_timestamp`` is days after
    ``udate``, and what is called UTC has the digits of the account's zone. So times
    without a zone count only where they are not those of ``udate``, and are then as
    late as they can be.
    """
    changed = vendors.read_moment(contact.udate)
    if changed is None or changed >= since:
        return True
    known = {_digits(contact.udate), changed.replace(tzinfo=None)}
    earliest = since.replace(tzinfo=None) - ZONE
    for text in (contact.updated, contact.updated_utc):
        moment = _digits(text)
        if moment is None or any(abs(moment - one) <= _SAME for one in known if one):
            continue
        if moment >= earliest:
            return True
    return False


def _digits(text: object) -> datetime.datetime | None:
    """Return a time as it is written, in whatever zone; None where it is none."""
    try:
        return datetime.datetime.fromisoformat(str(text)).replace(tzinfo=None)
    except ValueError:
        return None
