"""Merge fields: what members can hold, and which values each type takes."""

import datetime
import re
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Final, Literal

import msgspec

from tests.emulators.mailchimp.problems import Fault

Type = Literal[
    "text",
    "number",
    "address",
    "phone",
    "date",
    "url",
    "imageurl",
    "radio",
    "dropdown",
    "birthday",
    "zip",
]
EMPTY: Final = ""
TAG_LENGTH_MAX: Final = 10
_PARTS: Final = ("addr1", "addr2", "city", "state", "zip", "country")
_NEEDED: Final = ("addr1", "city", "state", "zip")
_NUMBER = re.compile(r"-?\d+(\.\d+)?", re.ASCII)
_BIRTHDAY = re.compile(r"\d\d/\d\d", re.ASCII)
_US_PHONE = re.compile(r"\d{3}-\d{3}-\d{4}", re.ASCII)
_LEAP_YEAR: Final = 2024


class Options(msgspec.Struct, kw_only=True, omit_defaults=True):
    """What else there is to say of a merge field."""

    default_country: int | None = None
    phone_format: str | None = None
    date_format: str | None = None
    choices: tuple[str, ...] = ()
    size: int | None = None


class New(msgspec.Struct, kw_only=True):
    """A merge field to define."""

    name: str
    type: Type
    tag: Annotated[str, msgspec.Meta(max_length=TAG_LENGTH_MAX)] = ""
    """Empty: one is made up."""
    required: bool = False
    default_value: str = ""
    public: bool = False
    options: Options = msgspec.field(default_factory=Options)
    help_text: str = ""


class MergeField(New, kw_only=True):
    """A merge field that there is."""

    merge_id: int
    display_order: int
    list_id: str


class BadValue(Exception):
    """A value that a field does not take; the text says what it would."""


def checked(
    given: Mapping[str, Any], known: Mapping[str, MergeField]
) -> tuple[dict[str, Any], list[Fault]]:
    """Return the values as they are kept, and what is wrong.

    A tag that is unknown is passed over.
    """
    found: dict[str, Any] = {}
    faults = []
    for tag, value in given.items():
        field = known.get(tag)
        if field is None:
            continue
        try:
            found[tag] = EMPTY if value in (None, EMPTY) else _take(value, field)
        except BadValue as err:
            faults.append(Fault(tag, str(err)))
    return found, faults


def _take(value: Any, field: MergeField) -> Any:
    if field.type == "address":
        return _address(value)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise BadValue("Data presented is not one of the accepted values")
    if field.type in ("radio", "dropdown"):
        if value not in field.options.choices:
            raise BadValue(f"Value must be one of: {', '.join(field.options.choices)}")
        return value
    if field.type == "phone" and field.options.phone_format == "US":
        if not _US_PHONE.fullmatch(str(value)):
            raise BadValue("Phone number must be in the format ###-###-####")
        return value
    return _TAKERS.get(field.type, str)(value)


def _address(value: Any) -> dict[str, str]:
    parts = value if isinstance(value, dict) else {}
    kept = {name: str(parts.get(name) or "") for name in _PARTS}
    if not all(kept[name].strip() for name in _NEEDED):
        raise BadValue("Please enter a complete address")
    return kept


def _number(value: Any) -> int | float:
    text = str(value)
    if not _NUMBER.fullmatch(text):
        raise BadValue("Please enter a number")
    return float(text) if "." in text else int(text)


def _date(value: Any) -> str:
    try:
        return datetime.datetime.fromisoformat(str(value)).date().isoformat()
    except ValueError:
        raise BadValue("Please enter the date") from None


def _birthday(value: Any) -> str:
    text = str(value)
    try:
        datetime.date.fromisoformat(f"{_LEAP_YEAR}-{text[:2]}-{text[3:]}")
    except ValueError:
        text = ""
    if not _BIRTHDAY.fullmatch(text):
        raise BadValue("Please enter a month (01-12) and a day (01-31)")
    return text


def _url(value: Any) -> str:
    if not str(value).startswith(("http://", "https://")):
        raise BadValue("Please enter a valid URL")
    return str(value)


def _zip(value: Any) -> str:
    if not re.fullmatch(r"\d{5}", str(value), re.ASCII):
        raise BadValue("Please enter a valid zip code")
    return str(value)


_TAKERS: Final[dict[str, Callable[[Any], Any]]] = {
    "number": _number,
    "date": _date,
    "birthday": _birthday,
    "url": _url,
    "imageurl": _url,
    "zip": _zip,
}
USUAL: Final = (
    New(name="First Name", type="text", tag="FNAME", options=Options(size=25)),
    New(name="Last Name", type="text", tag="LNAME", options=Options(size=25)),
    New(name="Address", type="address", tag="ADDRESS"),
    New(
        name="Phone Number",
        type="phone",
        tag="PHONE",
        options=Options(phone_format="none"),
    ),
    New(
        name="Birthday",
        type="birthday",
        tag="BIRTHDAY",
        options=Options(date_format="MM/DD"),
    ),
    New(name="Company", type="text", tag="COMPANY", options=Options(size=25)),
)
"""What an audience is made with."""
