"""The vendor's door: token, call limits, scope and content type, in this order."""

from tests.emulators.constant_contact import problems
from tests.emulators.core.http import Call, Reply
from tests.emulators.core.limits import Limiter, Verdict
from tests.emulators.core.oauth import AuthorizationServer

_REFUSALS = {
    Verdict.THROTTLED: problems.THROTTLED,
    Verdict.EXHAUSTED: problems.QUOTA_EXCEEDED,
}


class Guard:
    """Let a call through, or answer in its place."""

    def __init__(self, server: AuthorizationServer, limiter: Limiter) -> None:
        self._server = server
        self._limiter = limiter

    def __call__(self, call: Call) -> Reply | None:
        """Check a call; routes without a scope are open to everyone."""
        if call.route.scope is None:
            return None
        kind, _, token = call.headers.get("Authorization", "").partition(" ")
        grant = self._server.check(token) if kind.lower() == "bearer" else None
        if grant is None:
            return problems.UNAUTHORIZED
        call.account_id = grant.account_id
        verdict = self._limiter.admit(grant.client_id)
        if verdict is not Verdict.ADMITTED:
            return _REFUSALS[verdict]
        if call.route.scope not in grant.scopes:
            return problems.plain(403)
        if call.method in ("POST", "PUT") and call.content_type != "application/json":
            return problems.plain(415)
        return None
