"""What seeds are, what people do in the vendor's own pages, and what is counted."""

from collections.abc import Sequence
from typing import Any, assert_never

from msgspec import Struct

from tests.emulators.core import accounts
from tests.emulators.google_contacts import groups, problems
from tests.emulators.google_contacts.account import Account
from tests.emulators.google_contacts.book import MY_CONTACTS, Contact
from tests.emulators.google_contacts.problems import Refused
from tests.emulators.google_contacts.shapes import Held
from tests.emulators.google_contacts.writing import Writer


class OnContact(Struct, kw_only=True, forbid_unknown_fields=True):
    """Names the contact by its resource name."""

    contact_id: str


class Create(Struct, kw_only=True, tag_field="act", tag="create"):
    """Add a contact."""

    person: dict[str, Any]


class Edit(OnContact, kw_only=True, tag_field="act", tag="edit"):
    """Replace some fields; an empty list empties."""

    fields: Held


class Delete(OnContact, kw_only=True, tag_field="act", tag="delete"):
    """Put a contact into the bin."""


class Restore(OnContact, kw_only=True, tag_field="act", tag="restore"):
    """Take a contact out of the bin."""


class Merge(OnContact, kw_only=True, tag_field="act", tag="merge"):
    """Make one contact of two; the first one's values win."""

    other_id: str


class Link(OnContact, kw_only=True, tag_field="act", tag="link"):
    """Have somebody's profile become part of a contact, which gets another name."""

    profile: Held


class Label(OnContact, kw_only=True, tag_field="act", tag="label"):
    """Have a contact carry exactly these labels; missing ones are made."""

    labels: list[str]


Act = Create | Edit | Delete | Restore | Merge | Link | Label


class AccountAdmin(accounts.AccountAdmin[Account]):
    """Serve the administration of accounts."""

    seed_kind = dict[str, Any]
    act_kind = Act

    def put(self, account: Account, seed: dict[str, Any]) -> str:
        """Put one contact into an account."""
        try:
            return Writer(account, who="seed").create(seed).name
        except Refused as refused:
            raise problems.refusal(refused) from refused

    def perform(self, account: Account, act: Act) -> str:
        """Do one act."""
        try:
            return _done(act, account, Writer(account, who="user"))
        except Refused as refused:
            raise problems.refusal(refused) from refused

    def contacts_of(self, account: Account) -> Sequence[dict[str, Any]]:
        """Return every contact, deleted and merged ones too."""
        return [
            {
                "contact_id": one.name,
                "fields": one.now.held,
                "groups": one.now.groups,
                "is_deleted": one.now.is_deleted,
                "merged_into": one.merged_into,
                "last_writer": one.last_writer,
                "api_writes": one.api_writes,
                "user_writes": one.user_writes,
            }
            for one in account.book.by_name.values()
        ]

    def figures(self, account: Account) -> dict[str, object]:
        """Return how many contacts listings know."""
        return {"contacts": account.book.listed_count()}


def _done(act: Act, account: Account, writer: Writer) -> str:
    if isinstance(act, Create):
        return writer.create(act.person).name
    is_gone = isinstance(act, Restore)
    contact = _contact(account, act.contact_id, is_deleted=is_gone)
    match act:
        case Edit():
            writer.edit(contact, act.fields)
        case Delete():
            writer.delete(contact)
        case Restore():
            writer.restore(contact)
        case Merge():
            writer.merge(contact, _contact(account, act.other_id))
        case Link():
            writer.link(contact, act.profile)
        case Label():
            _label(contact, act.labels, account=account, writer=writer)
        case _:
            assert_never(act)
    return contact.name


def _label(
    contact: Contact, labels: list[str], *, account: Account, writer: Writer
) -> None:
    known = {one.name: one for one in groups.of_users(account.groups)}
    for label in labels:
        if label not in known:
            known[label] = writer.new_group(label)
    system = [g for g in contact.now.groups if account.groups[g].is_system]
    named = [known[label].resource_name for label in dict.fromkeys(labels)]
    writer.join(contact, [*system, *named] or [MY_CONTACTS])


def _contact(account: Account, name: str, *, is_deleted: bool = False) -> Contact:
    contact = account.book.by_name.get(name)
    if contact is None or contact.is_live == is_deleted:
        raise problems.missing()
    return contact
