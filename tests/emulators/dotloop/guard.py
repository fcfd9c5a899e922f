"""The vendor's door: whose limit it is, what scopes cover, and what answers tell."""

from tests.emulators.core import guard
from tests.emulators.core.clock import Clock
from tests.emulators.core.http import Call, Reply
from tests.emulators.core.limits import Limiter
from tests.emulators.core.oauth import AuthorizationServer, Grant
from tests.emulators.dotloop import problems
from tests.emulators.dotloop.settings import Behaviour


class Guard(guard.Guard):
    """Count by user, whichever applications call; tell what is left of the minute."""

    def __init__(
        self,
        server: AuthorizationServer,
        limiter: Limiter,
        *,
        clock: Clock,
        behaviour: Behaviour,
    ) -> None:
        super().__init__(server, limiter, problems.plain)
        self._clock = clock
        self._behaviour = behaviour

    def stranger(self, token: str) -> Reply:
        """Answer with the token, as the vendor does."""
        return problems.invalid_token(token)

    def is_in_scope(self, scope: str, grant: Grant) -> bool:
        """A star covers every right to a thing."""
        return bool(grant.scopes & {scope, scope.partition(":")[0] + ":*"})

    def told(self, reply: Reply, call: Call) -> Reply:
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
