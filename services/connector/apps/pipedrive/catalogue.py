"""The fields of an account's persons, read once and remembered."""

from collections.abc import Iterable
from typing import Final

import msgspec

from proto.ids import FieldId
from services.connector.apps.pipedrive import values, wire
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Call, Operation

PATH: Final = "/personFields"
LIMIT_MAX: Final = 500
PAGES_MAX: Final = 20
MARKETING: Final = "marketing_status"
SYNCED: Final = ("job_title", "birthday", "notes", "postal_address")
"""There where the company syncs contacts; no write takes them."""


class Definitions(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that are shown."""

    custom: dict[FieldId, wire.Definition] = {}
    synced: tuple[str, ...] = ()
    has_campaigns: bool = False
    """The company mails by the vendor, so that persons have a marketing status."""


def compiled(found: Iterable[wire.Definition]) -> Definitions:
    """Return those of an account's fields that mean something to other apps."""
    known = {one.field_code: one for one in found}
    return Definitions(
        custom={
            FieldId(code): one
            for code, one in known.items()
            if one.is_custom_field
            and (one.field_type in values.KINDS or one.field_type in values.SHOWN)
        },
        synced=tuple(code for code in SYNCED if code in known),
        has_campaigns=MARKETING in known,
    )


class Catalogue:
    """Knows the fields of one account."""

    def __init__(self) -> None:
        self._definitions: Definitions | None = None

    def read(self) -> Operation[Definitions]:
        """Read all definitions."""
        found: list[wire.Definition] = []
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            query = [("limit", str(LIMIT_MAX))]
            if cursor:
                query.append(("cursor", cursor))
            answer = yield Call(method="GET", path=PATH, query=tuple(query))
            page = answer.decode(wire.Definitions)
            found += page.data
            cursor = page.additional_data.next_cursor if page.additional_data else None
            if not cursor:
                self._definitions = compiled(found)
                return self._definitions
        raise CallFailed(Meaning.BROKEN, "the fields have no end")

    def get(self) -> Operation[Definitions]:
        """Return the definitions, read now or before."""
        if self._definitions is not None:
            return self._definitions
        return (yield from self.read())
