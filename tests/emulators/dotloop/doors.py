"""The authorize and token endpoints, in this vendor's ways."""

from collections.abc import Iterable, Mapping

from tests.emulators.core import consent
from tests.emulators.core.access import Access, Dialect
from tests.emulators.core.http import Call, Reply, Router, html_reply
from tests.emulators.core.oauth import AuthorizationServer
from tests.emulators.dotloop.account import Account

VENDOR = "Dotloop"
AUTHORIZE_PATH = "/oauth/authorize"
TOKEN_PATH = "/oauth/token"
SCOPES = frozenset("account:read profile:* loop:* contact:* template:read".split())
"""What a client may do is agreed on when it is registered."""


class Doors:
    """Let people in, and send them back, or not."""

    def __init__(
        self, server: AuthorizationServer, accounts: Mapping[str, Account]
    ) -> None:
        self._accounts = accounts
        self._access = Access(
            server,
            vendor=VENDOR,
            scopes=SCOPES,
            accounts=self._names,
            dialect=Dialect(scope_separator=", ", default_scopes=SCOPES),
        )

    def register(self, router: Router) -> None:
        """Put the endpoints on their paths."""
        router.add("GET", AUTHORIZE_PATH, self._access.show_consent)
        router.add("POST", AUTHORIZE_PATH, self.decide)
        router.add("POST", TOKEN_PATH, self._access.give_tokens)

    def decide(self, call: Call) -> Reply:
        """Take a decision; who denies goes back only where that was asked for."""
        reply = self._access.decide(call)
        is_denied = "error=access_denied" in (reply.location or "")
        if is_denied and call.form().get("redirect_on_deny") != "true":
            page = consent.refusal_page(vendor=VENDOR, reason="You may close this.")
            return html_reply(page)
        return reply

    def _names(self) -> Iterable[tuple[str, str]]:
        return [(one.account_id, one.name) for one in self._accounts.values()]
