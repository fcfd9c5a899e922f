"""What both vendors hold, read side by side: the mapping table, written once more.

Apart from the apps' own code, so that a fault of theirs shows. Used by the demo's
comparison and by the random walk of the tests.
"""

import re
from dataclasses import dataclass, field
from typing import Any

from deploy.demo.vendors import CardDav, ConstantContact

SCALARS = ("given", "family", "job", "company", "birthday", "anniversary")
ITEMS = ("phones", "addresses")
LEFT_NAMES = {
    "given": "first_name",
    "family": "last_name",
    "job": "job_title",
    "company": "company_name",
    "anniversary": "anniversary",
}
LEFT_LENGTHS = {"given": 50, "family": 50, "job": 50, "company": 50}
LEFT_PHONE_LENGTH, LEFT_PARTS_LENGTH, LEFT_STREET_LENGTH = 25, 50, 255
LEFT_ITEMS = 3
LEFT_LABELS = {
    "phones": ("home", "work", "mobile", "other"),
    "addresses": ("home", "work", "other"),
}
MAPPING_IDS = {
    "given": "name.given",
    "family": "name.family",
    "job": "job_title",
    "company": "company",
    "birthday": "birthday",
    "anniversary": "anniversary",
    "phones": "phone",
    "addresses": "address",
    "email": "email",
}
MAPPED_LINES = ("N", "FN", "EMAIL", "TEL", "ADR", "ORG", "TITLE", "BDAY")
_KINDS = {"CELL": "mobile", "WORK": "work", "HOME": "home", "FAX": "fax"}
_UNMAPPED_LEFT = ("custom_fields", "list_memberships", "taggings", "notes")


@dataclass(kw_only=True)
class Look:
    """One record as its vendor shows it."""

    values: dict[str, str]
    """By the names of ``SCALARS``; empty text where there is nothing."""
    items: dict[str, dict[str, tuple[str, Any]]]
    """By the names of ``ITEMS``: key, label and the value itself."""
    emails: list[str]
    rest: object
    """Everything that no mapping speaks of."""
    is_deleted: bool = False
    permission: str = ""
    raw: Any = field(default=None, repr=False)


async def left_looks(left: ConstantContact) -> dict[str, Look]:
    """Return every contact by its id, deleted ones too."""
    return {one["contact_id"]: of_contact(one) for one in await left.contacts()}


async def right_looks(right: CardDav) -> dict[str, Look]:
    """Return every card by its path."""
    return {path: of_card(text) for path, text in (await right.cards()).items()}


def of_contact(contact: dict[str, Any]) -> Look:
    """Return what a contact of the emulator says."""
    values = {name: contact.get(own) or "" for name, own in LEFT_NAMES.items()}
    month, day = contact.get("birthday_month"), contact.get("birthday_day")
    values["birthday"] = f"{month:02}-{day:02}" if month and day else ""
    phones = {
        phone_key(one["phone_number"]): (one.get("kind", ""), one["phone_number"])
        for one in contact.get("phone_numbers", ())
    }
    places = {}
    for one in contact.get("street_addresses", ()):
        parts = tuple(
            one.get(name) or ""
            for name in ("street", "city", "state", "postal_code", "country")
        )
        places[place_key(parts)] = (one["kind"], parts)
    email = contact.get("email_address") or {}
    return Look(
        values=values,
        items={"phones": phones, "addresses": places},
        emails=[email["address"]] if email.get("address") else [],
        rest=[contact.get(name) for name in _UNMAPPED_LEFT],
        is_deleted=bool(contact.get("deleted_at")),
        permission=email.get("permission_to_send", ""),
        raw=contact,
    )


def of_card(text: str) -> Look:
    """Return what a card says."""
    lines = [parsed(line) for line in text.splitlines() if line]
    name = [*_split(_first(lines, "N"), ";"), *[""] * 5]
    company = _split(_first(lines, "ORG"), ";")
    values = {
        "given": name[1],
        "family": name[0],
        "job": unescape(_first(lines, "TITLE")),
        "company": company[0] if company else "",
        "birthday": _day(lines, "BDAY"),
        "anniversary": _day(lines, "X-ANNIVERSARY") or _day(lines, "ANNIVERSARY"),
    }
    phones: dict[str, tuple[str, Any]] = {}
    places: dict[str, tuple[str, Any]] = {}
    own = {group: "other" for group, key, _, _ in lines if key == "X-ABLABEL"}
    for group, key, types, value in lines:
        if key == "TEL":
            number = unescape(value)
            label = own.get(group) or _label(types)
            phones.setdefault(phone_key(number), (label, number))
        elif key == "ADR":
            parts = tuple([*_split(value, ";"), *[""] * 7][2:7])
            if any(parts):
                places.setdefault(place_key(parts), (_label(types), parts))
    # A label of somebody's own goes with the number that it is on.
    mapped = (*MAPPED_LINES, "X-ANNIVERSARY", "PRODID")
    kept = {group for group, key, _, _ in lines if key[:4] != "X-AB" or "RELA" in key}
    kept -= {group for group, key, _, _ in lines if key in mapped}
    rest = sorted(
        line
        for line in text.splitlines()
        if line
        and parsed(line)[1] not in mapped
        and (parsed(line)[1] != "X-ABLABEL" or parsed(line)[0] in kept)
    )
    return Look(
        values=values,
        items={"phones": phones, "addresses": places},
        emails=[unescape(v) for _, key, _, v in lines if key == "EMAIL"],
        rest=[rest, name[2:5], company[1:]],
        raw=text,
    )


