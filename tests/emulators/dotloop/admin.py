"""What seeds are, what people do in the vendor's own pages, and what is counted."""

from collections.abc import Sequence

from msgspec import Struct

from tests.emulators.core import accounts
from tests.emulators.dotloop import problems
from tests.emulators.dotloop.account import Account, Entry
from tests.emulators.dotloop.wire import Body, Seed


class OnContact(Struct, kw_only=True, forbid_unknown_fields=True):
    """Names the contact by its id."""

    contact_id: int


class Create(Struct, kw_only=True, tag_field="act", tag="create"):
    """Add a contact."""

    contact: Body


class Edit(OnContact, kw_only=True, tag_field="act", tag="edit"):
    """Change what is mentioned; an empty text empties."""

    changes: Body


class Delete(OnContact, kw_only=True, tag_field="act", tag="delete"):
    """Delete a contact."""


Act = Create | Edit | Delete


class AccountAdmin(accounts.AccountAdmin[Account]):
    """Serve the administration of accounts."""

    seed_kind = Seed
    act_kind = Act

    def put(self, account: Account, seed: Seed) -> int:
        """Put one contact into an account."""
        return account.create(seed, who="seed").id

    def perform(self, account: Account, act: Act) -> int:
        """Do one act."""
        match act:
            case Create():
                return account.create(act.contact, who="user").id
            case Edit():
                account.edit(_entry(account, act), act.changes, who="user")
            case Delete():
                account.delete(_entry(account, act), who="user")
        return act.contact_id

    def contacts_of(self, account: Account) -> Sequence[Entry]:
        """Return every contact."""
        return [*account.contacts.values()]

    def figures(self, account: Account) -> dict[str, object]:
        """Return how many contacts there are."""
        return {"contacts": len(account.contacts)}


def _entry(account: Account, act: Edit | Delete) -> Entry:
    entry = account.contacts.get(act.contact_id)
    if entry is None:
        raise problems.missing()
    return entry
