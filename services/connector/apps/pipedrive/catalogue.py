"""The fields of an account's persons, read once and remembered."""

from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from proto import codec
from proto.ids import FieldId
from services.connector.apps.pipedrive import values, wire
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Call, Operation

PATH: Final = "/personFields"
LIMIT_MAX: Final = 500
PAGES_MAX: Final = 20
MARKETING: Final = "marketing_status"
LABELS: Final = ("label_ids", "label")
"""What the field is called whose options are the labels of persons."""
BUSY_S: Final = 1.0
BUSY_MAX: Final = 10
"""How often to look whether a label is there that is just being made."""
SYNCED: Final = ("job_title", "birthday", "notes", "postal_address")
"""There where the company syncs contacts; no write takes them."""


class Definitions(msgspec.Struct, frozen=True, kw_only=True):
    """The fields that are shown."""

    custom: dict[FieldId, wire.Definition] = {}
    synced: tuple[str, ...] = ()
    has_campaigns: bool = False
    """The company mails by the vendor, so that persons have a marketing status."""
    label_field: str = ""
    labels: dict[int, str] = {}
    """The names of labels by their ids; two can have one name."""

    def label_ids(self, name: str) -> tuple[int, ...]:
        """Return the labels that have a name."""
        return tuple(each for each, one in self.labels.items() if one == name)


def compiled(found: Iterable[wire.Definition]) -> Definitions:
    """Return those of an account's fields that mean something to other apps."""
    known = {one.field_code: one for one in found}
    field = next((known[code] for code in LABELS if code in known), None)
    return Definitions(
        custom={
            FieldId(code): one
            for code, one in known.items()
            if one.is_custom_field
            and (one.field_type in values.KINDS or one.field_type in values.SHOWN)
        },
        synced=tuple(code for code in SYNCED if code in known),
        has_campaigns=MARKETING in known,
        label_field=field.field_code if field else "",
        labels={
            option.id: option.label
            for option in (field.options if field else None) or ()
            if isinstance(option.id, int)
        },
    )


class Catalogue:
    """Knows the fields of one account."""

    def __init__(self) -> None:
        self._definitions: Definitions | None = None
        self._nameless: set[int] = set()
        """Labels that persons have and the field has not."""
        self._making: set[str] = set()
        """Labels that are just being made, for somebody else."""

    def read(self, *, wait_s: float = 0.0) -> Operation[Definitions]:
        """Read all definitions."""
        found: list[wire.Definition] = []
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            query = [("limit", str(LIMIT_MAX))]
            if cursor:
                query.append(("cursor", cursor))
            answer = yield Call(
                method="GET", path=PATH, query=tuple(query), wait_s=wait_s
            )
            wait_s = 0.0
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

    def fitting(self, persons: Iterable[wire.Person]) -> Operation[Definitions]:
        """Return the definitions, read anew where somebody has a label that is new."""
        known = yield from self.get()
        held = {each for one in persons for each in one.label_ids or ()}
        if held <= known.labels.keys() | self._nameless:
            return known
        known = yield from self.read()
        self._nameless |= held - known.labels.keys()
        return known

    def labels(self, names: Sequence[str]) -> Operation[dict[str, int] | None]:
        """Return a label for each of some names; make those that are not there.

        None where the company has no field for them. What others are making is waited
        for, or there would be two labels with one name.
        """
        known = yield from self.get()
        if not names:
            return {}
        if any(not known.label_ids(name) for name in names):
            # It may have been made since.
            known = yield from self.read()
        for _ in range(BUSY_MAX):
            if self._making.isdisjoint(names):
                break
            known = yield from self.read(wait_s=BUSY_S)
        missing = [name for name in names if not known.label_ids(name)]
        if not known.label_field:
            return None
        if missing:
            known = yield from self._make(missing, known.label_field)
        return {name: known.label_ids(name)[0] for name in names}

    def _make(self, names: Sequence[str], field: str) -> Operation[Definitions]:
        self._making |= set(names)
        try:
            answer = yield Call(
                method="POST",
                path=f"{PATH}/{field}/options",
                body=codec.encode([{"label": name} for name in names]),
                is_write=True,
            )
        finally:
            self._making -= set(names)
        made = answer.decode(wire.Options).data
        known = yield from self.get()
        labels = {one.id: one.label for one in made if isinstance(one.id, int)}
        found = msgspec.structs.replace(known, labels=known.labels | labels)
        if any(not found.label_ids(name) for name in names):
            raise CallFailed(Meaning.BROKEN, "other labels than were asked for")
        self._definitions = found
        return found
