"""Normal forms: two values with the same one mean the same.

They are for comparing only; what travels is always the raw value. Each function
takes any text and gives the same for its own result.
"""

import datetime
import functools
import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from typing import Final

import idna
import phonenumbers

from proto.fields import Address, FieldKind, Item, Value
from proto.record import Record
from services.reconciler.engine import countries
from services.reconciler.engine.config import SideConfig

_CACHE_SIZE: Final = 65_536
_SPACE: Final = re.compile(r"\s+")
_NOT_DIGIT: Final = re.compile(r"[^0-9]")
_DATE: Final = re.compile(r"(?:(\d{4})-?|--)(\d{2})-?(\d{2})")
_MOMENT: Final = re.compile(
    r"(\d{4}-\d{2}-\d{2})[Tt ](\d{2}:\d{2})(?::(\d{2})(?:[.,](\d+))?)?"
    r" ?([Zz]|[+-]\d{2}:?\d{2})?"
)
_LAX_HOST: Final = re.compile(r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*")
_ABROAD: Final = re.compile(r"00[1-9]")
"""How a number with its country begins where nobody wrote a plus."""
_PLAIN_NUMBER: Final = re.compile(r"\+[1-9][0-9 .-]{6,20}[0-9]")
_LOCAL_DIGITS_MIN: Final = 6
"""A number that is dialled within a country has no fewer, but for what is short."""
_PLAIN_DIGITS_MIN: Final = 8
_CODE_LENGTH_MAX: Final = 3
_BARE: Final = b"+ .-"
_LOOKS_MAX: Final = 64
"""More than any number has digits to lose."""
_ANYTHING: Final = re.compile("")
_NEVER: Final = r"(?!)"
_NUMBER: Final = re.compile(r"([+-]?)0*(\d+)(?:\.(\d*))?")


def text(value: str) -> str:
    """Return a text in composed form, with line ends and outer space evened out."""
    if not value.isascii():
        value = unicodedata.normalize("NFC", value)
    if "\r" in value:
        value = value.replace("\r\n", "\n").replace("\r", "\n")
    return value.strip()


def name(value: str) -> str:
    """Return a one-line text in composed form with single spaces."""
    return _SPACE.sub(" ", unicodedata.normalize("NFC", value)).strip()


@functools.lru_cache(maxsize=_CACHE_SIZE)
def email(value: str) -> str | None:
    """Return an address as it is matched by, or None if it is not one.

    Dots and plus-addresses stay: they can be different people's mailboxes.
    """
    local, at, domain = name(value).rpartition("@")
    if not at or not local or not domain or " " in local:
        return None
    normal = _domain(domain)
    if normal is None:
        return None
    folded = unicodedata.normalize("NFC", local.lower())
    return f"{folded}@{normal}"


@functools.lru_cache(maxsize=_CACHE_SIZE)
def phone(value: str) -> str:
    """Return a number in international form, or its bare digits without a country.

    A text without any digit stays what it is, in lower case.
    """
    plain = _plainly_dialled(value)
    if plain is not None:
        return plain
    found = _dialled(value)
    for _ in range(_LOOKS_MAX):
        # Of what is no real number, each look takes another leading digit away.
        again = _dialled(found)
        if again == found:
            break
        found = again
    return found


def _plainly_dialled(value: str) -> str | None:
    """Return a number that needs no parsing in international form, or None.

    Most numbers are like that; it takes a tenth of the time.
    """
    if not _PLAIN_NUMBER.fullmatch(value):
        return None
    digits = value.encode("ascii").translate(None, _BARE).decode("ascii")
    if len(digits) < _PLAIN_DIGITS_MIN or _is_ambiguous(digits):
        return None
    return "+" + digits


def _dialled(value: str) -> str:
    stripped = unicodedata.normalize("NFKC", value).strip().removeprefix("tel:")
    if _ABROAD.match(stripped):
        stripped = "+" + stripped[2:]
    if stripped.startswith("+"):
        parsed = _international(stripped)
        if parsed is not None:
            return parsed
    digits = _NOT_DIGIT.sub("", stripped)
    if not digits:
        return name(value).lower()
    return "+" + digits if stripped.startswith("+") else digits


def is_completed(one: str, other: str) -> bool:
    """Say whether one number is another one with its country's code, by normal forms.

    Within the country it may begin with zeros.
    """
    if one.startswith("+") is other.startswith("+"):
        return False
    whole, local = (one, other) if one.startswith("+") else (other, one)
    digits = local.lstrip("0")
    return len(digits) >= _LOCAL_DIGITS_MIN and whole.endswith(digits)


def url(value: str) -> str:
    """Return an address of a page without scheme, case of the host and last slash."""
    bare = name(value)
    rest = re.sub(r"(?i)^(https?://\s*)+", "", bare)
    host, slash, path = rest.partition("/")
    return (host.lower() + slash + path).rstrip("/ ")


def number(value: str) -> str:
    """Return decimal text without idle zeros or signs."""
    match = _NUMBER.fullmatch(value.strip())
    if match is None:
        return value.strip()
    fraction = (match[3] or "").rstrip("0")
    whole = match[2] + ("." + fraction if fraction else "")
    return "-" + whole if match[1] == "-" and whole != "0" else whole


def is_number(value: str) -> bool:
    """Say whether a text is a number as apps keep it: decimal, without an exponent."""
    return value.isascii() and _NUMBER.fullmatch(value.strip()) is not None


def date(value: str) -> str:
    """Return ``YYYY-MM-DD`` or ``--MM-DD``; other text as it is."""
    parts = date_parts(value)
    if parts is None:
        return value.strip()
    year, month_day = parts
    return f"{year}-{month_day}" if year else f"--{month_day}"


def date_parts(value: str) -> tuple[str, str] | None:
    """Return year (or nothing) and ``MM-DD`` of a date, or None if it is none."""
    match = _DATE.fullmatch(value.strip())
    if match is None or not match[0].isascii():
        return None
    year, month, day = match[1] or "", match[2], match[3]
    try:
        # A leap year stands in for one that is not known.
        datetime.date(int(year or "2000"), int(month), int(day))
    except ValueError:
        return None
    return year, f"{month}-{day}"


def moment(value: str) -> str:
    """Return a time in UTC without idle zeros; other text as it is."""
    parts = moment_parts(value)
    return value.strip() if parts is None else f"{parts[0]}T{parts[1]}Z"


def moment_parts(value: str) -> tuple[str, str] | None:
    """Return the day and the time of day of a moment in UTC, or None if it is none.

    A moment that does not tell its zone is in UTC already.
    """
    match = _MOMENT.fullmatch(value.strip())
    if match is None or not match[0].isascii():
        return None
    fraction, zone = (match[4] or "").rstrip("0"), (match[5] or "Z").upper()
    try:
        local = datetime.datetime.fromisoformat(
            f"{match[1]}T{match[2]}:{match[3] or '00'}"
            f"{'+00:00' if zone == 'Z' else zone}"
        )
        found = local.astimezone(datetime.UTC)
    except (ValueError, OverflowError):
        return None
    time = f"{found:%H:%M:%S}"
    return found.date().isoformat(), f"{time}.{fraction}" if fraction else time


def address(value: Address) -> str:
    """Return the parts of an address, evened out, on one line each."""
    joined = "\n".join(address_parts(value))
    return joined if joined.strip() else ""


def address_parts(value: Address) -> tuple[str, ...]:
    """Return the normal form of each part of an address; of a country its code."""
    country = countries.code_of(value.country)
    return (
        *(
            name(part).casefold()
            for part in (value.street, value.city, value.region, value.postal_code)
        ),
        # Not casefold, which makes the code of a country out of a letter.
        country or name(value.country).lower(),
    )


def item(kind: FieldKind, value: Item) -> str:
    """Return the key by which an item is told from the others of its field."""
    return keys(kind, (value,))[0]


def keys(kind: FieldKind, values: Iterable[Item]) -> list[str]:
    """Return the keys of several items of one field."""
    of_text = _OF_TEXT[kind]
    return [
        of_text(each.value) if isinstance(each.value, str) else address(each.value)
        for each in values
    ]


def of(kind: FieldKind, value: Value) -> str:
    """Return the normal form of any value; empty for an empty one."""
    if isinstance(value, str):
        return _OF_TEXT[kind](value)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    shown: list[str] = []
    of_text = _OF_TEXT[kind]
    for each in value:
        own = each.value
        key = of_text(own) if isinstance(own, str) else address(own)
        shown.append(f"{each.label}\x1f{key}")
    return "\x1e".join(shown)


def emails_of(record: Record, side: SideConfig) -> tuple[str, ...]:
    """Return a record's addresses in normal form, each once, in its own order."""
    found: dict[str, None] = {}
    for raw in raw_emails_of(record, side):
        normal = email(raw)
        if normal is not None:
            found[normal] = None
    return tuple(found)


def raw_emails_of(record: Record, side: SideConfig) -> tuple[str, ...]:
    """Return a record's addresses as its app spells them."""
    found: list[str] = []
    for field_id in side.email_ids:
        value = record.fields.get(field_id)
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, tuple):
            found += [i.value for i in value if isinstance(i.value, str)]
    return tuple(found)


