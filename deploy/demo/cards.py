"""A person as Constant Contact's JSON and as a vCard, as other programs write them.

Written for the demo alone: the apps have readers and writers of their own.
"""

import uuid
from typing import Any, Final

from deploy.demo.people import Person, Place

_TYPES: Final = {"mobile": "CELL", "work": "WORK", "home": "HOME"}


def contact(person: Person) -> dict[str, Any]:
    """Return the body with which the emulator is filled."""
    body: dict[str, Any] = {
        "first_name": person.given,
        "last_name": person.family,
        "create_source": "Account",
    }
    if person.emails:
        body["email_address"] = {
            "address": person.emails[0],
            "permission_to_send": "implicit",
        }
    if person.company:
        body["company_name"] = person.company
    if person.job:
        body["job_title"] = person.job
    if person.birthday:
        body["birthday_month"], body["birthday_day"] = person.birthday
    if person.phones:
        body["phone_numbers"] = [
            {"phone_number": number, "kind": label} for label, number in person.phones
        ]
    if person.places:
        body["street_addresses"] = [_street(place) for place in person.places]
    return body


def card(person: Person) -> str:
    """Return a vCard 3.0, lines folded by nobody: short ones need no folding."""
    lines = [
        "BEGIN:VCARD",
        "VERSION:3.0",
        f"UID:{uid(person)}",
        f"FN:{_escaped(f'{person.given} {person.family}')}",
        f"N:{_escaped(person.family)};{_escaped(person.given)};;;",
        *(f"EMAIL;TYPE=INTERNET:{_escaped(email)}" for email in person.emails),
        *(
            f"TEL;TYPE={_TYPES[label]}:{_escaped(number)}"
            for label, number in person.phones
        ),
        *(_adr(place) for place in person.places),
    ]
    if person.company:
        lines.append(f"ORG:{_escaped(person.company)}")
    if person.job:
        lines.append(f"TITLE:{_escaped(person.job)}")
    if person.birthday:
        month, day = person.birthday
        lines.append(f"BDAY:1980-{month:02d}-{day:02d}")
    # Kept by every program that does not know it.
    lines.append(f"X-CUSTOMER-NUMBER:{person.number}")
    return "\r\n".join([*lines, "END:VCARD", ""])


def uid(person: Person) -> str:
    """Return the card's own identifier, the same in every run."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"demo/{person.number}"))


def _street(place: Place) -> dict[str, str]:
    parts = {
        "kind": place.label,
        "street": place.street,
        "city": place.city,
        "state": place.region,
        "postal_code": place.postal_code,
        "country": place.country,
    }
    return {name: text for name, text in parts.items() if text}


def _adr(place: Place) -> str:
    parts = ("", "", place.street, place.city, place.region)
    parts += (place.postal_code, place.country)
    texts = ";".join(_escaped(part) for part in parts)
    return f"ADR;TYPE={place.label.upper()}:{texts}"


def _escaped(text: str) -> str:
    for character in ("\\", ";", ","):
        text = text.replace(character, "\\" + character)
    return text.replace("\n", "\\n")
