"""The vendor's door: calls within two seconds, and tokens of the day."""

from tests.emulators.core import guard
from tests.emulators.core.http import Call, Reply
from tests.emulators.core.limits import Limiter
from tests.emulators.core.oauth import AuthorizationServer, Grant
from tests.emulators.pipedrive import problems
from tests.emulators.pipedrive.persons import COST_ELSE, COSTS


class Guard(guard.Guard):
    """Count calls by company, and what each costs; tell what is left of both."""

    def __init__(
        self, server: AuthorizationServer, limiter: Limiter, budget: Limiter
    ) -> None:
        super().__init__(server, limiter, problems.plain)
        self._budget = budget

    def limited(self, call: Call, grant: Grant) -> Reply | None:
        """Count a call; answer if there were too many, or no tokens are left."""
        if (refusal := super().limited(call, grant)) is not None:
            return refusal
        cost = COSTS.get((call.method, call.route.template), COST_ELSE)
        left = self._left(grant.account_id)
        if left is not None and left < cost:
            return problems.plain(429)
        for _ in range(cost):
            self._budget.admit(grant.account_id)
        return None

    def is_in_scope(self, scope: str, grant: Grant) -> bool:
        """Who may do everything to contacts may read them, too."""
        wider = scope.replace(":read", ":full")
        return bool(grant.scopes & {scope, wider})

    def told(self, reply: Reply, call: Call) -> Reply:
        """Return an answer with what is left of the limits."""
        company = call.account_id or ""
        headers: tuple[tuple[str, str], ...] = ()
        if (calls := self._limiter.remaining(company)) is not None:
            reset = max(1, round(self._limiter.resets_in_s(company)))
            headers = (
                ("x-ratelimit-limit", str(self._limiter.limits.requests_per_window)),
                ("x-ratelimit-remaining", str(calls)),
                ("x-ratelimit-reset", str(reset)),
            )
        if (left := self._left(company)) is not None:
            is_refused = reply.status == 429 and calls != 0
            told = 0 if is_refused else left
            headers = (*headers, ("x-daily-requests-left", str(told)))
        return reply._replace(headers=(*reply.headers, *headers))

    def _left(self, company: str) -> int | None:
        allowed = self._budget.limits.requests_per_day
        if allowed is None:
            return None
        return max(0, allowed - self._budget.used_today().get(company, 0))
