"""Everything that may be wrong with a write; nothing here changes anything."""

from collections.abc import Iterable, Mapping

from tests.emulators.constant_contact import problems, values
from tests.emulators.constant_contact.account import Account
from tests.emulators.constant_contact.book import Entry
from tests.emulators.constant_contact.parts import joined, merged
from tests.emulators.constant_contact.wire import (
    CORE_PROPERTIES,
    Core,
    CustomValue,
    SignUpForm,
    Subs,
)

CUSTOM_FIELDS_MAX = 25
LISTS_MAX = 50

CoreValues = dict[str, str | int | None]


class Checker:
    """Refuse what one account cannot take."""

    def __init__(self, account: Account) -> None:
        self._account = account

    def check(self, body: Subs, entry: Entry | None) -> CoreValues:
        """Check a contact to be; return its core properties as they are kept."""
        core = _read_core(body)
        if body.email_address is not None:
            self._check_address(body.email_address.address, entry)
        if body.sms_channel is not None:
            self._check_sms(body.sms_channel.full_sms_address, entry)
        account = self._account
        self._check_known(body.list_memberships, account.lists, name="list_memberships")
        self._check_known(body.taggings, account.tags, name="taggings")
        self._check_custom(body.custom_fields)
        return core

    def check_form(self, body: SignUpForm, entry: Entry | None) -> CoreValues:
        """Check a filled-in form against the contact it would change."""
        core = _read_core(body)
        if body.email_address is not None:
            self._check_address(body.email_address, entry)
        if body.sms_channel is not None:
            self._check_sms(body.sms_channel.sms_address, entry)
        account = self._account
        self._check_known(body.list_memberships, account.lists, name="list_memberships")
        self._check_custom(body.custom_fields)
        lists = joined(
            entry.contact.list_memberships if entry else None, body.list_memberships
        )
        if len(lists) > LISTS_MAX:
            raise problems.invalid(f"A contact may be on {LISTS_MAX} lists at most")
        fields = merged(
            entry.contact.custom_fields if entry else None, body.custom_fields
        )
        if len(fields) > CUSTOM_FIELDS_MAX:
            raise problems.invalid(
                f"A contact may have {CUSTOM_FIELDS_MAX} custom fields at most"
            )
        return core

    def check_lists(self, list_ids: list[str]) -> None:
        """Check that lists exist."""
        self._check_known(list_ids, self._account.lists, name="list_ids")

    def _check_address(self, address: str, entry: Entry | None) -> None:
        values.check_email(address)
        holder = self._account.book.find_email(address)
        if holder is not None and holder is not entry:
            raise problems.email_taken(holder.contact.contact_id)

    def _check_sms(self, number: str, entry: Entry | None) -> None:
        holder = self._account.book.find_sms("1" + values.us_number(number))
        if holder is not None and holder is not entry:
            raise problems.conflict(
                "Validation failed: SMS address already exists for contact "
                + holder.contact.contact_id
            )

    def _check_known(
        self, ids: list[str] | None, known: Mapping[str, object], *, name: str
    ) -> None:
        for found in ids or ():
            item = known.get(found)
            if item is None or getattr(item, "deleted_at", None) is not None:
                raise problems.invalid(f"{name} does not have a valid value")

    def _check_custom(self, fields: Iterable[CustomValue] | None) -> None:
        for field in fields or ():
            known = self._account.custom_fields.get(field.custom_field_id)
            if known is None:
                raise problems.invalid("custom_field_id does not have a valid value")
            if known.choices is None and field.value is None:
                raise problems.invalid(f"custom field {known.name} needs a value")
            offered = {str(choice.choice_id) for choice in known.choices or ()}
            if not offered.issuperset(field.choice_ids or ()):
                raise problems.invalid("choice_ids does not have a valid value")


def _read_core(body: Core) -> CoreValues:
    if (body.birthday_month is None) != (body.birthday_day is None):
        raise problems.invalid(
            "birthday_month and birthday_day must be used with each other"
        )
    core = {name: getattr(body, name) or None for name in CORE_PROPERTIES}
    core["anniversary"] = values.anniversary(body.anniversary)
    return core
