"""Dotloop's emulator as a stage, and its contacts in the terms of cards.

The table is written from the guide's sample of a contact (March 2026).
"""

from collections.abc import Mapping
from typing import Any, ClassVar, Final

from proto.fields import Address, Item, Role, Value
from proto.ids import RecordId
from tests.contract.conformance import cards, shapes
from tests.contract.conformance.cards import SAMPLES, Card
from tests.contract.conformance.emulated import EmulatedStage
from tests.contract.conformance.least import Least
from tests.contract.conformance.shapes import Shape
from tests.emulators.dotloop.account import Entry
from tests.emulators.dotloop.emulator import Emulator

TEXTS: Final[Mapping[Role, str]] = {
    Role.NAME_GIVEN: "firstName",
    Role.NAME_FAMILY: "lastName",
    Role.EMAIL: "email",
    Role.PHONE_HOME: "home",
    Role.PHONE_WORK: "office",
}


class Dotloop(EmulatedStage):
    """One account at the emulator."""

    app = "dotloop"
    emulator_kind = Emulator
    id_kind = int
    api_path = "/public/v2"
    multiple: ClassVar[Mapping[Role, str]] = {Role.ADDRESS: ""}
    shape = Shape(
        fields={
            **shapes.texts(Role.NAME_GIVEN, Role.NAME_FAMILY),
            Role.EMAIL: shapes.EMAIL,
            Role.PHONE_HOME: shapes.PHONE,
            Role.PHONE_WORK: shapes.PHONE,
            Role.ADDRESS: shapes.ONE_ADDRESS,
        },
    )
    least = Least(
        # Sources disagree whether a batch shows 50 or 100; here it shows 50. It has a
        # number and a size alone, so that one that begins with somebody already shown,
        # without whom a deletion in between would hide somebody (hazard 20), shows some
        # 43 others.
        page_size=43,
        # updated_min filters the same listing, and nothing else tells of changes.
        idle_calls=1,
        changes_page_size=43,
        changes_calls=0,
        # There is no way to find an address but to read everybody.
        find_batch=0,
        # PATCH changes what it names; nothing is conditional, and one call reads one.
        read_batch=1,
    )
    # There is no job title; so that nobody needs a last name, the first one is both.
    text_role: ClassVar[Role] = Role.NAME_FAMILY
    name_roles: ClassVar[tuple[Role, ...]] = (Role.NAME_GIVEN,)

    def full(self, number: int) -> Card:
        """Return somebody with every property that has a role."""
        return {
            **self.plain(number),
            Role.NAME_FAMILY: SAMPLES[Role.NAME_FAMILY],
            Role.PHONE_HOME: SAMPLES[Role.PHONE_HOME],
            Role.PHONE_WORK: SAMPLES[Role.PHONE_WORK],
            Role.ADDRESS: (Item(value=cards.ADDRESS),),
        }

    def written(self, card: Card) -> dict[str, str]:
        """Return a card as the vendor's JSON; what is None is emptied."""
        found: dict[str, str] = {}
        for role, value in card.items():
            if role is Role.ADDRESS:
                found |= _street(value)
            else:
                assert value is None or isinstance(value, str)
                found[TEXTS[role]] = value or ""
        return found

    async def see(self, record_id: RecordId) -> Card | None:
        """Return a contact as the vendor keeps it."""
        entry = self._account.contacts.get(int(record_id))
        return None if entry is None else _card(entry.contact.shown("omitted"))

    async def find(self, email: str) -> list[RecordId]:
        """Return the contacts with an address, whatever its case."""
        return [
            RecordId(str(contact_id))
            for contact_id, entry in self._account.contacts.items()
            if entry.contact.email.lower() == email.lower()
        ]

    async def enrich(self, record_id: RecordId) -> None:
        """Give a contact a fax number, which plays no role."""
        fax = {"fax": "+49 761 5550104"}
        self._act("edit", record_id, changes=fax)

    async def extras(self, record_id: RecordId) -> object:
        """Return the fax number."""
        return self._entry(record_id).contact.fax

    def _entry(self, record_id: RecordId) -> Entry:
        return self._account.contacts[int(record_id)]


def _street(value: Value) -> dict[str, str]:
    (item,) = value if isinstance(value, tuple) else (Item(value=Address()),)
    assert isinstance(item.value, Address)
    return {
        "address": item.value.street,
        "city": item.value.city,
        "state": item.value.region,
        "zipCode": item.value.postal_code,
        "country": item.value.country,
    }


def _card(shown: Mapping[str, Any]) -> Card:
    """Return a contact as a card, without what is empty."""
    found: dict[Role, Value] = {
        role: shown[name] for role, name in TEXTS.items() if name in shown
    }
    address = Address(
        street=shown.get("address", ""),
        city=shown.get("city", ""),
        region=shown.get("state", ""),
        postal_code=shown.get("zipCode", ""),
        country=shown.get("country", ""),
    )
    if address != Address():
        found[Role.ADDRESS] = (Item(value=address),)
    return found
