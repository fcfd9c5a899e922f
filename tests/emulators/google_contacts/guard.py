"""The vendor's door: each kind of call has a quota of its own, by user and minute."""

from collections.abc import Mapping

from tests.emulators.core import guard
from tests.emulators.core.http import Call, Reply
from tests.emulators.core.limits import Limiter, Verdict
from tests.emulators.core.oauth import AuthorizationServer, Grant
from tests.emulators.google_contacts import problems
from tests.emulators.google_contacts.asking import READ, WRITE
from tests.emulators.google_contacts.settings import MINUTE_S, Behaviour

PEOPLE, GROUPS, WRITES, FULL_SYNCS = "people", "groups", "writes", "full_syncs"
METRICS: Mapping[str, str] = {
    PEOPLE: "Critical read requests (Contact and Profile Reads)",
    GROUPS: "Read requests (Group Reads)",
    WRITES: "Write requests (Contact and Group Writes)",
    FULL_SYNCS: "Full sync requests",
}


class Guard(guard.Guard):
    """Count by user and kind."""

    def __init__(
        self,
        server: AuthorizationServer,
        limiters: Mapping[str, Limiter],
        behaviour: Behaviour,
    ) -> None:
        super().__init__(server, limiters[PEOPLE], problems.plain)
        self._limiters = limiters
        self._behaviour = behaviour

    def stranger(self, token: str) -> Reply:
        """Answer that a token is none."""
        reason = "ACCESS_TOKEN_EXPIRED" if token else "CREDENTIALS_MISSING"
        return problems.reply(401, details=[problems.info(reason)])

    def limited(self, call: Call, grant: Grant) -> Reply | None:
        """Count a call; the first page of a full listing counts twice."""
        kinds = [_kind(call)]
        if _is_full_sync(call):
            kinds.append(FULL_SYNCS)
        for kind in kinds:
            if self._limiters[kind].admit(grant.account_id) is not Verdict.ADMITTED:
                return self._exceeded(METRICS[kind])
        return None

    def is_in_scope(self, scope: str, grant: Grant) -> bool:
        """Who may write may read."""
        return bool(grant.scopes & ({WRITE, READ} if scope == READ else {scope}))

    def _exceeded(self, metric: str) -> Reply:
        is_old = self._behaviour.quota_status == 403
        pause = (("Retry-After", str(int(MINUTE_S))),)
        reason = "rateLimitExceeded" if is_old else "RATE_LIMIT_EXCEEDED"
        return problems.reply(
            self._behaviour.quota_status,
            message=f"Quota exceeded for quota metric '{metric}' per minute per user.",
            details=[problems.info(reason)],
            headers=pause if self._behaviour.tells_pause else (),
        )


def _kind(call: Call) -> str:
    if call.method != "GET":
        return WRITES
    return GROUPS if "contactGroups" in call.path else PEOPLE


def _is_full_sync(call: Call) -> bool:
    query = call.query()
    has_token = query.get("pageToken") or query.get("syncToken")
    return call.path.endswith("/connections") and not has_token
