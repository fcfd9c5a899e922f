"""The sub-resources of a contact: made from what was sent, replaced or appended."""

from collections.abc import Iterable

from tests.emulators.constant_contact import values
from tests.emulators.constant_contact.account import Account
from tests.emulators.constant_contact.wire import (
    Contact,
    CustomValue,
    FormSmsIn,
    Note,
    PhoneNumber,
    SignUpForm,
    SmsChannel,
    SmsConsent,
    SmsConsentIn,
    StreetAddress,
    StreetIn,
    Subs,
)

PHONES_MAX = 3
ADDRESSES_MAX = 3


class Parts:
    """Make the sub-resources of one account's contacts."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def replace(self, contact: Contact, body: Subs, *, source: str, now: str) -> None:
        """Replace each sub-resource that is mentioned."""
        new_id = self._account.new_id
        if body.custom_fields is not None:
            contact.custom_fields = body.custom_fields
        if body.phone_numbers is not None:
            contact.phone_numbers = tuple(
                self.phone(sent.phone_number, sent.kind, source=source, now=now)
                for sent in body.phone_numbers
            )
        if body.street_addresses is not None:
            contact.street_addresses = tuple(
                self.street(sent, now=now) for sent in body.street_addresses
            )
        if body.list_memberships is not None:
            contact.list_memberships = tuple(dict.fromkeys(body.list_memberships))
        if body.taggings is not None:
            contact.taggings = tuple(dict.fromkeys(body.taggings))
        if body.notes is not None:
            contact.notes = tuple(
                Note(note_id=new_id(), created_at=now, content=sent.content)
                for sent in body.notes
            )
        if body.sms_channel is not None:
            contact.sms_channel = self._sms(
                values.us_number(body.sms_channel.full_sms_address),
                body.sms_channel.sms_channel_consents,
                source=source,
                now=now,
            )

    def append(self, contact: Contact, body: SignUpForm, *, now: str) -> None:
        """Add what a form brings to what is there."""
        contact.list_memberships = joined(
            contact.list_memberships, body.list_memberships
        )
        contact.custom_fields = merged(contact.custom_fields, body.custom_fields)
        phones = contact.phone_numbers or ()
        if body.phone_number and body.phone_number not in {
            phone.phone_number for phone in phones
        }:
            phone = self.phone(body.phone_number, None, source="Contact", now=now)
            contact.phone_numbers = (*phones[: PHONES_MAX - 1], phone)
        if body.street_address is not None:
            kind = body.street_address.kind
            kept = [a for a in contact.street_addresses or () if a.kind != kind]
            address = self.street(body.street_address, now=now)
            contact.street_addresses = (*kept[: ADDRESSES_MAX - 1], address)
        if isinstance(body.sms_channel, FormSmsIn):
            contact.sms_channel = self._sms(
                values.us_number(body.sms_channel.sms_address),
                body.sms_channel.sms_channel_consents,
                source="Contact",
                now=now,
            )

    def phone(
        self, number: str, kind: str | None, *, source: str, now: str
    ) -> PhoneNumber:
        """Return a new number."""
        return PhoneNumber(
            phone_number_id=self._account.new_id(),
            phone_number=number,
            kind=kind,
            created_at=now,
            updated_at=now,
            update_source=source,
            create_source=source,
        )

    def street(self, sent: StreetIn, *, now: str) -> StreetAddress:
        """Return a new address."""
        return StreetAddress(
            street_address_id=self._account.new_id(),
            kind=sent.kind,
            street=sent.street or None,
            city=sent.city or None,
            state=sent.state or None,
            postal_code=sent.postal_code or None,
            country=sent.country or None,
            created_at=now,
            updated_at=now,
        )

    def _sms(
        self, digits: str, consents: list[SmsConsentIn], *, source: str, now: str
    ) -> SmsChannel:
        return SmsChannel(
            sms_channel_id=self._account.new_id(),
            sms_address=digits,
            dial_code="1",
            country_code="US",
            update_source=source,
            create_source=source,
            sms_channel_consents=tuple(
                SmsConsent(
                    sms_consent_permission=sent.sms_consent_permission,
                    consent_type=sent.consent_type,
                    created_at=now,
                    updated_at=now,
                )
                for sent in consents
            ),
        )


def joined(
    present: Iterable[str] | None, more: Iterable[str] | None
) -> tuple[str, ...]:
    """Return both as one, each value once."""
    return tuple(dict.fromkeys([*(present or ()), *(more or ())]))


def merged(
    present: Iterable[CustomValue] | None, more: Iterable[CustomValue] | None
) -> tuple[CustomValue, ...]:
    """Return both sets of custom values as one, the new winning."""
    fields = {field.custom_field_id: field for field in present or ()}
    fields.update({field.custom_field_id: field for field in more or ()})
    return tuple(fields.values())
