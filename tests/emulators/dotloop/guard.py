"""The vendor's door: token, call limit, scope and content type, in this order."""

from tests.emulators.core.clock import Clock
from tests.emulators.core.http import Call, Handler, Reply, Router
from tests.emulators.core.limits import Limiter, Verdict
from tests.emulators.core.oauth import AuthorizationServer
from tests.emulators.dotloop import problems
from tests.emulators.dotloop.settings import Behaviour


class Guard:
    """Let a call through, or answer in its place."""

    def __init__(
        self,
        server: AuthorizationServer,
        limiter: Limiter,
        *,
        clock: Clock,
        behaviour: Behaviour,
    ) -> None:
        self._server = server
        self._limiter = limiter
        self._clock = clock
        self._behaviour = behaviour

    def __call__(self, call: Call) -> Reply | None:
        """Check a call; routes without a scope are open to everyone."""
        scope = call.route.scope
        if scope is None:
            return None
        kind, _, token = call.headers.get("Authorization", "").partition(" ")
        grant = self._server.check(token) if kind.lower() == "bearer" else None
        if grant is None:
            return problems.invalid_token(token)
        call.account_id = grant.account_id
        # The limit is a user's, whichever applications call.
        if self._limiter.admit(grant.account_id) is not Verdict.ADMITTED:
            return self.counted(problems.plain(429), call)
        if not grant.scopes & {scope, scope.partition(":")[0] + ":*"}:
            return problems.plain(403)
        if call.method in ("POST", "PATCH") and call.content_type != "application/json":
            return problems.plain(415)
        return None

    def counted(self, reply: Reply, call: Call) -> Reply:
        """Return an answer with what is left of the minute."""
        user = call.account_id or ""
        left = self._limiter.remaining(user)
        if left is None:
            return reply
        reset_s = self._limiter.resets_in_s(user)
        if self._behaviour.reset == "epoch":
            reset = int(self._clock.now() + reset_s)
        else:
            reset = int(reset_s * 1000)
        headers = (
            ("X-RateLimit-Limit", str(self._limiter.limits.requests_per_window)),
            ("X-RateLimit-Remaining", str(left)),
            ("X-RateLimit-Reset", str(reset)),
        )
        return reply._replace(headers=(*reply.headers, *headers))


class CountedRouter(Router):
    """Routes whose answers tell what is left of the minute."""

    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._guard = guard

    def add(
        self, method: str, template: str, handler: Handler, *, scope: str | None = None
    ) -> None:
        """Serve a method and path template; behind the door, with the headers."""

        def counted(call: Call) -> Reply:
            return self._guard.counted(handler(call), call)

        super().add(method, template, counted if scope else handler, scope=scope)
