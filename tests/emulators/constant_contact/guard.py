"""The vendor's door: an application's limits, and two ways of having used them up."""

from tests.emulators.constant_contact import problems
from tests.emulators.core import guard
from tests.emulators.core.http import Call, Reply
from tests.emulators.core.limits import Verdict
from tests.emulators.core.oauth import Grant

_REFUSALS = {
    Verdict.THROTTLED: problems.THROTTLED,
    Verdict.EXHAUSTED: problems.QUOTA_EXCEEDED,
}


class Guard(guard.Guard):
    """Count by application, whichever accounts it calls for."""

    def limited(self, _call: Call, grant: Grant) -> Reply | None:
        """Count a call; answer if there were too many."""
        return _REFUSALS.get(self._limiter.admit(grant.client_id))
