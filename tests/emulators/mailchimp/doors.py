"""What tells at which data centre a token's account is, beside the OAuth endpoints."""

from collections.abc import Callable

from tests.emulators.core.http import Call, Reply, Router, json_reply
from tests.emulators.core.oauth import AuthorizationServer
from tests.emulators.mailchimp import problems
from tests.emulators.mailchimp.account import Account

AUTHORIZE_PATH = "/oauth2/authorize"
TOKEN_PATH = "/oauth2/token"
METADATA_PATH = "/oauth2/metadata"


class Metadata:
    """Serve the metadata of tokens."""

    def __init__(
        self,
        server: AuthorizationServer,
        accounts: dict[str, Account],
        *,
        url: Callable[[], str],
    ) -> None:
        self._server = server
        self._accounts = accounts
        self._url = url

    def register(self, router: Router) -> None:
        """Put it on its path."""
        router.add("GET", METADATA_PATH, self.show)

    def show(self, call: Call) -> Reply:
        """Return where an account is; the token's scheme is a word of its own."""
        scheme, _, token = call.headers.get("Authorization", "").partition(" ")
        grant = self._server.check(token) if scheme == "OAuth" else None
        if grant is None:
            return problems.plain(401)
        account = self._accounts[grant.account_id]
        body = {
            "dc": "us19",
            "role": "owner",
            "accountname": account.name,
            "user_id": 17,
            "login": {"email": "owner@example.com", "login_id": 17},
            "login_url": self._url(),
            "api_endpoint": self._url(),
        }
        return json_reply(body)
