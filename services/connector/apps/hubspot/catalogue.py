"""The properties of an account's contacts, read once and remembered.

A contact shows the properties that were asked for, so their names must be known to
read it.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from proto.ids import FieldId
from services.connector.apps.hubspot import values, wire
from services.connector.port import Call, Operation

PATH = "/crm/v3/properties/contacts"
OPTED_OUT = "hs_email_optout"
MERGED_IDS = "hs_merged_object_ids"
CHANGED_AT = "lastmodifieddate"
MORE_EMAILS = "hs_additional_emails"
INTERNAL = (OPTED_OUT, MERGED_IDS, CHANGED_AT, MORE_EMAILS)
"""Read of every contact, and no fields."""
PARTS = {
    "address": "street",
    "city": "city",
    "state": "region",
    "zip": "postal_code",
    "country": "country",
}
"""Properties that together are one field, and what each is in an address."""


class Definitions(NamedTuple):
    """The properties that are fields, and how they are read."""

    by_name: Mapping[str, wire.Property]
    texts: tuple[FieldId, ...]
    """Those whose text is the value."""
    readers: tuple[tuple[FieldId, values.Reader], ...]
    """All others but the parts of the address."""
    has_address: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all properties to ask for."""
        return (*self.by_name, *INTERNAL)


def compiled(properties: Iterable[wire.Property]) -> Definitions:
    """Return those of an account's properties that are fields."""
    by_name = {one.name: one for one in properties if _is_field(one)}
    readers = {
        FieldId(name): values.reader_of(one)
        for name, one in by_name.items()
        if name not in PARTS
    }
    return Definitions(
        by_name=by_name,
        texts=tuple(name for name, reader in readers.items() if reader is None),
        readers=tuple((name, reader) for name, reader in readers.items() if reader),
        has_address=not PARTS.keys().isdisjoint(by_name),
    )


NOTHING = compiled(())
"""Enough to read who is archived."""


class Catalogue:
    """Knows the properties of one account."""

    def __init__(self) -> None:
        self._definitions: Definitions | None = None

    def read(self) -> Operation[Definitions]:
        """Read all definitions."""
        answer = yield Call(method="GET", path=PATH)
        self._definitions = compiled(answer.decode(wire.Properties).results)
        return self._definitions

    def get(self) -> Operation[Definitions]:
        """Return the definitions, read now or before."""
        if self._definitions is not None:
            return self._definitions
        return (yield from self.read())


def _is_field(one: wire.Property) -> bool:
    """Tell what users see and fill in from what the vendor keeps for itself.

    Options that come from elsewhere (owners, for one) mean nothing to another app.
    """
    if one.name in INTERNAL or one.hidden or one.archived or one.external_options:
        return False
    return one.field_type != "file" and (one.is_writable or not one.hubspot_defined)
