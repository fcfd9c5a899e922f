"""The properties of an account's contacts, read once and remembered.

A contact shows the properties that were asked for, so their names must be known to
read it.
"""

from collections.abc import Mapping

from services.connector.apps.hubspot import wire
from services.connector.port import Call, Operation

PATH = "/crm/v3/properties/contacts"
OPTED_OUT = "hs_email_optout"
MERGED_IDS = "hs_merged_object_ids"
CHANGED_AT = "lastmodifieddate"
MORE_EMAILS = "hs_additional_emails"
INTERNAL = (OPTED_OUT, MERGED_IDS, CHANGED_AT, MORE_EMAILS)
"""Read of every contact, and no fields."""

Definitions = Mapping[str, wire.Property]
"""The properties that are fields, by name."""


class Catalogue:
    """Knows the properties of one account."""

    def __init__(self) -> None:
        self._definitions: Definitions | None = None

    def read(self) -> Operation[Definitions]:
        """Read all definitions."""
        answer = yield Call(method="GET", path=PATH)
        found = answer.decode(wire.Properties).results
        self._definitions = {one.name: one for one in found if _is_field(one)}
        return self._definitions

    def get(self) -> Operation[Definitions]:
        """Return the definitions, read now or before."""
        if self._definitions is not None:
            return self._definitions
        return (yield from self.read())


def names_of(definitions: Definitions) -> tuple[str, ...]:
    """Return the names of all properties to ask for."""
    return (*definitions, *INTERNAL)


def _is_field(one: wire.Property) -> bool:
    """Tell what users see and fill in from what the vendor keeps for itself.

    Options that come from elsewhere (owners, for one) mean nothing to another app.
    """
    if one.name in INTERNAL or one.hidden or one.archived or one.external_options:
        return False
    return one.field_type != "file" and (one.is_writable or not one.hubspot_defined)