def has_email(record: Record, side: SideConfig) -> bool | None:
    """Say whether a record has an email; None if it does not tell."""
    found: bool | None = False if side.email_ids else None
    for field_id in side.email_ids:
        value = record.fields.get(field_id)
        if isinstance(value, tuple):
            if _has_text(value):
                return True
        elif isinstance(value, str) and value.strip():
            return True
        if field_id not in record.fields:
            found = None
    return found


def _has_text(items: tuple[Item, ...]) -> bool:
    for each in items:  # noqa: SIM110
        # Without a generator for each record.
        if isinstance(each.value, str) and each.value.strip():
            return True
    return False


def _email_or_name(value: str) -> str:
    return email(value) or name(value)


_OF_TEXT: Final[Mapping[FieldKind, Callable[[str], str]]] = {
    **dict.fromkeys(FieldKind, text),
    FieldKind.PHONE: phone,
    FieldKind.EMAIL: _email_or_name,
    FieldKind.URL: url,
    FieldKind.NUMBER: number,
    FieldKind.DATE: date,
    FieldKind.MONTH_DAY: date,
    FieldKind.DATETIME: moment,
}
"""Normal forms of single values by kind; all others are texts."""


@functools.lru_cache(maxsize=_CACHE_SIZE)
def _domain(domain: str) -> str | None:
    """Return a domain in its ASCII form, or None if it cannot be one."""
    bare = domain.rstrip(".")
    try:
        return idna.encode(bare, uts46=True).decode("ascii").lower()
    except (idna.IDNAError, UnicodeError, ValueError, IndexError):
        # Hosts with an underscore are against the rules and in use all the same.
        return bare.lower() if _LAX_HOST.fullmatch(bare) else None


