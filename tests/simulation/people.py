"""The people that records are about, and every value that a user ever entered.

A person is a number. Two that were given one address, or whose records were merged,
are one from then on: nobody could tell them apart.
"""

import random
from typing import Final

import msgspec

from proto.fields import Item, Role, Value
from tests.simulation import taint
from tests.simulation.ledger import Act, Entry, Key, Who
from tests.simulation.taint import Origin
from tests.simulation.vendors.book import address_key
from tests.simulation.vendors.numbers import texts_of
from tests.simulation.vendors.ways import Ways

GIVEN: Final = ("Ana", "José", "zoë", "Jean-Luc", "O'Neil")
FAMILY: Final = ("Garcia", "Müller", "d'Arc", "lopez", "Bhríde")
WORDS: Final = ("Keeper", "head of R&D", "Owner; Partner", "株式会社", "Gérante")
LONG: Final = " of the long and winding list of things"
PHONES: Final = ("{0}", "0049{1}", "+49-30-{2}")
LOCAL: Final = "030 {2}"
"""How a number is dialled within the country."""
LOCALLY: Final = 0.4
"""The share of numbers entered so, where some vendor completes them."""
LABELS: Final = ("mobile", "work", "home", "other", "")
PARTS: Final = (Role.NAME_GIVEN, Role.NAME_FAMILY)


class Authored(msgspec.Struct, frozen=True, kw_only=True):
    """A value, or a word of one, as a user entered it."""

    origin: Origin
    role: Role
    text: str


def fitting(text: str, limit: int) -> str:
    """Return what somebody enters where no more than so much fits: no half a mark."""
    return text if len(text) <= limit else text.partition(" ")[0][:limit]


class People:
    """Who is who, and who entered what."""

    def __init__(self, source: random.Random, *, is_local: bool = False) -> None:
        self._is_local = is_local
        """They may write numbers as they are dialled within the country."""
        self.tenant_of: dict[int, str] = {}
        self.person_of: dict[Key, int] = {}
        self.earlier: dict[Key, list[tuple[int, float]]] = {}
        """Whom a record was about before its id was given away, and until when."""
        self.authored: dict[int, Authored] = {}
        """By serial."""
        self._source = source
        self._parents: dict[int, int] = {}
        self._addresses: dict[tuple[str, str], int] = {}
        """The person that each address was given to first, by tenant."""

    def new(self, tenant: str) -> int:
        """Return somebody new."""
        person = len(self.tenant_of) + 1
        self.tenant_of[person] = tenant
        self._parents[person] = person
        return person

    def root(self, person: int) -> int:
        """Return the same number for all that are one."""
        while self._parents[person] != person:
            person = self._parents[person]
        return person

    def are_one(self, left: int, right: int) -> bool:
        """Say whether two cannot be told apart."""
        return self.root(left) == self.root(right)

    def is_plain(self, person: int) -> bool:
        """Say whether somebody was never taken for somebody else."""
        root = self.root(person)
        return sum(self.root(each) == root for each in self._parents) == 1

    def unite(self, left: int, right: int) -> None:
        """Take two for one from now on."""
        self._parents[self.root(left)] = self.root(right)

    def note(self, entry: Entry, ways: Ways) -> None:
        """Learn from an entry of the ledger whom a record is about."""
        if entry.act is Act.CREATE and entry.who is Who.USER:
            if entry.key in self.person_of:
                was = self.person_of[entry.key], entry.at
                self.earlier.setdefault(entry.key, []).append(was)
            self.person_of[entry.key] = entry.cause.person
        if entry.act is Act.CREATE and entry.who is Who.TANDEM:
            found = [
                origin.person
                for value in entry.cause.asked.values()
                for text in texts_of(value)
                for origin in taint.origins(text)
            ]
            if found:
                self.person_of[entry.key] = found[0]
        if entry.act is Act.MERGE:
            into = (entry.place, entry.after.merged_into)
            self.unite(self.person_of[entry.key], self.person_of[into])
        person = self.person_of.get(entry.key)
        email = address_key(entry.after.fields.get(ways.email_name))
        if person is not None and email and entry.who is not Who.VENDOR:
            self.give_address(person, email)

    def give_address(self, person: int, email: str) -> None:
        """Have somebody have an address; who had it before is the same person."""
        key = self.tenant_of[person], email
        first = self._addresses.setdefault(key, person)
        if not self.are_one(first, person):
            self.unite(person, first)

    def value(self, role: Role, person: int, ways: Ways) -> Value:
        """Return a value that nobody has entered before."""
        if role is Role.NAME_FULL:
            return " ".join(str(self.value(part, person, ways)) for part in PARTS)
        if ways.is_several(role):
            return ways.numbers.fitted(self._several(person))
        return self._new(role, person, ways)

    def _several(self, person: int) -> tuple[Item, ...]:
        """Return one or more numbers that nobody has entered before."""
        count = self._source.choice((1, 1, 2, 3))
        return tuple(self.item(person) for _ in range(count))

    def item(self, person: int) -> Item:
        """Return a number that nobody has entered before, with a label."""
        text = self._new(Role.PHONE, person)
        return Item(value=text, label=self._source.choice(LABELS))

    def number_again(self, text: str) -> str:
        """Return a number that was entered before, as somebody else may write it."""
        [origin] = taint.origins(text)
        return self._number(origin)

    def _new(self, role: Role, person: int, ways: Ways | None = None) -> str:
        serial = len(self.authored) + 1
        origin = Origin(person, serial)
        limit = ways.limit_of(role) if ways is not None else 0
        text = fitting(self._text(role, origin), limit or 200)
        self.authored[serial] = Authored(origin=origin, role=role, text=text)
        return text

    def full_name(self, held: str, role: Role, person: int, ways: Ways) -> str:
        """Return a full name of which one part is entered anew."""
        parts: dict[Role, list[str]] = {part: [] for part in PARTS}
        for word in held.split():
            found = taint.origins(word)
            known = self.authored.get(found[0].serial) if found else None
            part = known.role if known is not None else Role.NAME_FAMILY
            parts.get(part, parts[Role.NAME_FAMILY]).append(word)
        parts[role] = [str(self.value(role, person, ways))]
        return " ".join(word for part in PARTS for word in parts[part])

    def _number(self, origin: Origin) -> str:
        number = taint.phone(origin)
        digits = number.replace(" ", "").removeprefix("+49")
        local = digits.removeprefix("30")
        form = self._source.choice(PHONES)
        if self._is_local and self._source.random() < LOCALLY:
            form = LOCAL
        return form.format(number, digits, local)

    def _text(self, role: Role, origin: Origin) -> str:
        source, mark = self._source, taint.word(origin)
        match role:
            case Role.EMAIL:
                host = source.choice(("x.example", "x.example", "X.Example"))
                return f"{mark}@{host}"
            case Role.PHONE | Role.PHONE_MOBILE | Role.PHONE_WORK:
                return self._number(origin)
            case Role.BIRTHDAY:
                return taint.date(origin)
            case Role.NAME_GIVEN:
                return mark + source.choice(GIVEN)
            case Role.NAME_FAMILY:
                name = source.choice(FAMILY)
                second = f" {mark}{source.choice(FAMILY)}"
                return f"{mark}{name}{second * (source.random() < 0.2)}"
        text = f"{mark} {source.choice(WORDS)}"
        if source.random() < 0.3:
            text += LONG
        if source.random() < 0.1:
            text = f" {text.replace(' ', '  ')} "
        return text
