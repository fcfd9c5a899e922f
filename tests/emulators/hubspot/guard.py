"""The vendor's door: token, call limits, scope and content type.

Searches have a limit of their own, and their answers carry no figures of it.
"""

from tests.emulators.core.http import Call, Handler, Refusal, Reply, Router
from tests.emulators.core.limits import Limiter, Verdict
from tests.emulators.core.oauth import AuthorizationServer
from tests.emulators.hubspot import problems
from tests.emulators.hubspot.contacts import PATH

SEARCH = f"{PATH}/search"


class Guard:
    """Let a call through, or answer in its place."""

    def __init__(
        self, server: AuthorizationServer, limiter: Limiter, searches: Limiter
    ) -> None:
        self._server = server
        self._limiter = limiter
        self._searches = searches

    def __call__(self, call: Call) -> Reply | None:
        """Check a call; routes without a scope are open to everyone."""
        if call.route.scope is None:
            return None
        kind, _, token = call.headers.get("Authorization", "").partition(" ")
        grant = self._server.check(token) if kind.lower() == "bearer" else None
        if grant is None:
            return problems.plain(401)
        call.account_id = grant.account_id
        if refusal := self._refusal(call):
            return refusal
        if call.route.scope not in grant.scopes:
            return problems.plain(403)
        if call.body and call.content_type != "application/json":
            return problems.plain(415)
        return None

    def _refusal(self, call: Call) -> Reply | None:
        assert call.account_id is not None
        if call.route.template == SEARCH:
            if self._searches.admit(call.account_id) is not Verdict.ADMITTED:
                return problems.limited("SECONDLY")
            return None
        verdict = self._limiter.admit(call.account_id)
        if verdict is Verdict.ADMITTED:
            return None
        is_day = verdict is Verdict.EXHAUSTED
        policy = "DAILY" if is_day else "TEN_SECONDLY_ROLLING"
        return metered(problems.limited(policy), call, limiter=self._limiter)


class Metering(Router):
    """A router whose handlers' answers tell what is left of the limit."""

    def __init__(self, limiter: Limiter) -> None:
        super().__init__()
        self._limiter = limiter

    def add(
        self, method: str, template: str, handler: Handler, *, scope: str | None = None
    ) -> None:
        """Serve a method and path template with this handler."""

        def told(call: Call) -> Reply:
            try:
                reply = handler(call)
            except Refusal as refusal:
                reply = refusal.reply
            return metered(reply, call, limiter=self._limiter)

        is_told = scope is not None and template != SEARCH
        super().add(method, template, told if is_told else handler, scope=scope)


def metered(reply: Reply, call: Call, *, limiter: Limiter) -> Reply:
    """Return an answer with what is left of the limit, where there is one."""
    remaining = limiter.remaining(call.account_id or "")
    if remaining is None:
        return reply
    limits = limiter.limits
    interval_ms = int(limits.window_s * 1000)
    headers = (
        ("X-HubSpot-RateLimit-Max", str(limits.requests_per_window)),
        ("X-HubSpot-RateLimit-Remaining", str(remaining)),
        ("X-HubSpot-RateLimit-Interval-Milliseconds", str(interval_ms)),
    )
    return reply._replace(headers=headers)
