"""What a person may hold, by the vendor's description; what comes in is checked."""

import datetime
from collections.abc import Mapping, Sequence
from typing import Any, Final

from tests.emulators.google_contacts.problems import Refused

SINGLETONS: Final = ("biographies", "birthdays", "genders", "names")
OUTPUT_ONLY: Final = frozenset(
    "canonicalForm displayNameLastFirst formattedProtocol formattedType"
    " metadata".split()
)
_LABELLED: Final = frozenset({"value", "type"})
_NAMES: Final = frozenset(
    "displayName familyName givenName honorificPrefix honorificSuffix middleName"
    " phoneticFamilyName phoneticFullName phoneticGivenName phoneticHonorificPrefix"
    " phoneticHonorificSuffix phoneticMiddleName unstructuredName".split()
)
_ADDRESSES: Final = frozenset(
    "city country countryCode extendedAddress formattedValue poBox postalCode region"
    " streetAddress type".split()
)
_ORGANIZATIONS: Final = frozenset(
    "costCenter current department domain endDate fullTimeEquivalentMillipercent"
    " jobDescription location name phoneticName startDate symbol title type".split()
)
KEYS: Final[Mapping[str, frozenset[str]]] = {
    "addresses": _ADDRESSES,
    "biographies": frozenset({"value", "contentType"}),
    "birthdays": frozenset({"date", "text"}),
    "calendarUrls": frozenset({"url", "type"}),
    "clientData": frozenset({"key", "value"}),
    "emailAddresses": _LABELLED | {"displayName"},
    "events": frozenset({"date", "type"}),
    "externalIds": _LABELLED,
    "fileAses": frozenset({"value"}),
    "genders": frozenset({"value", "addressMeAs"}),
    "imClients": frozenset({"username", "type", "protocol"}),
    "interests": frozenset({"value"}),
    "locales": frozenset({"value"}),
    "miscKeywords": _LABELLED,
    "names": _NAMES,
    "nicknames": _LABELLED,
    "occupations": frozenset({"value"}),
    "organizations": _ORGANIZATIONS,
    "phoneNumbers": _LABELLED,
    "relations": frozenset({"person", "type"}),
    "sipAddresses": _LABELLED,
    "urls": _LABELLED,
    "userDefined": frozenset({"key", "value"}),
}
"""The keys that an entry of a field may have; of names the shown form is ignored."""
WRITABLE: Final = frozenset({*KEYS, "memberships"}) - {"fileAses"}
READABLE: Final = frozenset(
    {
        *KEYS,
        "memberships",
        "metadata",
        "photos",
        "coverPhotos",
        "ageRanges",
        "locations",
    }
    | {"skills"}
)
_IGNORED: Final = frozenset({"resourceName", "etag", "metadata", "photos"})

Entry = dict[str, Any]
Held = dict[str, list[Entry]]
"""What a person holds, by field; nothing of it is empty."""


def held(body: Mapping[str, Any]) -> Held:
    """Return what a body says a person holds, memberships aside.

    Raises:
        Refused: It is nothing that a person can hold.
    """
    found: Held = {}
    for field, entries in body.items():
        if field in _IGNORED or field == "memberships":
            continue
        if field not in KEYS:
            raise Refused(f'Unknown name "{field}": Cannot find field.')
        if not isinstance(entries, list):
            raise Refused(f"Invalid value at 'person.{field}'")
        if field in SINGLETONS and len(entries) > 1:
            raise Refused(f"More than one {field} is specified on a contact")
        kept = [_entry(field, entry) for entry in entries]
        if kept := [entry for entry in kept if entry.keys() - {"type", "metadata"}]:
            found[field] = kept
    return found


def groups(body: Mapping[str, Any]) -> list[str]:
    """Return the groups that a body says a person is in."""
    named = []
    for entry in body.get("memberships", ()):
        membership = entry.get("contactGroupMembership", {})
        if name := membership.get("contactGroupResourceName", ""):
            named.append(name)
    return list(dict.fromkeys(named))


def mask(text: str, allowed: frozenset[str], *, of: str) -> list[str]:
    """Return the fields that a mask names.

    Raises:
        Refused: It names none, or something that is no field.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise Refused(f"{of} mask is required. Please specify one or more valid paths.")
    for name in names:
        if name not in allowed:
            raise Refused(f'Invalid {of} mask path: "{name}".')
    return list(dict.fromkeys(names))


def _entry(field: str, entry: Any) -> Entry:
    if not isinstance(entry, dict):
        raise Refused(f"Invalid value at 'person.{field}'")
    kept: Entry = {}
    for key, value in entry.items():
        if key == "metadata" and value.get("sourcePrimary") is True:
            kept["metadata"] = {"sourcePrimary": True}
        if key in OUTPUT_ONLY or (field, key) == ("names", "displayName"):
            continue
        if key not in KEYS[field]:
            raise Refused(f'Unknown name "{key}" at person.{field}')
        if key in ("date", "startDate", "endDate"):
            kept[key] = _date(value)
        elif value not in ("", None):
            kept[key] = value
    if field == "names":
        _complete(kept)
    return kept


def _date(value: Any) -> dict[str, int]:
    if not isinstance(value, dict) or not value.keys() <= {"year", "month", "day"}:
        raise Refused("Invalid value of a date")
    year, month, day = (value.get(part, 0) for part in ("year", "month", "day"))
    try:
        # A leap year stands in for none, so that the 29th of February has a place.
        datetime.date(year or 2000, month or 1, day or 1)
    except (ValueError, TypeError, OverflowError) as err:
        raise Refused("Invalid date") from err
    if day and not month:
        raise Refused("Invalid date")
    parts = {"year": year, "month": month, "day": day}
    return {part: number for part, number in parts.items() if number}


def _complete(name: Entry) -> None:
    """Take a name apart that came in one piece."""
    parts = ("honorificPrefix", "givenName", "middleName", "familyName")
    if "unstructuredName" in name and not any(part in name for part in parts):
        given, _, family = str(name["unstructuredName"]).rpartition(" ")
        name["givenName"] = given or family
        if given:
            name["familyName"] = family


def display_name(name: Mapping[str, Any]) -> str:
    """Return a name as it is shown: as somebody put it, or else made of its parts."""
    if free := name.get("unstructuredName"):
        return str(free)
    parts = ("honorificPrefix", "givenName", "middleName", "familyName")
    shown = " ".join(name[part] for part in parts if part in name)
    suffix = name.get("honorificSuffix", "")
    return ", ".join(filter(None, (shown, suffix)))


def checked_groups(
    names: Sequence[str], *, known: Mapping[str, bool], before: Sequence[str] = ()
) -> list[str]:
    """Return the groups of a person, as they may be.

    Args:
        known: Whether anybody may be added, by the group's name.
        before: Where the person is already.

    Raises:
        Refused: There is no such group, or nobody can be added to it any more.
    """
    for name in names:
        if name not in known:
            raise Refused(f"Contact group {name} does not exist")
        if name not in before and not known[name]:
            raise Refused(f"Contacts cannot be added to {name}")
    return list(names)
