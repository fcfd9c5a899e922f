"""The administration of vendor accounts: seed, look inside, act as a person, revoke.

Everything here sits under `/_emulator`, costs no limit and suffers no fault.
"""

from collections.abc import Callable
from typing import Annotated, Any, Literal, TypeVar

from msgspec import Meta, Struct

from tests.emulators.core.host import ADMIN_PREFIX
from tests.emulators.core.http import Call, Reply, Router, json_reply
from tests.emulators.core.oauth import AuthorizationServer, Grant
from tests.emulators.hubspot import bodies, problems
from tests.emulators.hubspot.account import Account
from tests.emulators.hubspot.writing import Writer

T = TypeVar("T")
SEEDS_MAX = 100_000
ACCOUNTS = f"{ADMIN_PREFIX}/accounts"


class NewAccount(Struct, kw_only=True, forbid_unknown_fields=True):
    """An account to open."""

    name: str


class TokenOrder(Struct, kw_only=True, forbid_unknown_fields=True):
    """Tokens wanted without walking through the consent page."""

    client_id: str
    scopes: tuple[str, ...]


class Revocation(Struct, kw_only=True, forbid_unknown_fields=True):
    """Tokens to kill."""

    tokens: Literal["all", "access"] = "all"


class Act(Struct, kw_only=True, forbid_unknown_fields=True):
    """What somebody does in the vendor's own pages, or follows a link in a mail for."""

    act: Literal["create", "edit", "archive", "restore", "merge", "unsubscribe"]
    contact_id: str = ""
    other_id: str = ""
    """Who is merged into the first."""
    properties: dict[str, str] = {}


_new_account = bodies.reader(NewAccount)
_seeds = bodies.reader(list[dict[str, str]])
_Acts: Any = Annotated[list[Act], Meta(max_length=10_000)]
_acts: Callable[[bytes], list[Act]] = bodies.reader(_Acts)
_order = bodies.reader(TokenOrder)
_revocation = bodies.reader(Revocation)


class AccountAdmin:
    """Serve the administration of accounts."""

    def __init__(
        self,
        accounts: dict[str, Account],
        *,
        server: AuthorizationServer,
        opener: Callable[[str], Account],
    ) -> None:
        self._accounts = accounts
        self._server = server
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
        """Return every contact of an account, archived and merged ones too."""
        return json_reply(
            [
                {
                    "contact_id": one.contact_id,
                    "properties": one.properties,
                    "is_archived": one.archived_ms is not None,
                    "merged_into": one.merged_into and str(one.merged_into),
                    "last_writer": one.last_writer,
                    "api_writes": one.api_writes,
                }
                for one in self._account(call).book.by_id.values()
            ]
        )

    def seed(self, call: Call) -> Reply:
        """Put contacts into an account; their ids come back in the same order."""
        account, seeds = self._account(call), _seeds(call.body)
        if len(account.book.by_id) + len(seeds) > SEEDS_MAX:
            raise problems.bad(f"An account holds {SEEDS_MAX} contacts at most")
        writer = Writer(account, who="seed")
        ids = [_done(writer.create, seed).contact_id for seed in seeds]
        return json_reply({"contact_ids": ids}, 201)

    def act(self, call: Call) -> Reply:
        """Do as people do, in the given order."""
        account = self._account(call)
        ids = [_done(perform, act, account) for act in _acts(call.body)]
        return json_reply({"contact_ids": ids})

    def journal(self, call: Call) -> Reply:
        """Return changes after a number, the oldest first."""
        after = call.query().get("after", "0")
        if not after.isascii() or not after.isdigit():
            raise problems.bad("after does not have a valid value")
        lines = self._account(call).journal
        return json_reply([line for line in lines if line.number > int(after)])

    def issue_tokens(self, call: Call) -> Reply:
        """Give out tokens as if the person had just agreed."""
        body, account = _order(call.body), self._account(call)
        if body.client_id not in self._server.clients:
            raise problems.bad("The client is not registered")
        grant = Grant(
            client_id=body.client_id,
            account_id=account.account_id,
            scopes=frozenset(body.scopes),
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
            raise problems.bad("There is no such account")
        return account


def perform(act: Act, account: Account) -> str:
    """Do one act and return the id of the contact that it leaves.

    Raises:
        Refused: The vendor's own pages would not do it either.
    """
    writer = Writer(account, who="user")
    if act.act == "create":
        return writer.create(act.properties).contact_id
    contact = account.book.by_id.get(act.contact_id)
    if contact is None:
        raise problems.missing()
    match act.act:
        case "edit":
            writer.change(contact, act.properties)
        case "archive":
            writer.archive(contact)
        case "restore":
            writer.restore(contact)
        case "unsubscribe":
            writer.unsubscribe(contact.properties.get("email", ""))
        case "merge":
            other = account.book.by_id.get(act.other_id)
            if other is None:
                raise problems.missing()
            return writer.merge(contact, other).contact_id
    return contact.contact_id


def _done(do: Callable[..., T], *about: object) -> T:
    try:
        return do(*about)
    except problems.Refused as refused:
        raise problems.bad(refused.fault.message) from refused


def _shown(account: Account) -> dict[str, object]:
    return {
        "account_id": account.account_id,
        "name": account.name,
        "contact_count": len(list(account.book.living())),
        "journal_number": account.journal[-1].number if account.journal else 0,
    }
