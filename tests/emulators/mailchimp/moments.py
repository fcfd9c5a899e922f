"""Moments in questions: ISO 8601, compared by whole seconds."""

import datetime
from collections.abc import Mapping

from tests.emulators.core.clock import stamp as second
from tests.emulators.mailchimp.problems import Fault, invalid
from tests.emulators.mailchimp.wire import stamp


def read_moment(query: Mapping[str, str], name: str) -> str:
    """Return a moment of a question in the notation of answers; empty: none."""
    text = query.get(name, "")
    if not text:
        return ""
    try:
        moment = datetime.datetime.fromisoformat(text)
    except ValueError:
        fault = Fault(name, "This value is not a valid datetime.")
        raise invalid("The resource submitted could not be validated.", fault) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=datetime.UTC)
    return stamp(second(int(moment.timestamp())))
