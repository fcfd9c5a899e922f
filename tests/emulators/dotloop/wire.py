"""A contact as it is kept, and as it comes in: every property is text."""

from typing import Any, Final, Literal

from msgspec import UNSET, Struct, UnsetType


class Contact(Struct, kw_only=True, gc=False, rename="camel"):
    """One contact; a property without a value is an empty text."""

    id: int
    first_name: str = ""
    last_name: str = ""
    email: str = ""
    home: str = ""
    office: str = ""
    fax: str = ""
    address: str = ""
    city: str = ""
    zip_code: str = ""
    state: str = ""
    country: str = ""
    updated: str

    def shown(self, empties: Literal["omitted", "null", "text"]) -> dict[str, Any]:
        """Return it as answers show it."""
        found: dict[str, Any] = {"id": self.id}
        for name, shown in TEXTS.items():
            text = getattr(self, name)
            if text or empties == "text":
                found[shown] = text
            elif empties == "null":
                found[shown] = None
        return found | {"updated": self.updated}


TEXTS: Final = {
    name: shown
    for name, shown in zip(
        Contact.__struct_fields__, Contact.__struct_encode_fields__, strict=True
    )
    if name not in ("id", "updated")
}
"""The properties that can be written, with the names that the vendor gives them."""


class Body(Struct, kw_only=True, rename="camel"):
    """What a write mentions; a null is not mentioned, an empty text empties."""

    first_name: str | None | UnsetType = UNSET
    last_name: str | None | UnsetType = UNSET
    email: str | None | UnsetType = UNSET
    home: str | None | UnsetType = UNSET
    office: str | None | UnsetType = UNSET
    fax: str | None | UnsetType = UNSET
    address: str | None | UnsetType = UNSET
    city: str | None | UnsetType = UNSET
    zip_code: str | None | UnsetType = UNSET
    state: str | None | UnsetType = UNSET
    country: str | None | UnsetType = UNSET

    def mentioned(self) -> dict[str, str]:
        """Return the properties that are to be set."""
        values = {name: getattr(self, name) for name in TEXTS}
        return {name: text for name, text in values.items() if isinstance(text, str)}


class Seed(Body, kw_only=True):
    """A contact with a past."""

    updated: str | None = None
