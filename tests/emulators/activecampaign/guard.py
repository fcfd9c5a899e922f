"""The vendor's door: a key in a header of its own, and five calls a second."""

from tests.emulators.activecampaign import problems
from tests.emulators.core import guard
from tests.emulators.core.http import Call, Reply
from tests.emulators.core.oauth import Grant


class Guard(guard.Guard):
    """Take keys, and tell what is left of the second."""

    def token_of(self, call: Call) -> str:
        """Return the key that a call came with."""
        return str(call.headers.get("Api-Token", ""))

    def stranger(self, _token: str) -> Reply:
        """Answer that a key is none; the vendor has one status for both."""
        return problems.plain(403)

    def limited(self, call: Call, grant: Grant) -> Reply | None:
        """Refuse what is too much, with the time until the next second."""
        refusal = super().limited(call, grant)
        if refusal is None:
            return None
        headers = (("Retry-After", "1"), ("RateLimit-Remaining", "0"))
        return refusal._replace(headers=headers)

    def carries_body(self, _call: Call) -> bool:
        """Take bodies of any type: only what is in them is looked at."""
        return False

    def told(self, reply: Reply, _call: Call) -> Reply:
        """Return an answer with the limit."""
        allowed = self._limiter.limits.requests_per_second
        if allowed is None:
            return reply
        header = ("RateLimit-Limit", str(allowed))
        return reply._replace(headers=(*reply.headers, header))
