"""One vendor account: contacts, lists, tags, custom fields, and how all are changed."""

import datetime
import itertools
import re
from typing import Any, Final

from tests.emulators.activecampaign import problems, wire
from tests.emulators.activecampaign.settings import Behaviour
from tests.emulators.activecampaign.wire import Contact, Subscription
from tests.emulators.core import account
from tests.emulators.core.account import Opening
from tests.emulators.core.indexes import NumberIndex

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
CHOICES: Final = ("dropdown", "radio")
SEVERAL: Final = ("checkbox", "listbox")
RESUBSCRIBING: Final = "4"
"""The source with which an application says that somebody came back by themselves."""


class Account(account.Account[Behaviour]):
    """What one customer of the vendor has."""

    def __init__(self, opening: Opening[Behaviour]) -> None:
        super().__init__(opening, account_id=f"bakery{opening.number}")
        self.contacts: dict[int, Contact] = {}
        """By id, in the order in which they came."""
        self.numbers = NumberIndex()
        """Their ids."""
        self.by_email: dict[str, Contact] = {}
        self.lists: dict[int, str] = {1: "Customers"}
        self.tags: dict[int, str] = {}
        self.fields: dict[int, wire.NewField] = {}
        self._numbers = itertools.count(1)
        self._list_numbers = itertools.count(2)

    @property
    def zone(self) -> datetime.tzinfo:
        """Return the zone of the account's times and days."""
        return datetime.timezone(datetime.timedelta(hours=self.behaviour.offset_h))

    def stamp(self, at_s: float | None = None) -> str:
        """Return a moment, the present one unless told, by the account's clock."""
        now_s = self.clock.now() if at_s is None else at_s
        moment = datetime.datetime.fromtimestamp(int(now_s), self.zone)
        return moment.isoformat(timespec="seconds")

    def open_list(self, name: str) -> int:
        """Make a list."""
        number = next(self._list_numbers)
        self.lists[number] = name
        return number

    def define(self, field: wire.NewField) -> int:
        """Define a custom field."""
        number = next(self._numbers)
        self.fields[number] = field
        return number

    def make_tag(self, name: str) -> int:
        """Make a tag, or return the one of this name."""
        for number, known in self.tags.items():
            if known == name:
                return number
        number = next(self._numbers)
        self.tags[number] = name
        return number

    def create(self, body: wire.Body | wire.Seed, *, who: str) -> Contact:
        """Make a contact, which is on no list yet."""
        email = body.email
        if not isinstance(email, str) or not email:
            raise problems.invalid("Email is required", attribute="email")
        self._check(email)
        values = self._checked(body.field_values)
        now_s = self.clock.now()
        contact = Contact(
            contact_id=next(self._numbers),
            email=email,
            cdate=self.stamp(),
            udate=self.stamp(),
            udate_s=now_s,
        )
        self.contacts[contact.contact_id] = contact
        self.numbers.add(contact.contact_id)
        self.by_email[email.lower()] = contact
        self._set(contact, body, values=values)
        self.touch(contact, who=who, operation="create", fields=("email", *values))
        return contact

    def edit(self, contact: Contact, body: wire.Body, *, who: str) -> Contact:
        """Change what is mentioned, and nothing else."""
        email = body.email
        if isinstance(email, str) and email.lower() != contact.email.lower():
            self._check(email)
        values = self._checked(body.field_values)
        if isinstance(email, str):
            del self.by_email[contact.email.lower()]
            contact.email = email
            self.by_email[email.lower()] = contact
        self._set(contact, body, values=values)
        self.touch(contact, who=who, operation="edit", fields=tuple(map(str, values)))
        return contact

    def delete(self, contact: Contact, *, who: str) -> None:
        """Delete for good: nothing is left that a listing could show."""
        self.touch(contact, who=who, operation="delete", fields=())
        del self.contacts[contact.contact_id], self.by_email[contact.email.lower()]
        self.numbers.discard(contact.contact_id)

    def subscribe(
        self,
        contact: Contact,
        list_id: int,
        status: int,
        *,
        who: str,
        source: str = "0",
    ) -> Subscription:
        """Set what a contact is on a list."""
        held = contact.lists.get(list_id)
        is_back = status == wire.ACTIVE and held is not None and held.is_own_act
        if who == "api" and is_back and source != RESUBSCRIBING:
            raise problems.invalid("The contact unsubscribed", attribute="status")
        if held is None:
            held = Subscription(
                relation_id=next(self._numbers), status=status, since=self.stamp()
            )
            contact.lists[list_id] = held
        held.status, held.since = status, self.stamp()
        held.is_own_act = who == "contact" and status == wire.UNSUBSCRIBED
        self.touch(
            contact,
            who=who,
            operation="subscribe",
            fields=("lists", str(list_id)),
            moves=self.behaviour.lists_touch,
        )
        return held

    def tag(self, contact: Contact, tag_id: int, *, who: str) -> int:
        """Give a tag; return the id of the relation."""
        if tag_id not in contact.tags:
            contact.tags[tag_id] = next(self._numbers)
        moves = self.behaviour.tags_touch
        self.touch(contact, who=who, operation="tag", fields=("tags",), moves=moves)
        return contact.tags[tag_id]

    def untag(self, contact: Contact, tag_id: int, *, who: str) -> None:
        """Take a tag."""
        del contact.tags[tag_id]
        moves = self.behaviour.tags_touch
        self.touch(contact, who=who, operation="untag", fields=("tags",), moves=moves)

    def touch(
        self,
        contact: Contact,
        *,
        who: str,
        operation: str,
        fields: tuple[str, ...],
        moves: bool = True,
    ) -> None:
        """Note a change, and date the contact if it is one that does."""
        if moves:
            contact.udate, contact.udate_s = self.stamp(), self.clock.now()
        self.note(
            contact,
            contact_id=contact.contact_id,
            who=who,
            operation=operation,
            fields=fields,
        )

    def _set(self, contact: Contact, body: Any, *, values: dict[int, str]) -> None:
        for name in ("first_name", "last_name", "phone"):
            text = getattr(body, name)
            if isinstance(text, str):
                setattr(contact, name, text)
        for field_id, text in values.items():
            held = contact.values.get(field_id)
            value_id = held[0] if held else next(self._numbers)
            contact.values[field_id] = (value_id, text)

    def _check(self, email: str) -> None:
        if not _ADDRESS.fullmatch(email):
            raise problems.invalid("Email address is not valid.", attribute="email")
        if email.lower() in self.by_email:
            raise problems.duplicate()

    def _checked(self, values: list[wire.Value]) -> dict[int, str]:
        found: dict[int, str] = {}
        for one in values:
            number = int(one.field)
            field = self.fields.get(number)
            if field is None:
                raise problems.invalid("Field not found", attribute="fieldValues")
            chosen = [one.value] if field.type in CHOICES else []
            if field.type in SEVERAL:
                chosen = one.value.strip("|").split("||")
            if any(each and each not in field.options for each in chosen):
                raise problems.invalid("Not an option", attribute="fieldValues")
            found[number] = one.value
        return found
