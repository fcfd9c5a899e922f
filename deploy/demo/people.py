"""Made-up people for the demo and its tests: international, untidy, reproducible.

Pure: a seed gives the same people on every machine. No address belongs to anybody:
all domains are reserved for examples (RFC 2606).
"""

import random
import unicodedata
from dataclasses import dataclass, field, replace
from typing import Final

SEED: Final = 20_260_101

_NAMES: Final = (
    ("Maria", "Garcia Lopez"),
    ("José", "Núñez"),
    ("Zoë", "Müller"),
    ("Søren", "Ødegård"),
    ("Łukasz", "Wiśniewski"),
    ("Nguyễn", "Thị Hương"),
    ("Ayşe", "Yılmaz"),  # noqa: RUF001
    ("Giovanni", "D'Angelo"),
    ("Siobhán", "O'Connor"),
    ("Jean-Luc", "de la Fontaine"),
    ("Ελένη", "Παπαδοπούλου"),
    ("Дмитрий", "Иванов"),
    ("太郎", "山田"),
    ("지우", "김"),
    ("محمد", "الأحمد"),
    ("שרה", "לוי"),
    ("Priya", "Ramachandran"),
    ("Oluwaseun", "Adébáyọ̀"),
    ("Björk", "Guðmundsdóttir"),
    ("Anna-Maria", "van der Berg"),
    ("Ruairí", "Mac Giolla Bhríde"),
    ("Þórunn", "Ásgeirsdóttir"),
    ("Emma", "Smith"),
    ("Liam", "Jones"),
    ("Chloé", "Lefèvre"),
    ("Mateus", "Conceição"),
    ("Jiří", "Dvořák"),
    ("Xiùyīng", "Wáng"),
    ("Kwame", "Nkrumah-Boateng"),
    ("Inés", "Fernández de Córdoba"),
)
_COMPANIES: Final = (
    "Brot & Butter GmbH",
    "Café du Port",
    "Smith, Jones & Co.",
    "Ødegård Fisk AS",
    "株式会社やまだ",
    "Taller «El Sol»",
    "Green Acres Realty",
    "",
    "",
)
_JOBS: Final = ("Owner", "Head of Sales", "Buchhalterin", "Gérante", "", "", "Agent")
_PHONES: Final = (
    "+49 30 {0:06d}",
    "0049 (0)89/{0:06d}",
    "+1 (212) 555-{1:04d}",
    "212.555.{1:04d}",
    "+33 1 42 {2:02d} {3:02d} 10",
    "+81-3-5555-{1:04d}",
    "+47 22 {2:02d} {3:02d} 00",
    "(020) 7946 {1:04d}",
)
_PLACES: Final = (
    ("Unter den Linden 5", "Berlin", "", "10117", "Germany"),
    ("12 Rue de la Paix", "Paris", "Île-de-France", "75002", "France"),
    ("221B Baker Street", "London", "", "NW1 6XE", "United Kingdom"),
    ("1600 Main St, Apt 4", "Springfield", "IL", "62701", "United States"),
    ("Storgata 1", "Oslo", "", "0155", "Norway"),
    ("千代田1-1", "東京", "東京都", "100-0001", "Japan"),
)
_PHONE_LABELS: Final = ("mobile", "work", "home")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A postal address with its label."""

    label: str
    street: str
    city: str
    region: str
    postal_code: str
    country: str


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody as one app knows them."""

    number: int
    given: str
    family: str
    emails: tuple[str, ...] = ()
    company: str = ""
    job: str = ""
    phones: tuple[tuple[str, str], ...] = ()
    """Label and number."""
    places: tuple[Place, ...] = ()
    birthday: tuple[int, int] | None = None
    """Month and day."""
    lists: tuple[str, ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class Crowd:
    """Who is on which side; people on both are first, in the same order."""

    left: tuple[Person, ...]
    right: tuple[Person, ...]
    shared_count: int


def crowd(
    *, left_count: int = 1_000, right_count: int = 500, shared_count: int = 250
) -> Crowd:
    """Make two address books with some people in common."""
    source = random.Random(SEED)  # noqa: S311 - reproducible on purpose
    shared = [_person(number, source) for number in range(shared_count)]
    shared = [_with_email(person) for person in shared]
    left_only = left_count - shared_count
    right_only = right_count - shared_count
    others = [
        _person(shared_count + number, source)
        for number in range(left_only + right_only)
    ]
    return Crowd(
        left=(*shared, *(_single_email(p) for p in others[:left_only])),
        right=(
            *(_as_known_elsewhere(person, source) for person in shared),
            *others[left_only:],
        ),
        shared_count=shared_count,
    )


def small_crowd() -> Crowd:
    """Make two address books that are synced in seconds."""
    return crowd(left_count=120, right_count=80, shared_count=40)


def _person(number: int, source: random.Random) -> Person:
    given, family = source.choice(_NAMES)
    local = _ascii(f"{given}.{family}") or "contact"
    emails = [f"{local}.{number}@example.com"]
    if source.random() < 0.15:
        emails.append(f"{local}+{number}@work.example.org")
    if source.random() < 0.03:
        emails = []
    phones = tuple(
        (label, _phone(source))
        for label in source.sample(_PHONE_LABELS, source.choice((0, 1, 1, 2, 3)))
    )
    places = ()
    if source.random() < 0.4:
        street, city, region, postal_code, country = source.choice(_PLACES)
        places = (
            Place(
                label=source.choice(("home", "work")),
                street=street,
                city=city,
                region=region,
                postal_code=postal_code,
                country=country,
            ),
        )
    birthday = (source.randint(1, 12), source.randint(1, 28))
    return Person(
        number=number,
        given=given,
        family=family,
        emails=tuple(emails),
        company=source.choice(_COMPANIES),
        job=source.choice(_JOBS),
        phones=phones,
        places=places,
        birthday=birthday if source.random() < 0.3 else None,
    )


def _with_email(person: Person) -> Person:
    """People on both sides need an email to be recognised by; the left has one."""
    if person.emails:
        return _single_email(person)
    return replace(person, emails=(f"contact.{person.number}@example.com",))


def _single_email(person: Person) -> Person:
    return replace(person, emails=person.emails[:1])


def _as_known_elsewhere(person: Person, source: random.Random) -> Person:
    """Return the same person as somebody else typed them in."""
    local, _, domain = person.emails[0].partition("@")
    email = f"{local.upper()}@{domain}" if source.random() < 0.2 else person.emails[0]
    known = replace(person, emails=(email,))
    if source.random() < 0.3:
        known = replace(known, emails=(email, f"private.{local}@example.net"))
    if source.random() < 0.3:
        known = replace(known, phones=())
    if source.random() < 0.2:
        known = replace(known, company="", job="Partner")
    if source.random() < 0.2:
        known = replace(known, places=())
    return known


def _phone(source: random.Random) -> str:
    pattern = source.choice(_PHONES)
    return pattern.format(
        source.randint(100_000, 999_999),
        source.randint(100, 199),
        source.randint(10, 99),
        source.randint(10, 99),
    )


def _ascii(text: str) -> str:
    """Return what is left of a text as the local part of an address."""
    plain = unicodedata.normalize("NFKD", text.lower().replace(" ", "-"))
    kept = (c for c in plain if c.isascii() and (c.isalnum() or c in ".-"))
    return "".join(kept).strip(".-")
