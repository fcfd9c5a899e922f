"""What writing to a contact means, by the API and by the people at the vendor's UI.

Each method checks everything first, so a refused write leaves no trace.
"""

import copy

import msgspec

from tests.emulators.constant_contact import consent, problems, values
from tests.emulators.constant_contact.account import Account
from tests.emulators.constant_contact.book import Entry
from tests.emulators.constant_contact.checking import Checker, CoreValues
from tests.emulators.constant_contact.parts import Parts, joined
from tests.emulators.constant_contact.wire import (
    Contact,
    ContactPost,
    ContactPut,
    EmailAddress,
    EmailIn,
    Seed,
    SignUpForm,
    Subs,
)


class Writer:
    """Change the contacts of one account on someone's behalf."""

    def __init__(self, account: Account, *, who: str) -> None:
        self._account = account
        self._book = account.book
        self._who = who
        self._checker = Checker(account)
        self._parts = Parts(account)

    def create(self, body: ContactPost) -> Entry:
        """Create a contact, unless its address is in use, be it by a deleted one."""
        return self._add(self._made(body), "create")

    def seed(self, body: Seed) -> Entry:
        """Create a contact with a past."""
        contact = self._made(body)
        contact.created_at = body.created_at or contact.created_at
        contact.updated_at = body.updated_at or contact.created_at
        contact.deleted_at = body.deleted_at
        email = contact.email_address
        if email is not None:
            email = msgspec.structs.replace(
                email,
                created_at=contact.created_at,
                updated_at=contact.updated_at,
                opt_in_date=email.opt_in_date and contact.created_at,
            )
            if email.permission_to_send == "unsubscribed":
                email = consent.opted_out(
                    email,
                    source=body.opt_out_source,
                    reason=email.opt_out_reason,
                    now=body.opt_out_date or contact.updated_at,
                )
            if body.deleted_at is not None:
                email = consent.deleted(email, now=f"{body.deleted_at}T00:00:00Z")
            contact.email_address = email
        return self._add(contact, "create")

    def overwrite(self, entry: Entry, body: ContactPut) -> None:
        """Replace core properties wholly and sub-resources where mentioned."""
        contact = entry.contact
        source = body.update_source
        is_deleted = contact.deleted_at is not None
        if is_deleted and source != "Account":
            raise problems.invalid("update_source must be Account to revive a contact")
        core = self._checker.check(body, entry)
        email = self._overwritten_email(contact, body.email_address, source=source)
        now = self._account.clock.stamp()
        before = copy.copy(contact)
        _set_core(contact, core)
        self._parts.replace(contact, body, source=source, now=now)
        contact.email_address = email
        if is_deleted:
            contact.deleted_at = None
            if email is not None:
                contact.email_address = consent.revived(email, now=now)
        contact.update_source = source
        contact.updated_at = now
        self._account.record(entry, who=self._who, operation="update", before=before)

    def sign_up(self, body: SignUpForm) -> tuple[Entry, bool]:
        """Create a contact or update it in part; return it and whether it is new."""
        if body.email_address is None and body.sms_channel is None:
            raise problems.invalid("email_address or sms_channel is required")
        entry = self._find(body)
        core = self._checker.check_form(body, entry)
        now = self._account.clock.stamp()
        if entry is None:
            contact, before = self._blank(source="Contact", now=now), None
        else:
            contact, before = entry.contact, copy.copy(entry.contact)
            contact.update_source, contact.updated_at = "Contact", now
            contact.deleted_at = None
        _set_core(contact, {name: value for name, value in core.items() if value})
        self._parts.append(contact, body, now=now)
        if body.email_address is not None:
            contact.email_address = consent.signed_up(
                contact.email_address,
                address=body.email_address,
                is_pending=entry is None and self._account.has_confirmed_opt_in,
                now=now,
            )
        if entry is None:
            return self._add(contact, "sign_up"), True
        self._account.record(entry, who=self._who, operation="sign_up", before=before)
        return entry, False

    def edit(self, entry: Entry, body: Subs, *, mentioned: set[str]) -> None:
        """Change only what is mentioned, as a person does in the vendor's UI."""
        contact = entry.contact
        if contact.deleted_at is not None:
            raise problems.conflict("The contact is deleted; revive it first")
        core = self._checker.check(body, entry)
        email = self._overwritten_email(contact, body.email_address, source="Account")
        now = self._account.clock.stamp()
        before = copy.copy(contact)
        _set_core(contact, {n: v for n, v in core.items() if n in mentioned})
        self._parts.replace(contact, body, source="Account", now=now)
        contact.email_address = email
        contact.update_source, contact.updated_at = "Account", now
        self._account.record(entry, who=self._who, operation="edit", before=before)

    def unsubscribe(self, entry: Entry, *, source: str, reason: str | None) -> None:
        """Opt out; the contact's own `updated_at` stays, which is the vendor's trap."""
        contact = entry.contact
        if contact.email_address is None:
            raise problems.invalid("The contact has no email_address")
        before = copy.copy(contact)
        contact.email_address = consent.opted_out(
            contact.email_address,
            source=source,
            reason=reason,
            now=self._account.clock.stamp(),
        )
        self._account.record(
            entry, who=self._who, operation="unsubscribe", before=before
        )

    def delete(self, entry: Entry, *, moves_updated_at: bool) -> None:
        """Mark as deleted; the record and its address stay taken for ever."""
        contact = entry.contact
        if contact.deleted_at is not None:
            return
        before = copy.copy(contact)
        now = self._account.clock.stamp()
        contact.deleted_at = now[:10]
        contact.list_memberships = ()
        if contact.email_address is not None:
            contact.email_address = consent.deleted(contact.email_address, now=now)
        if moves_updated_at:
            contact.updated_at = now
        self._account.record(entry, who=self._who, operation="delete", before=before)

    def revive(self, entry: Entry) -> None:
        """Bring a deleted contact back as it was, without its lists."""
        contact = entry.contact
        if contact.deleted_at is None:
            raise problems.conflict("The contact is not deleted")
        before = copy.copy(contact)
        now = self._account.clock.stamp()
        contact.deleted_at, contact.updated_at = None, now
        if contact.email_address is not None:
            contact.email_address = consent.revived(contact.email_address, now=now)
        self._account.record(entry, who=self._who, operation="revive", before=before)

    def ask_back(self, entry: Entry, list_ids: list[str]) -> None:
        """Send the mail that asks a person to come back; possible once."""
        self._checker.check_lists(list_ids)
        if entry.keys.bucket != "unsubscribed":
            raise problems.conflict("The contact is not unsubscribed")
        if entry.asked_back_to is not None:
            raise problems.conflict("A resubscribe email has already been sent")
        before = copy.copy(entry.contact)
        entry.asked_back_to = list(list_ids)
        self._account.record(entry, who=self._who, operation="ask_back", before=before)

    def come_back(self, entry: Entry) -> None:
        """Confirm the resubscribe mail, which only the person can do."""
        contact = entry.contact
        if entry.asked_back_to is None or contact.email_address is None:
            raise problems.conflict("Nobody asked the contact to come back")
        before = copy.copy(contact)
        now = self._account.clock.stamp()
        contact.email_address = consent.signed_up(
            contact.email_address,
            address=contact.email_address.address,
            is_pending=False,
            now=now,
        )
        contact.list_memberships = joined(contact.list_memberships, entry.asked_back_to)
        contact.updated_at = now
        entry.asked_back_to = None
        self._account.record(entry, who=self._who, operation="come_back", before=before)

    def drop_member(self, entry: Entry, *, name: str, member_id: str) -> None:
        """Take a contact out of a list or tag that goes away."""
        before = copy.copy(entry.contact)
        kept = tuple(found for found in getattr(before, name) if found != member_id)
        setattr(entry.contact, name, kept)
        self._account.record(entry, who=self._who, operation="detach", before=before)

    def drop_custom_field(self, field_id: str) -> None:
        """Take a custom field that goes away off every contact that has it."""
        for entry in self._book.entries:
            present = entry.contact.custom_fields or ()
            kept = tuple(held for held in present if held.custom_field_id != field_id)
            if len(kept) < len(present):
                before = copy.copy(entry.contact)
                entry.contact.custom_fields = kept
                self._account.record(
                    entry, who=self._who, operation="detach", before=before
                )

    def _find(self, body: SignUpForm) -> Entry | None:
        if body.email_address is not None:
            return self._book.find_email(body.email_address)
        assert body.sms_channel is not None
        return self._book.find_sms("1" + values.us_number(body.sms_channel.sms_address))

    def _blank(self, *, source: str, now: str) -> Contact:
        return Contact(
            contact_id=self._account.new_id(),
            create_source=source,
            created_at=now,
            updated_at=now,
            custom_fields=(),
            phone_numbers=(),
            street_addresses=(),
            list_memberships=(),
            taggings=(),
            notes=(),
        )

    def _made(self, body: ContactPost) -> Contact:
        email, source = body.email_address, body.create_source
        if not (body.first_name or body.last_name or email or body.sms_channel):
            raise problems.invalid(
                "At least one of first_name, last_name, email_address or sms_channel"
                " is required"
            )
        core = self._checker.check(body, None)
        now = self._account.clock.stamp()
        contact = self._blank(source=source, now=now)
        _set_core(contact, core)
        self._parts.replace(contact, body, source=source, now=now)
        if email is not None:
            contact.email_address = consent.first(email, source=source, now=now)
        return contact

    def _add(self, contact: Contact, operation: str) -> Entry:
        entry = self._book.add(contact)
        self._account.record(entry, who=self._who, operation=operation, before=None)
        return entry

    def _overwritten_email(
        self, contact: Contact, sent: EmailIn | None, *, source: str
    ) -> EmailAddress | None:
        now = self._account.clock.stamp()
        if sent is None:
            return contact.email_address
        if contact.email_address is None:
            return consent.first(sent, source=source, now=now)
        return consent.overwritten(contact.email_address, sent, source=source, now=now)


def _set_core(contact: Contact, core: CoreValues) -> None:
    for name, value in core.items():
        setattr(contact, name, value)
