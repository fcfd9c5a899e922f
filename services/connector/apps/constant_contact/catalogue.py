"""The definitions of an account's custom fields, read once and remembered.

A contact shows only ids of custom fields, so their types must be known to read it.
"""

from collections.abc import Iterable

from proto.fields import Fields
from services.connector.apps.constant_contact import custom, wire
from services.connector.apps.constant_contact.paging import Pager
from services.connector.port import Operation

PAGE_SIZE = 100
PAGES_MAX = 5
"""An account holds at most 100 custom fields; this leaves room for short pages."""


class Catalogue:
    """Knows the custom fields, and reads them again when a contact shows a new one."""

    def __init__(self, pager: Pager) -> None:
        self._pager = pager
        self._definitions: dict[str, wire.CustomField] | None = None
        self._undefined: set[str] = set()
        """Ids that contacts show although the account no longer defines them."""

    @property
    def known(self) -> custom.Definitions:
        """The definitions as far as they were read."""
        return self._definitions or {}

    def read(self) -> Operation[custom.Definitions]:
        """Read all definitions."""
        pages = yield from self._pager.read_all(
            "/contact_custom_fields",
            into=wire.CustomFields,
            limit=PAGE_SIZE,
            pages_max=PAGES_MAX,
        )
        self._definitions = {
            one.custom_field_id: one for page in pages for one in page.custom_fields
        }
        return self._definitions

    def for_contacts(
        self, contacts: Iterable[wire.Contact]
    ) -> Operation[custom.Definitions]:
        """Return the definitions with which these contacts can be read."""
        return (
            yield from self._holding(
                entry.custom_field_id
                for contact in contacts
                for entry in contact.custom_fields or ()
            )
        )

    def for_write(self, values: Fields) -> Operation[custom.Definitions]:
        """Return the definitions for a write and for reading what it answers."""
        return (
            yield from self._holding(
                field_id.removeprefix(custom.ID_PREFIX)
                for field_id in values
                if field_id.startswith(custom.ID_PREFIX)
            )
        )

    def _holding(self, numbers: Iterable[str]) -> Operation[custom.Definitions]:
        wanted = set(numbers) - self._undefined
        if self._definitions is not None and wanted <= self._definitions.keys():
            return self._definitions
        definitions = yield from self.read()
        self._undefined |= wanted - definitions.keys()
        return definitions
