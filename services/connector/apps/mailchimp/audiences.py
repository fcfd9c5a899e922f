"""The audiences of an account and the fields of their members, read and remembered.

A member shows values by the tags of merge fields, so their types must be known to read
one; and each audience has fields of its own.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple

from proto.fields import FieldKind
from proto.ids import FieldId
from services.connector.apps.mailchimp import values, wire
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Call, Operation

PAGE: Final = 1_000
PAGES_MAX: Final = 10


class Audience(NamedTuple):
    """One audience; its id and name are a container's."""

    list_id: str
    name: str
    asks_twice: bool
    """Who signs up has to confirm it: what others say of consent is not enough."""


class MemberFields(NamedTuple):
    """The fields of one audience's members."""

    by_id: Mapping[FieldId, wire.MergeField]
    kinds: tuple[tuple[FieldId, str, FieldKind], ...]
    """Id, tag and kind of each, to read members by."""


def field_id_of(one: wire.MergeField) -> FieldId:
    """Return a field's id: two audiences may use one tag for different things."""
    return FieldId(f"{values.kind_of(one)}.{one.tag}")


class Catalogue:
    """Knows the audiences of one account."""

    def __init__(self) -> None:
        self._audiences: Mapping[str, Audience] | None = None
        self._fields: dict[str, MemberFields] = {}

    def read(self) -> Operation[Mapping[str, Audience]]:
        """Read the audiences, by id, and forget what was known of their fields."""
        found: dict[str, Audience] = {}
        for number in range(PAGES_MAX):
            answer = yield Call(
                method="GET",
                path="/lists",
                query=(
                    ("count", str(PAGE)),
                    ("offset", str(number * PAGE)),
                    ("fields", "lists.id,lists.name,lists.double_optin,total_items"),
                ),
            )
            page = answer.decode(wire.Audiences)
            found |= {
                one.id: Audience(one.id, one.name, one.double_optin)
                for one in page.lists
            }
            if (number + 1) * PAGE >= page.total_items:
                self._audiences, self._fields = found, {}
                return found
        raise CallFailed(Meaning.BROKEN, "audiences without an end")

    def get(self) -> Operation[Mapping[str, Audience]]:
        """Return the audiences, read now or before."""
        if self._audiences is not None:
            return self._audiences
        return (yield from self.read())

    @property
    def known(self) -> Mapping[str, Audience]:
        """Return the audiences as far as they were read."""
        return self._audiences or {}

    def forget(self) -> None:
        """Remember nothing: an audience is gone."""
        self._audiences, self._fields = None, {}

    def fields_of(self, list_id: str) -> Operation[MemberFields]:
        """Return the fields of an audience's members, read now or before."""
        known = self._fields.get(list_id)
        if known is not None:
            return known
        found: dict[FieldId, wire.MergeField] = {}
        for number in range(PAGES_MAX):
            answer = yield Call(
                method="GET",
                path=f"/lists/{list_id}/merge-fields",
                query=(("count", str(PAGE)), ("offset", str(number * PAGE))),
            )
            page = answer.decode(wire.MergeFields)
            found |= {field_id_of(one): one for one in page.merge_fields}
            if (number + 1) * PAGE >= page.total_items:
                kinds = tuple(
                    (field_id, one.tag, values.kind_of(one))
                    for field_id, one in found.items()
                )
                self._fields[list_id] = MemberFields(found, kinds)
                return self._fields[list_id]
        raise CallFailed(Meaning.BROKEN, "merge fields without an end")