def _international(value: str) -> str | None:
    """Return a number with its country in international form, if it has a country."""
    plain = _plainly_dialled(value)
    if plain is not None:
        return plain
    try:
        parsed = phonenumbers.parse(value, None)
    except phonenumbers.NumberParseException:
        return None
    formatted = phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
    return f"{formatted};{parsed.extension}" if parsed.extension else formatted


def _is_ambiguous(digits: str) -> bool:
    """Say whether a number may have digits that are not dialled from abroad.

    Without those its digits are its international form.
    """
    at, prefixes = _abroad(digits[:_CODE_LENGTH_MAX])
    return prefixes.match(digits, at) is not None


@functools.lru_cache(maxsize=1024)
def _abroad(beginning: str) -> tuple[int, re.Pattern[str]]:
    """Return how long a number's country code is, and what may come next at home."""
    for length in range(1, _CODE_LENGTH_MAX + 1):
        prefixes = _home_prefixes(beginning[:length])
        if prefixes is not None:
            return length, prefixes
    return 0, _ANYTHING


def _home_prefixes(country_code: str) -> re.Pattern[str] | None:
    """Return what may precede a number inside its country; None if there is none."""
    regions = phonenumbers.COUNTRY_CODE_TO_REGION_CODE.get(int(country_code or "0"))
    if not regions or country_code.startswith("0"):
        return None
    if regions == ("001",):
        return _ANYTHING
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(regions[0], None)
    if metadata is None:
        return _ANYTHING
    return re.compile(metadata.national_prefix_for_parsing or _NEVER)
