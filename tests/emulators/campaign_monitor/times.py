"""The vendor's notation of times: in the account's zone, which it does not say."""

import datetime

from tests.emulators.campaign_monitor import problems

_FORMS = ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S")


def shown(at_s: float, *, utc_offset_h: float) -> str:
    """Return a time as answers tell it: whole minutes."""
    moment = datetime.datetime.fromtimestamp(at_s + utc_offset_h * 3600, datetime.UTC)
    return moment.strftime("%Y-%m-%d %H:%M:00")


def read(text: str, *, utc_offset_h: float) -> float:
    """Return the time that a listing is asked for; a day begins at midnight."""
    for form in _FORMS:
        try:
            moment = datetime.datetime.strptime(text, form).replace(tzinfo=datetime.UTC)
        except ValueError:
            continue
        return moment.timestamp() - utc_offset_h * 3600
    raise problems.refused(problems.INVALID_DATE)
