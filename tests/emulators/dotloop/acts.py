"""What people do in the vendor's own pages; no call of the API."""

from typing import Annotated

from msgspec import Meta, Struct

from tests.emulators.dotloop import problems
from tests.emulators.dotloop.account import Account, Entry
from tests.emulators.dotloop.wire import Body

ACTS_MAX = 10_000


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
Acts = Annotated[list[Act], Meta(max_length=ACTS_MAX)]


def perform(act: Act, account: Account) -> int:
    """Do one act and return the id of the contact concerned."""
    match act:
        case Create():
            return account.create(act.contact, who="user").id
        case Edit():
            account.edit(_entry(account, act), act.changes, who="user")
        case Delete():
            account.delete(_entry(account, act), who="user")
    return act.contact_id


def _entry(account: Account, act: Edit | Delete) -> Entry:
    entry = account.contacts.get(act.contact_id)
    if entry is None:
        raise problems.missing()
    return entry