def parsed(line: str) -> tuple[str, str, str, str]:
    """Return group, name, parameters and value of a line."""
    head, _, value = line.partition(":")
    name, _, parameters = head.partition(";")
    group, _, bare = name.rpartition(".")
    return group, bare.upper(), parameters.upper(), value


def phone_key(number: str) -> str:
    """Return the end of a number, which no way of writing changes."""
    return re.sub(r"\D", "", number)[-6:] or number


def place_key(parts: tuple[str, ...]) -> str:
    """Return an address evened out."""
    return "|".join(" ".join(part.split()).casefold() for part in parts)


def same(name: str, *values: str) -> bool:
    """Say whether values of a field, from either side, come to the same."""
    if name == "birthday":
        values = tuple(value[-5:] for value in values)
    return len(set(values)) == 1


def cannot_cross(name: str, *, left: Look, right: Look) -> bool:
    """Say whether the left has no room for what the right has in a field."""
    if name == "phones":
        return any(
            len(number) > LEFT_PHONE_LENGTH for _, number in right.items[name].values()
        )
    if name == "addresses":
        return any(
            len(parts[0]) > LEFT_STREET_LENGTH
            or any(len(part) > LEFT_PARTS_LENGTH for part in parts[1:])
            for _, parts in right.items[name].values()
        )
    value = right.values[name]
    if name == "birthday":
        return left.values[name] == "02-29" and len(value) == 10
    if name == "anniversary":
        return bool(value) and len(value) == 5
    return len(value) > LEFT_LENGTHS[name]


def differences(left: Look, right: Look) -> list[str]:
    """Return the fields in which two records differ that could be the same."""
    found = [
        name
        for name in SCALARS
        if not same(name, left.values[name], right.values[name])
    ]
    found += [name for name in ITEMS if not _same_items(name, left=left, right=right)]
    theirs = [email.lower() for email in right.emails]
    found += ["email" for email in left.emails if email.lower() not in theirs]
    return [
        name
        for name in found
        if name == "email" or not cannot_cross(name, left=left, right=right)
    ]


def left_label(name: str, label: str) -> str:
    """Return what the left calls an item that the right has under a label."""
    return label if label in LEFT_LABELS[name] else "other"


def _same_items(name: str, *, left: Look, right: Look) -> bool:
    """Compare items both ways; what does not fit into a full left is no difference."""
    mine, theirs = left.items[name], right.items[name]
    is_full = len(mine) >= LEFT_ITEMS
    return (
        mine.keys() <= theirs.keys()
        and (is_full or theirs.keys() <= mine.keys())
        and all(
            mine[key][0] == left_label(name, theirs[key][0])
            for key in mine.keys() & theirs.keys()
        )
    )


def unescape(text: str) -> str:
    """Undo what vCard does to text."""
    return re.sub(
        r"\\(.)", lambda m: "\n" if m[1] in "nN" else m[1], text, flags=re.DOTALL
    ).strip()


def escape(text: str) -> str:
    """Write text as a vCard does."""
    for character in ("\\", ";", ","):
        text = text.replace(character, "\\" + character)
    return text.replace("\n", "\\n")


def _split(text: str, mark: str) -> list[str]:
    parts = re.split(rf"(?<!\\){mark}", text)
    return [unescape(part) for part in parts]


def _first(lines: list[tuple[str, str, str, str]], key: str) -> str:
    return next((value for _, name, _, value in lines if name == key), "")


def _label(types: str) -> str:
    for kind, label in _KINDS.items():
        if re.search(rf"\b{kind}\b", types):
            return label
    return "other" if re.search(r"\bOTHER\b", types) else ""


def _day(lines: list[tuple[str, str, str, str]], key: str) -> str:
    value = _first(lines, key)
    return value[5:] if value.startswith("1604-") else value.removeprefix("--")
