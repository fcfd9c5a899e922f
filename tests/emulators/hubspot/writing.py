"""What changes a contact: create, change, archive, restore, merge, unsubscribe."""

from collections.abc import Mapping

from tests.emulators.hubspot import problems, properties
from tests.emulators.hubspot.account import Account
from tests.emulators.hubspot.book import Contact, emails_of, stamp

IDENTIFYING = ("email", "firstname", "lastname")
MERGED_MAX = 250


class Writer:
    """Writes to one account on somebody's behalf."""

    def __init__(self, account: Account, *, who: str) -> None:
        self._account = account
        self._who = who

    def create(self, values: Mapping[str, str]) -> Contact:
        """Make a contact."""
        self.check(values)
        now = self._account.now_ms()
        held = {name: text for name, text in values.items() if text}
        if not any(name in held for name in IDENTIFYING):
            message = "At least one of email, firstname or lastname is needed"
            raise problems.invalid("email", "REQUIRED_FIELD", message)
        number = self._account.book.new_number()
        held |= {"hs_object_id": str(number), "createdate": stamp(now)}
        contact = Contact(number=number, properties={}, created_ms=now, updated_ms=now)
        self._put(contact, held, operation="create")
        return contact

    def change(self, contact: Contact, values: Mapping[str, str]) -> None:
        """Change what is mentioned; empty text empties."""
        self.check(values, but=contact)
        held = {**contact.properties, **values}
        self._put(contact, held, operation="change")

    def archive(self, contact: Contact) -> None:
        """Archive; twice is once."""
        if not contact.is_live:
            return
        contact.archived_ms = self._account.now_ms()
        self._account.book.put(contact, email_before=None)
        self._note(contact, "archive")

    def restore(self, contact: Contact) -> None:
        """Bring an archived contact back; its address may be taken by now."""
        self.check({"email": contact.properties.get("email", "")}, but=contact)
        contact.archived_ms = None
        self._put(contact, dict(contact.properties), operation="restore")

    def merge(self, primary: Contact, other: Contact) -> Contact:
        """Make one of two; what the primary has wins."""
        if primary is other or not (primary.is_live and other.is_live):
            raise problems.missing()
        ids = [primary.contact_id, other.contact_id]
        for one in (primary, other):
            ids += one.properties.get("hs_merged_object_ids", "").split(";")
        held = {**other.properties, **primary.properties}
        more = [*emails_of(other.properties), *emails_of(primary.properties)]
        others = dict.fromkeys(
            email for email in more if email != held.get("email", "").lower()
        )
        if others:
            held["hs_additional_emails"] = ";".join(others)
        now = self._account.now_ms()
        winner = primary
        if self._account.behaviour.merges_make_new_ids:
            winner = Contact(
                number=self._account.book.new_number(),
                properties={},
                created_ms=min(primary.created_ms, other.created_ms),
                updated_ms=now,
            )
        for one in (primary, other):
            if one is not winner:
                one.merged_into = winner.number
                self._account.book.put(one, email_before=None)
        held["hs_object_id"] = winner.contact_id
        held["createdate"] = stamp(winner.created_ms)
        held["hs_merged_object_ids"] = ";".join(
            dict.fromkeys(each for each in ids if each and each != winner.contact_id)
        )
        self._put(winner, held, operation="merge")
        self._account.lists.merge((primary, other), winner, now_ms=now)
        return winner

    def unsubscribe(self, email: str) -> None:
        """Keep an address from all mail, whoever has it."""
        if not properties.is_email(email):
            raise problems.invalid("email", "INVALID_EMAIL", "The address is invalid")
        self._account.opted_out.add(email.lower())
        contact = self._account.book.find(email, by_email=True)
        if contact is not None and contact.properties.get("hs_email_optout") != "true":
            self._put(contact, dict(contact.properties), operation="unsubscribe")

    def check(self, values: Mapping[str, str], *, but: Contact | None = None) -> None:
        """Say no to what would not be written.

        Raises:
            Refused: A value cannot be, or an address is somebody else's.
        """
        for name, text in values.items():
            properties.check(self._account.properties, name, text)
        if email := values.get("email", ""):
            holder = self._account.book.find(email, by_email=True)
            if holder is not None and holder is not but:
                raise problems.taken(holder.contact_id)

    def _put(self, contact: Contact, held: dict[str, str], *, operation: str) -> None:
        before = contact.properties
        now = self._account.now_ms()
        email = held.get("email", "")
        held.pop("hs_email_optout", None)
        if email.lower() in self._account.opted_out:
            held["hs_email_optout"] = "true"
        held["lastmodifieddate"] = stamp(now)
        contact.properties = {name: text for name, text in held.items() if text}
        contact.updated_ms = now
        self._account.book.put(contact, email_before=before.get("email"))
        changed = tuple(
            sorted(
                name
                for name in before.keys() | contact.properties.keys()
                if before.get(name) != contact.properties.get(name)
            )
        )
        self._note(contact, operation, fields=changed)

    def _note(
        self, contact: Contact, operation: str, *, fields: tuple[str, ...] = ()
    ) -> None:
        self._account.note(
            contact,
            contact_id=contact.contact_id,
            who=self._who,
            operation=operation,
            fields=fields,
        )
