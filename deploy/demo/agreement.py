"""Do the two sides agree? Asks both servers and compares person by person.

Independent of Tandem: emails pair the people, and what is compared is what both apps
can hold. Used by the demo's last line; the tests have a comparison of their own.
"""

import re
from collections import Counter
from typing import Any, Final, NamedTuple

from deploy.demo.vendors import CardDav, ConstantContact

_PART: Final = re.compile(r"(?:^|;)((?:\\.|[^\\;])*)")
_ESCAPED: Final = re.compile(r"\\(.)")


class Agreement(NamedTuple):
    """The outcome of a comparison."""

    people: int
    """With an email, on both sides."""
    missing_left: list[str]
    missing_right: list[str]
    doubled: list[str]
    different: list[str]
    """``email: field``."""

    @property
    def is_whole(self) -> bool:
        """Whether nothing is missing, doubled or different."""
        return not (
            self.missing_left or self.missing_right or self.doubled or self.different
        )


async def compare(left: ConstantContact, right: CardDav) -> Agreement:
    """Read both sides completely and compare them."""
    contacts = [c for c in await left.contacts() if not c.get("deleted_at")]
    cards = [_properties(text) for text in (await right.cards()).values()]
    by_email: dict[str, dict[str, list[str]]] = {}
    counts: Counter[str] = Counter()
    for properties in cards:
        for email in properties.get("EMAIL", []):
            by_email[email.lower()] = properties
            counts[email.lower()] += 1
    doubled = [email for email, count in counts.items() if count > 1]
    missing_right, different, paired = [], [], []
    for contact in contacts:
        email = contact.get("email_address", {}).get("address", "").lower()
        if not email:
            continue
        properties = by_email.get(email)
        if properties is None:
            missing_right.append(email)
            continue
        paired.append(id(properties))
        different += [f"{email}: {name}" for name in _differences(contact, properties)]
    doubled += [f"card {n}" for n, count in Counter(paired).items() if count > 1]
    known = set(paired)
    missing_left = [
        properties["EMAIL"][0]
        for properties in cards
        if properties.get("EMAIL") and id(properties) not in known
    ]
    return Agreement(
        people=len(known),
        missing_left=missing_left,
        missing_right=missing_right,
        doubled=doubled,
        different=different,
    )


def _differences(contact: dict[str, Any], card: dict[str, list[str]]) -> list[str]:
    name = [*_parts(card, "N"), ""]
    pairs = {
        "last name": (contact.get("last_name", ""), name[0]),
        "first name": (contact.get("first_name", ""), name[1]),
        "job title": (contact.get("job_title", ""), _text(_first(card, "TITLE"))),
        "company": (contact.get("company_name", ""), _parts(card, "ORG")[0]),
    }
    found = [field for field, (left, right) in pairs.items() if left != right]
    phones = {_digits(p["phone_number"]) for p in contact.get("phone_numbers", ())}
    if not phones <= {_digits(text) for text in card.get("TEL", [])}:
        found.append("phones")
    return found


def _properties(card: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in card.splitlines():
        head, _, value = line.partition(":")
        name = head.split(";")[0].rpartition(".")[2].upper()
        found.setdefault(name, []).append(value)
    return found


def _parts(card: dict[str, list[str]], name: str) -> list[str]:
    """Return the parts of a structured value; there is always a first one."""
    return [_text(part) for part in _PART.findall(_first(card, name))]


def _text(value: str) -> str:
    """Return the text that an escaped value stands for."""
    return _ESCAPED.sub(lambda found: "\n" if found[1] in "nN" else found[1], value)


def _first(card: dict[str, list[str]], name: str) -> str:
    return card.get(name, [""])[0]


def _digits(text: str) -> str:
    """Return the end of a number, which no way of writing changes."""
    return re.sub(r"\D", "", text)[-6:]
