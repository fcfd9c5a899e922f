"""The door that vendors share: token, call limit, scope and content type, in order."""

from collections.abc import Callable

from tests.emulators.core.http import Call, Reply
from tests.emulators.core.limits import Limiter, Verdict
from tests.emulators.core.oauth import AuthorizationServer, Grant

BODY_METHODS = frozenset({"POST", "PUT", "PATCH"})


class Guard:
    """Let a call through, or answer in its place; a vendor overrides what differs.

    Args:
        plain: Answers with a status in the vendor's words.
    """

    def __init__(
        self,
        server: AuthorizationServer,
        limiter: Limiter,
        plain: Callable[[int], Reply],
    ) -> None:
        self._server = server
        self._limiter = limiter
        self._plain = plain

    def __call__(self, call: Call) -> Reply | None:
        """Check a call; routes without a scope are open to everyone."""
        scope = call.route.scope
        if scope is None:
            return None
        token = self.token_of(call)
        grant = self._server.check(token)
        if grant is None:
            return self.stranger(token)
        call.account_id = grant.account_id
        if (refusal := self.limited(call, grant)) is not None:
            return self.told(refusal, call)
        if not self.is_in_scope(scope, grant):
            return self._plain(403)
        if self.carries_body(call) and call.content_type != "application/json":
            return self._plain(415)
        return None

    def token_of(self, call: Call) -> str:
        """Return the access token that a call came with; empty: none."""
        kind, _, token = call.headers.get("Authorization", "").partition(" ")
        return token if kind.lower() == "bearer" else ""

    def stranger(self, _token: str) -> Reply:
        """Answer that a token is none."""
        return self._plain(401)

    def limited(self, _call: Call, grant: Grant) -> Reply | None:
        """Count a call of the account; answer if there were too many."""
        verdict = self._limiter.admit(grant.account_id)
        return None if verdict is Verdict.ADMITTED else self._plain(429)

    def is_in_scope(self, scope: str, grant: Grant) -> bool:
        """Tell whether a grant covers what a route needs."""
        return scope in grant.scopes

    def carries_body(self, call: Call) -> bool:
        """Tell whether a call has to be in JSON."""
        return call.method in BODY_METHODS

    def told(self, reply: Reply, _call: Call) -> Reply:
        """Return an answer with what the vendor tells of its limits."""
        return reply
