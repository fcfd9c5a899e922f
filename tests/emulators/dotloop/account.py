"""One vendor account: its contacts, and how they are listed."""

from typing import Final

import msgspec

from tests.emulators.core import account
from tests.emulators.core.account import Opening
from tests.emulators.dotloop.settings import Behaviour, Order
from tests.emulators.dotloop.wire import TEXTS, Body, Contact, Seed

FIRST_CONTACT_ID: Final = 3_603_862
FIRST_ACCOUNT_ID: Final = 4_711


class Entry(msgspec.Struct, kw_only=True):
    """A contact, and what the vendor does not show of it."""

    contact: Contact
    last_writer: str
    api_writes: int = 0
    user_writes: int = 0


class Account(account.Account[Behaviour]):
    """A user with contacts, which belong to no profile."""

    def __init__(self, opening: Opening[Behaviour]) -> None:
        super().__init__(opening, account_id=str(FIRST_ACCOUNT_ID + opening.number))
        self._next_id = FIRST_CONTACT_ID
        self.contacts: dict[int, Entry] = {}
        """In the order in which they were made."""
        self._listed: dict[tuple[Order, str], list[Contact]] = {}

    def create(self, body: Body, *, who: str) -> Contact:
        """Make a contact; an address may be in any number of them."""
        contact = Contact(id=self._next_id, updated=self.clock.stamp())
        self._next_id += 1
        entry = Entry(contact=contact, last_writer=who)
        self.contacts[contact.id] = entry
        changed = _set(contact, body.mentioned())
        if isinstance(body, Seed) and body.updated is not None:
            contact.updated = body.updated
        self._note(entry, who=who, operation="create", fields=changed)
        return contact

    def edit(self, entry: Entry, body: Body, *, who: str) -> Contact:
        """Change what is mentioned, and nothing else."""
        contact = entry.contact
        changed = _set(contact, body.mentioned())
        contact.updated = self.clock.stamp()
        self._note(entry, who=who, operation="edit", fields=changed)
        return contact

    def delete(self, entry: Entry, *, who: str) -> None:
        """Delete for good: nothing is left that a listing could show."""
        del self.contacts[entry.contact.id]
        self._note(entry, who=who, operation="delete", fields=())

    def listed(self, *, order: Order, updated_min: str) -> list[Contact]:
        """Return the contacts changed since then, sorted; kept until one changes."""
        key = (order, updated_min)
        if key not in self._listed:
            found = [
                entry.contact
                for entry in self.contacts.values()
                if entry.contact.updated >= updated_min
            ]
            if order != "id":
                found.sort(key=lambda one: one.updated, reverse=order[0] == "n")
            self._listed[key] = found
        return self._listed[key]

    def _note(
        self, entry: Entry, *, who: str, operation: str, fields: tuple[str, ...]
    ) -> None:
        self._listed.clear()
        self.note(
            entry,
            contact_id=entry.contact.id,
            who=who,
            operation=operation,
            fields=fields,
        )


def _set(contact: Contact, texts: dict[str, str]) -> tuple[str, ...]:
    changed = tuple(
        name
        for name in TEXTS
        if name in texts and texts[name] != getattr(contact, name)
    )
    for name in changed:
        setattr(contact, name, texts[name])
    return changed
