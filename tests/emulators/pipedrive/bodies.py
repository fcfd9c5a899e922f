"""What writes may say: strictly what is described, with numbers as numbers."""

from typing import Any, Literal

import msgspec

from tests.emulators.core.bodies import reader
from tests.emulators.pipedrive import problems


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """An email or a phone."""

    value: str
    primary: bool = False
    label: str = "work"


class Body(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """A person; what is not mentioned is left."""

    name: str | None = None
    emails: list[Entry] | None = None
    phones: list[Entry] | None = None
    owner_id: int | None = None
    label_ids: list[int] | None = None
    marketing_status: (
        Literal["no_consent", "unsubscribed", "subscribed", "archived"] | None
    ) = None
    custom_fields: dict[str, Any] | None = None


class NewOption(msgspec.Struct, kw_only=True):
    """An option of a field to be defined."""

    label: str


class NewField(msgspec.Struct, kw_only=True):
    """A field to be defined."""

    field_name: str
    field_type: str
    options: list[NewOption] = []


class Merge(msgspec.Struct, kw_only=True):
    """With whom a person is to be merged, and who stays."""

    merge_with_id: int


person = reader(Body, problems.unreadable)
new_options = reader(list[NewOption], problems.unreadable)
new_field = reader(NewField, problems.unreadable)
merge = reader(Merge, problems.unreadable)
