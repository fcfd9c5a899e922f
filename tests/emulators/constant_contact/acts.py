"""What people do: the account's own staff in the vendor's UI, and the contacts.

An act is not a call of the API: it costs no limit, and journal and listing show it as
the user's.
"""

import msgspec
from msgspec import Struct

from tests.emulators.constant_contact import problems
from tests.emulators.constant_contact.account import Account
from tests.emulators.constant_contact.book import Entry
from tests.emulators.constant_contact.wire import (
    CORE_PROPERTIES,
    ContactPost,
    EmailIn,
    Source,
    Subs,
    Text80,
)
from tests.emulators.constant_contact.writing import Writer
from tests.emulators.core.bodies import reader


class OnContact(Struct, kw_only=True, forbid_unknown_fields=True):
    """Names the contact by id or by present address."""

    contact_id: str | None = None
    email: str | None = None


class Create(Struct, kw_only=True, tag_field="act", tag="create"):
    """Add a contact."""

    contact: ContactPost


class Edit(OnContact, kw_only=True, tag_field="act", tag="edit"):
    """Change what is mentioned; null empties a property, arrays are replaced."""

    changes: msgspec.Raw


class ChangeEmail(OnContact, kw_only=True, tag_field="act", tag="change_email"):
    """Give a contact another address."""

    address: Text80


class Unsubscribe(OnContact, kw_only=True, tag_field="act", tag="unsubscribe"):
    """Opt out: by default the contact, by the link in a mail."""

    source: Source = "Contact"
    reason: str | None = None


class ComeBack(OnContact, kw_only=True, tag_field="act", tag="come_back"):
    """Confirm the mail that `resubscribe` sent."""


class Delete(OnContact, kw_only=True, tag_field="act", tag="delete"):
    """Delete a contact."""


class Revive(OnContact, kw_only=True, tag_field="act", tag="revive"):
    """Bring a deleted contact back."""


Act = Create | Edit | ChangeEmail | Unsubscribe | ComeBack | Delete | Revive


def perform(act: Act, account: Account) -> str:
    """Do one act and return the id of the contact concerned."""
    writer = Writer(account, who="user")
    if isinstance(act, Create):
        return writer.create(act.contact).contact.contact_id
    entry = _entry(account, act)
    match act:
        case Edit():
            changes = bytes(act.changes)
            mentioned = _mentioned(changes)
            _check_mentioned(mentioned)
            writer.edit(entry, _subs(changes), mentioned=set(mentioned))
        case ChangeEmail():
            body = Subs(email_address=EmailIn(address=act.address))
            writer.edit(entry, body, mentioned=set())
        case Unsubscribe():
            writer.unsubscribe(entry, source=act.source, reason=act.reason)
        case ComeBack():
            writer.come_back(entry)
        case Delete():
            writer.delete(
                entry, moves_updated_at=account.behaviour.deletions_move_updated_at
            )
        case Revive():
            writer.revive(entry)
    return entry.contact.contact_id


_mentioned = reader(dict[str, msgspec.Raw], problems.unreadable)
_subs = reader(Subs, problems.unreadable)


def _check_mentioned(mentioned: dict[str, msgspec.Raw]) -> None:
    for name in mentioned:
        if name not in CORE_PROPERTIES and name not in Subs.__struct_fields__:
            raise problems.invalid(f"changes: {name} is no property of a contact")


def _entry(account: Account, act: OnContact) -> Entry:
    if (act.contact_id is None) == (act.email is None):
        raise problems.invalid("Name the contact by contact_id or by email")
    if act.contact_id is not None:
        entry = account.book.by_id.get(act.contact_id)
    else:
        assert act.email is not None
        entry = account.book.find_email(act.email)
    if entry is None:
        raise problems.missing("There is no such contact in this account")
    return entry
