"""What seeds are, what people do in the vendor's own pages, and what is counted."""

from collections.abc import Callable, Sequence
from typing import Literal, TypeVar

from msgspec import Struct

from tests.emulators.core import accounts
from tests.emulators.hubspot import problems
from tests.emulators.hubspot.account import Account
from tests.emulators.hubspot.writing import Writer

T = TypeVar("T")


class Act(Struct, kw_only=True, forbid_unknown_fields=True):
    """What somebody does in the vendor's own pages, or follows a link in a mail for."""

    act: Literal[
        "create", "edit", "archive", "restore", "merge", "unsubscribe", "join", "leave"
    ]
    contact_id: str = ""
    list_id: str = ""
    """What somebody is put on, or taken off; by the vendor's filters where it has them.
    """
    other_id: str = ""
    """Who is merged into the first."""
    properties: dict[str, str] = {}


class AccountAdmin(accounts.AccountAdmin[Account]):
    """Serve the administration of accounts."""

    seed_kind = dict[str, str]
    act_kind = Act

    def put(self, account: Account, seed: dict[str, str]) -> str:
        """Put one contact into an account."""
        return _done(Writer(account, who="seed").create, seed).contact_id

    def perform(self, account: Account, act: Act) -> str:
        """Do one act."""
        return _done(_perform, act, account)

    def contacts_of(self, account: Account) -> Sequence[dict[str, object]]:
        """Return every contact, archived and merged ones too."""
        return [
            {
                "contact_id": one.contact_id,
                "properties": one.properties,
                "is_archived": one.archived_ms is not None,
                "merged_into": one.merged_into and str(one.merged_into),
                "last_writer": one.last_writer,
                "api_writes": one.api_writes,
                "user_writes": one.user_writes,
            }
            for one in account.book.by_id.values()
        ]

    def figures(self, account: Account) -> dict[str, object]:
        """Return how many contacts there are, and which lists."""
        return {
            "contact_count": len(list(account.book.living())),
            "lists": {one.list_id: one.name for one in account.lists.by_id.values()},
        }


def _perform(act: Act, account: Account) -> str:
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
        case "join" | "leave":
            _move(act, account)
        case "unsubscribe":
            writer.unsubscribe(contact.properties.get("email", ""))
        case "merge":
            other = account.book.by_id.get(act.other_id)
            if other is None:
                raise problems.missing()
            return writer.merge(contact, other).contact_id
    return contact.contact_id


def _move(act: Act, account: Account) -> None:
    one = account.lists.by_id.get(act.list_id)
    if one is None:
        raise problems.missing()
    add, remove = [act.contact_id], list[str]()
    if act.act == "leave":
        add, remove = remove, add
    account.lists.move(one, add=add, remove=remove, now_ms=account.now_ms())


def _done(do: Callable[..., T], *about: object) -> T:
    try:
        return do(*about)
    except problems.Refused as refused:
        raise problems.bad(refused.fault.message) from refused
