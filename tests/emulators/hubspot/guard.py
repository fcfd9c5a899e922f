"""The vendor's door: searches have a limit of their own, of which no answer tells."""

from tests.emulators.core import guard
from tests.emulators.core.http import Call, Reply
from tests.emulators.core.limits import Limiter, Verdict
from tests.emulators.core.oauth import AuthorizationServer, Grant
from tests.emulators.hubspot import problems
from tests.emulators.hubspot.contacts import PATH

SEARCH = f"{PATH}/search"


class Guard(guard.Guard):
    """Count by account; tell what is left of ten seconds."""

    def __init__(
        self, server: AuthorizationServer, limiter: Limiter, searches: Limiter
    ) -> None:
        super().__init__(server, limiter, problems.plain)
        self._searches = searches

    def limited(self, call: Call, grant: Grant) -> Reply | None:
        """Count a call; answer by which policy there were too many."""
        is_search = call.route.template == SEARCH
        limiter = self._searches if is_search else self._limiter
        verdict = limiter.admit(grant.account_id)
        if verdict is Verdict.ADMITTED:
            return None
        is_day = verdict is Verdict.EXHAUSTED
        ours = "DAILY" if is_day else "TEN_SECONDLY_ROLLING"
        return problems.limited("SECONDLY" if is_search else ours)

    def carries_body(self, call: Call) -> bool:
        """Only what there is has to be in JSON."""
        return bool(call.body)

    def told(self, reply: Reply, call: Call) -> Reply:
        """Return an answer with what is left of the limit, where there is one."""
        remaining = self._limiter.remaining(call.account_id or "")
        if remaining is None or call.route.template == SEARCH:
            return reply
        limits = self._limiter.limits
        interval_ms = int(limits.window_s * 1000)
        headers = (
            ("X-HubSpot-RateLimit-Max", str(limits.requests_per_window)),
            ("X-HubSpot-RateLimit-Remaining", str(remaining)),
            ("X-HubSpot-RateLimit-Interval-Milliseconds", str(interval_ms)),
        )
        return reply._replace(headers=headers)
