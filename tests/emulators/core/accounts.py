"""The administration of vendor accounts: seed, look inside, act as a person, revoke.

Everything here sits under `/_emulator`, costs no limit and suffers no fault. A vendor
says what a seed and an act are, and does them.
"""

import abc
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Generic, Literal, TypeVar

import msgspec

from tests.emulators.core.account import Account
from tests.emulators.core.admin import refused
from tests.emulators.core.bodies import reader
from tests.emulators.core.host import ADMIN_PREFIX
from tests.emulators.core.http import Call, Reply, Router, json_reply
from tests.emulators.core.oauth import AuthorizationServer, Grant

A = TypeVar("A", bound=Account[Any])
SEEDS_MAX = 100_000
ACTS_MAX = 10_000
JOURNAL_PAGE_MAX = 10_000
ACCOUNTS = f"{ADMIN_PREFIX}/accounts"


class NewAccount(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """An account to open."""

    name: str


class TokenOrder(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Tokens wanted without walking through the consent page."""

    client_id: str
    scopes: tuple[str, ...] = ()
    """None: those that the vendor's applications usually have."""


class Revocation(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """Tokens to kill."""

    tokens: Literal["all", "access"] = "all"


_order = reader(TokenOrder, refused)
_revocation = reader(Revocation, refused)


class AccountAdmin(abc.ABC, Generic[A]):
    """Serve the administration of accounts; the last five methods are a vendor's."""

    new_kind: type[NewAccount] = NewAccount
    seed_kind: Any
    act_kind: Any

    def __init__(
        self,
        accounts: dict[str, A],
        *,
        server: AuthorizationServer,
        scopes: frozenset[str],
        opener: Callable[[str], A],
    ) -> None:
        self._accounts = accounts
        self._server = server
        self._scopes = scopes
        self._open = opener
        self._new_account = reader(self.new_kind, refused)
        self._seeds = reader(list[self.seed_kind], refused)
        many: Any = Annotated[list[self.act_kind], msgspec.Meta(max_length=ACTS_MAX)]
        self._acts = reader(many, refused)

    def register(self, router: Router) -> None:
        """Put the administration on its paths."""
        one = f"{ACCOUNTS}/{{account_id}}"
        router.add("GET", ACCOUNTS, self.list)
        router.add("POST", ACCOUNTS, self.open)
        router.add("GET", one, self.show)
        router.add("GET", f"{one}/contacts", self.contacts)
        router.add("POST", f"{one}/contacts", self.seed)
        router.add("POST", f"{one}/acts", self.act)
        router.add("GET", f"{one}/journal", self.journal)
        router.add("POST", f"{one}/tokens", self.issue_tokens)
        router.add("POST", f"{one}/revoke", self.revoke)

    def list(self, _call: Call) -> Reply:
        """Return all accounts."""
        return json_reply([self._shown(account) for account in self._accounts.values()])

    def open(self, call: Call) -> Reply:
        """Open one more account."""
        order = self._new_account(call.body)
        account = self._open(order.name)
        self.settle(account, order)
        return json_reply(self._shown(account), 201)

    def show(self, call: Call) -> Reply:
        """Return one account."""
        return json_reply(self._shown(self._account(call)))

    def contacts(self, call: Call) -> Reply:
        """Return every contact of an account, and who wrote to it."""
        return json_reply(self.contacts_of(self._account(call)))

    def seed(self, call: Call) -> Reply:
        """Put contacts into an account; their ids come back in the same order."""
        ids = self.fill(self._account(call), call.body)
        return json_reply({"contact_ids": ids}, 201)

    def act(self, call: Call) -> Reply:
        """Do as people do, in the given order."""
        ids = self.do(self._account(call), call.body)
        return json_reply({"contact_ids": ids})

    def journal(self, call: Call) -> Reply:
        """Return changes after a number, the oldest first."""
        after = call.query().get("after", "0")
        if not after.isascii() or not after.isdigit():
            raise refused("after does not have a valid value")
        lines = self._account(call).journal
        found = [line for line in lines if line.number > int(after)]
        return json_reply(found[:JOURNAL_PAGE_MAX])

    def issue_tokens(self, call: Call) -> Reply:
        """Give out tokens as if the person had just agreed."""
        body, account = _order(call.body), self._account(call)
        if body.client_id not in self._server.clients:
            raise refused("The client is not registered")
        grant = Grant(
            client_id=body.client_id,
            account_id=account.account_id,
            scopes=frozenset(body.scopes) or self._scopes,
        )
        return json_reply(self._server.issue(grant), 201)

    def revoke(self, call: Call) -> Reply:
        """Kill the tokens of an account."""
        body = _revocation(call.body or b"{}")
        account_id = self._account(call).account_id
        self._server.revoke(account_id, keep_refresh_tokens=body.tokens == "access")
        return Reply(204)

    def fill(self, account: A, seeds: bytes) -> Sequence[str | int]:
        """Seed an account with a JSON array; return the ids in its order."""
        found = self._seeds(seeds)
        if len(self.contacts_of(account)) + len(found) > SEEDS_MAX:
            raise refused(f"An account holds {SEEDS_MAX} contacts at most")
        return [self.put(account, seed) for seed in found]

    def do(self, account: A, acts: bytes) -> Sequence[str | int]:
        """Do a JSON array of acts; return the ids of whom they concerned."""
        return [self.perform(account, act) for act in self._acts(acts)]

    def _account(self, call: Call) -> A:
        account = self._accounts.get(call.args[0])
        if account is None:
            raise refused("There is no such account", 404)
        return account

    def _shown(self, account: A) -> dict[str, object]:
        return {
            "account_id": account.account_id,
            "name": account.name,
            **self.figures(account),
            "journal_number": account.journal[-1].number if account.journal else 0,
        }

    def settle(self, account: A, order: Any) -> None:
        """Give a new account what else was ordered."""

    @abc.abstractmethod
    def put(self, account: A, seed: Any) -> str | int:
        """Put one contact into an account; return its id."""

    @abc.abstractmethod
    def perform(self, account: A, act: Any) -> str | int:
        """Do one act; return the id of the contact that it leaves."""

    @abc.abstractmethod
    def contacts_of(self, account: A) -> Sequence[object]:
        """Return every contact as an administrator sees it."""

    @abc.abstractmethod
    def figures(self, account: A) -> dict[str, object]:
        """Return an account in figures."""
