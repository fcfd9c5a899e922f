"""The administration of vendor accounts: seed, look inside, act as a person, revoke.

Everything here sits under `/_emulator`, costs no limit and suffers no fault.
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from tests.emulators.core.host import ADMIN_PREFIX
from tests.emulators.core.http import Call, Reply, Router, json_reply
from tests.emulators.core.oauth import AuthorizationServer, Grant
from tests.emulators.dotloop import acts, bodies, problems
from tests.emulators.dotloop.account import Account
from tests.emulators.dotloop.wire import Seed

SEEDS_MAX = 100_000
JOURNAL_PAGE_MAX = 10_000
ACCOUNTS = f"{ADMIN_PREFIX}/accounts"


class NewAccount(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An account to open."""

    name: str


class TokenOrder(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Tokens wanted without walking through the consent page."""

    client_id: str


class Revocation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Tokens to kill."""

    tokens: Literal["all", "access"] = "all"


_new_account = bodies.reader(NewAccount)
_seeds = bodies.reader(list[Seed])
_acts = bodies.reader(acts.Acts)
_order = bodies.reader(TokenOrder)
_revocation = bodies.reader(Revocation)


class AccountAdmin:
    """Serve the administration of accounts."""

    def __init__(
        self,
        accounts: dict[str, Account],
        *,
        server: AuthorizationServer,
        scopes: frozenset[str],
        opener: Callable[[str], Account],
    ) -> None:
        self._accounts = accounts
        self._server = server
        self._scopes = scopes
        self._open = opener

    def register(self, router: Router) -> None:
        """Put the administration on its paths."""
        one = f"{ACCOUNTS}/{{account_id}}"
        router.add("GET", ACCOUNTS, self.list)
        router.add("POST", ACCOUNTS, self.open)
        router.add("GET", f"{one}/contacts", self.contacts)
        router.add("POST", f"{one}/contacts", self.seed)
        router.add("POST", f"{one}/acts", self.act)
        router.add("GET", f"{one}/journal", self.journal)
        router.add("POST", f"{one}/tokens", self.issue_tokens)
        router.add("POST", f"{one}/revoke", self.revoke)

    def list(self, _call: Call) -> Reply:
        """Return all accounts."""
        return json_reply([_shown(account) for account in self._accounts.values()])

    def open(self, call: Call) -> Reply:
        """Open one more account."""
        return json_reply(_shown(self._open(_new_account(call.body).name)), 201)

    def contacts(self, call: Call) -> Reply:
        """Return every contact of an account, and who wrote to it."""
        return json_reply([*self._account(call).contacts.values()])

    def seed(self, call: Call) -> Reply:
        """Put contacts into an account; their ids come back in the same order."""
        account = self._account(call)
        seeds = _seeds(call.body)
        if len(account.contacts) + len(seeds) > SEEDS_MAX:
            raise problems.invalid(f"An account holds {SEEDS_MAX} contacts at most")
        ids = [account.create(seed, who="seed").id for seed in seeds]
        return json_reply({"contact_ids": ids}, 201)

    def act(self, call: Call) -> Reply:
        """Do as people do, in the given order."""
        account = self._account(call)
        ids = [acts.perform(act, account) for act in _acts(call.body)]
        return json_reply({"contact_ids": ids})

    def journal(self, call: Call) -> Reply:
        """Return changes after a number, the oldest first."""
        after = call.query().get("after", "0")
        if not after.isascii() or not after.isdigit():
            raise problems.invalid("after does not have a valid value")
        lines = self._account(call).journal
        found = [line for line in lines if line.number > int(after)]
        return json_reply(found[:JOURNAL_PAGE_MAX])

    def issue_tokens(self, call: Call) -> Reply:
        """Give out tokens as if the person had just agreed."""
        body, account = _order(call.body), self._account(call)
        if body.client_id not in self._server.clients:
            raise problems.invalid("The client is not registered")
        grant = Grant(
            client_id=body.client_id,
            account_id=account.account_id,
            scopes=self._scopes,
        )
        return json_reply(self._server.issue(grant), 201)

    def revoke(self, call: Call) -> Reply:
        """Kill the tokens of an account."""
        body = _revocation(call.body or b"{}")
        account_id = self._account(call).account_id
        self._server.revoke(account_id, keep_refresh_tokens=body.tokens == "access")
        return Reply(204)

    def _account(self, call: Call) -> Account:
        account = self._accounts.get(call.args[0])
        if account is None:
            raise problems.missing()
        return account


def _shown(account: Account) -> dict[str, Any]:
    return {
        "account_id": account.account_id,
        "name": account.name,
        "contacts": len(account.contacts),
        "journal_number": account.journal[-1].number if account.journal else 0,
    }
