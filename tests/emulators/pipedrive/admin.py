"""What seeds are, what people do in the vendor's own pages, and what is counted."""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct, to_builtins

from tests.emulators.core import accounts
from tests.emulators.pipedrive.account import Account
from tests.emulators.pipedrive.bodies import Body


class OnPerson(Struct, kw_only=True, forbid_unknown_fields=True):
    """Names the person by their id."""

    contact_id: int


class Create(Struct, kw_only=True, tag_field="act", tag="create"):
    """Add a person."""

    person: Body


class Edit(OnPerson, kw_only=True, tag_field="act", tag="edit"):
    """Change what is mentioned."""

    changes: Body


class Sync(OnPerson, kw_only=True, tag_field="act", tag="sync"):
    """Have the vendor's own contact sync change what it alone does."""

    values: dict[str, Any]


class Delete(OnPerson, kw_only=True, tag_field="act", tag="delete"):
    """Delete a person."""


class Restore(OnPerson, kw_only=True, tag_field="act", tag="restore"):
    """Bring back a person."""


class Unsubscribe(OnPerson, kw_only=True, tag_field="act", tag="unsubscribe"):
    """Follow the link in a mail."""


class Merge(OnPerson, kw_only=True, tag_field="act", tag="merge"):
    """Merge a person into another."""

    into_id: int


Act = Create | Edit | Sync | Delete | Restore | Unsubscribe | Merge


class AccountAdmin(accounts.AccountAdmin[Account]):
    """Serve the administration of accounts."""

    seed_kind = Body
    act_kind = Act

    def put(self, account: Account, seed: Body) -> int:
        """Put one person into a company."""
        return account.create(seed, who="seed").id

    def perform(self, account: Account, act: Act) -> int:
        """Do one act."""
        if isinstance(act, Create):
            return account.create(act.person, who="user").id
        person = account.person(act.contact_id)
        match act:
            case Edit():
                account.change(person, act.changes, who="user")
            case Sync():
                person.synced |= act.values
                account.change(person, Body(), who="user")
            case Delete():
                account.delete(person, who="user")
            case Restore():
                account.restore(person, who="user")
            case Unsubscribe():
                account.unsubscribe(person, who="user")
            case Merge():
                into = account.person(act.into_id)
                account.merge(person, into, who="user")
                return into.id
        return person.id

    def contacts_of(self, account: Account) -> Sequence[dict[str, Any]]:
        """Return every person, deleted ones too."""
        return [to_builtins(one) for one in account.persons.values()]

    def figures(self, account: Account) -> dict[str, object]:
        """Return how many persons there are."""
        living = [one for one in account.persons.values() if not one.is_deleted]
        return {"persons": len(living)}
