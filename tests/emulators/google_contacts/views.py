"""A contact as answers show it: the fields that a mask names, from its sources."""

from collections.abc import Sequence
from typing import Any, Final

from tests.emulators.google_contacts import shapes
from tests.emulators.google_contacts.book import Contact, State
from tests.emulators.google_contacts.groups import stamp
from tests.emulators.google_contacts.shapes import Entry

CONTACT: Final = "READ_SOURCE_TYPE_CONTACT"
PROFILE: Final = "READ_SOURCE_TYPE_PROFILE"
LISTED_MAX: Final = 100
"""A listing shows so many addresses and numbers of a contact, and leaves out others."""
_SHORTENED: Final = ("emailAddresses", "phoneNumbers")


def person(
    contact: Contact,
    mask: Sequence[str],
    *,
    sources: Sequence[str],
    state: State | None = None,
    is_listing: bool = False,
    is_sync: bool = False,
) -> dict[str, Any]:
    """Return a contact.

    Args:
        state: As a listing knows it; None: as it is.
        is_sync: Former names are told.
    """
    shown = contact.now if state is None else state
    found: dict[str, Any] = {"resourceName": contact.name, "etag": shown.etag}
    if shown.is_deleted:
        return found | {"metadata": {"deleted": True, "objectType": "PERSON"}}
    if "metadata" in mask:
        found["metadata"] = _metadata(contact, shown, sources, is_sync=is_sync)
    for field in mask:
        entries = list(_entries(contact, shown, field, sources))
        if is_listing and field in _SHORTENED:
            entries = entries[:LISTED_MAX]
        if entries:
            found[field] = entries
    return found


def _metadata(
    contact: Contact, shown: State, sources: Sequence[str], *, is_sync: bool
) -> dict[str, Any]:
    found: dict[str, Any] = {"objectType": "PERSON"}
    told: list[dict[str, Any]] = [
        {
            "type": "CONTACT",
            "id": contact.source_id,
            "etag": shown.source_etag,
            "updateTime": stamp(shown.at),
        }
    ]
    if contact.profile is not None and PROFILE in sources:
        told.append({"type": "PROFILE", "id": "1" + contact.source_id, "etag": "#p"})
    found["sources"] = told
    if is_sync and contact.previous_names:
        found["previousResourceNames"] = list(contact.previous_names)
    return found


def _entries(
    contact: Contact, shown: State, field: str, sources: Sequence[str]
) -> list[Entry]:
    of_contact = {"type": "CONTACT", "id": contact.source_id}
    if field == "memberships":
        return [
            {
                "metadata": {"source": of_contact},
                "contactGroupMembership": {
                    "contactGroupId": name.removeprefix("contactGroups/"),
                    "contactGroupResourceName": name,
                },
            }
            for name in shown.groups
        ]
    held = shown.held.get(field, [])
    flagged = [entry for entry in held if "metadata" in entry]
    first = next(iter((*flagged, *held)), None)
    found = [
        _entry(field, entry, source=of_contact, is_primary=entry is first)
        for entry in held
    ]
    if contact.profile is not None and PROFILE in sources:
        of_profile = {"type": "PROFILE", "id": "1" + contact.source_id}
        found += [
            _entry(field, entry, source=of_profile, is_primary=not held)
            for entry in contact.profile.get(field, ())
        ]
    return found


def _entry(
    field: str, entry: Entry, *, source: dict[str, str], is_primary: bool
) -> Entry:
    metadata: dict[str, Any] = {"source": source}
    if is_primary:
        metadata |= {"primary": True, "sourcePrimary": True}
    found: Entry = {"metadata": metadata}
    found |= {key: value for key, value in entry.items() if key != "metadata"}
    if "type" in entry:
        found["formattedType"] = str(entry["type"]).title()
    if field == "names":
        name = shapes.display_name(entry)
        family = entry.get("familyName", "")
        given = entry.get("givenName", "")
        found |= {
            "displayName": name,
            "displayNameLastFirst": ", ".join(filter(None, (family, given))),
            "unstructuredName": name,
        }
    elif field == "phoneNumbers" and str(entry.get("value", "")).startswith("+"):
        digits = "".join(one for one in entry["value"] if one.isdigit())
        found["canonicalForm"] = f"+{digits}"
    elif field == "addresses" and "formattedValue" not in entry:
        parts = ("streetAddress", "postalCode", "city", "region", "country")
        lines = (str(entry[part]) for part in parts if part in entry)
        found["formattedValue"] = "\n".join(lines)
    return found
