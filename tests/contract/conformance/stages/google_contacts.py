"""Google Contacts' emulator as a stage, and its people in the terms of cards.

The tables are written from the vendor's description of a person.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from proto.fields import Address, FieldKind, Item, Role, Value
from proto.ids import RecordId
from tests.contract.conformance import cards, shapes
from tests.contract.conformance.cards import SAMPLES, Card
from tests.contract.conformance.emulated import EmulatedStage
from tests.contract.conformance.least import Least
from tests.contract.conformance.shapes import Form, Shape
from tests.emulators.google_contacts.book import Contact
from tests.emulators.google_contacts.emulator import Emulator
from tests.emulators.google_contacts.listing import SYNC_TOKEN_LIFETIME_S
from tests.emulators.google_contacts.shapes import Entry, Held

TEXTS: Final[Mapping[Role, tuple[str, str]]] = {
    Role.NAME_GIVEN: ("names", "givenName"),
    Role.NAME_FAMILY: ("names", "familyName"),
    Role.NAME_MIDDLE: ("names", "middleName"),
    Role.NAME_PREFIX: ("names", "honorificPrefix"),
    Role.NAME_SUFFIX: ("names", "honorificSuffix"),
    Role.COMPANY: ("organizations", "name"),
    Role.JOB_TITLE: ("organizations", "title"),
    Role.NOTE: ("biographies", "value"),
}
ITEMS: Final[Mapping[Role, str]] = {
    Role.EMAIL: "emailAddresses",
    Role.PHONE: "phoneNumbers",
    Role.WEBSITE: "urls",
    Role.ADDRESS: "addresses",
}
PLACES: Final = ("home", "work", "other")
PARTS: Final[Mapping[str, str]] = {
    "streetAddress": "street",
    "city": "city",
    "region": "region",
    "postalCode": "postal_code",
    "country": "country",
}
EXTRAS: Final[Held] = {
    "userDefined": [{"key": "Shoe size", "value": "42"}],
    "relations": [{"person": "Bob", "type": "friend"}],
    "sipAddresses": [{"value": "sip:zoe@example.org", "type": "work"}],
}


class GoogleContacts(EmulatedStage):
    """One account at the emulator."""

    app = "google_contacts"
    emulator_kind = Emulator
    make_act = ("create", "person")
    api_path = "/v1"
    multiple: ClassVar[Mapping[Role, str]] = dict.fromkeys(ITEMS, "work")
    shape = Shape(
        fields={
            **shapes.texts(*TEXTS),
            # Made of the parts.
            Role.NAME_FULL: Form(is_derived=True),
            Role.EMAIL: shapes.several(FieldKind.EMAIL, *PLACES),
            Role.PHONE: shapes.several(
                FieldKind.PHONE, "mobile", "home", "work", "fax", "other"
            ),
            Role.WEBSITE: shapes.several(FieldKind.URL, *PLACES),
            Role.ADDRESS: shapes.several(FieldKind.ADDRESS, *PLACES),
            Role.BIRTHDAY: Form(kind=FieldKind.DATE, is_year_optional=True),
            Role.ANNIVERSARY: Form(kind=FieldKind.DATE, is_year_optional=True),
        },
        has_tags=True,
    )
    questions = (":batchGet",)
    least = Least(
        # people.connections.list: pageSize is 1,000 at most.
        page_size=1000,
        # The same listing with a sync token tells of changes and of deletions.
        idle_calls=1,
        changes_page_size=1000,
        changes_calls=0,
        # No call finds an address: a search finds beginnings of words, thirty at most,
        # from an index that is late.
        find_batch=0,
        create_batch=200,
        # An update replaces whole fields, so that what they hold has to be known;
        # people.getBatchGet reads 200, people.batchUpdateContacts changes 200.
        read_batch=200,
        update_batch=200,
    )

    def full(self, number: int) -> Card:
        """Return somebody with every field that plays a role."""
        return {
            **{role: SAMPLES[role] for role in TEXTS},
            **self.plain(number),
            Role.BIRTHDAY: SAMPLES[Role.BIRTHDAY],
            Role.ANNIVERSARY: "--06-15",
            Role.EMAIL: (
                Item(value=cards.email_of(number), label="work"),
                Item(value=f"home{number}@example.org", label="home"),
            ),
            Role.PHONE: (
                Item(value=SAMPLES[Role.PHONE_WORK], label="work"),
                Item(value=SAMPLES[Role.PHONE_MOBILE], label="mobile"),
            ),
            Role.WEBSITE: (Item(value=SAMPLES[Role.WEBSITE], label="work"),),
            Role.ADDRESS: (Item(value=cards.ADDRESS, label="home"),),
        }

    def written(self, card: Card) -> Held:
        """Return a card as the vendor's JSON; what is None is emptied."""
        return _fields({}, card)

    async def edit(self, record_id: RecordId, changes: Card) -> None:
        """Edit as the user does."""
        fields = _fields(self._contact(record_id).now.held, changes)
        self._act("edit", record_id, fields=fields)

    async def restore(self, record_id: RecordId) -> None:
        """Take a contact out of the bin."""
        self._act("restore", record_id)

    async def see(self, record_id: RecordId) -> Card | None:
        """Return a contact as the vendor keeps it."""
        contact = self._account.book.by_name.get(record_id)
        return _card(contact) if contact is not None and contact.is_live else None

    async def find(self, email: str) -> list[RecordId]:
        """Return the contacts with an address, whatever its case."""
        return [
            RecordId(one.name)
            for one in self._account.book.living()
            for entry in one.now.held.get("emailAddresses", ())
            if entry["value"].lower() == email.lower()
        ]

    async def enrich(self, record_id: RecordId) -> None:
        """Give a contact fields that are none here, and more of those that are."""
        held = self._contact(record_id).now.held
        job = [{**held["organizations"][0], "jobDescription": "ovens"}]
        job.append({"name": "Choir", "type": "other"})
        name = {**held["names"][0], "phoneticGivenName": "tsoh-eh"}
        name.pop("unstructuredName", None)
        emails = [dict(one) for one in held["emailAddresses"]]
        emails[0]["displayName"] = "Zoë at work"
        fields = {"organizations": job, "names": [name], "emailAddresses": emails}
        self._act("edit", record_id, fields=fields | EXTRAS)

    async def extras(self, record_id: RecordId) -> object:
        """Return those."""
        held = self._contact(record_id).now.held
        return (
            [held.get(field) for field in EXTRAS],
            held["organizations"][0].get("jobDescription"),
            [one["name"] for one in held["organizations"][1:]],
            held["names"][0].get("phoneticGivenName"),
            held["emailAddresses"][0].get("displayName"),
        )

    async def tag(self, record_id: RecordId, names: Sequence[str]) -> None:
        """Give a contact labels."""
        labels = [*sorted(await self.tags_of(record_id)), *names]
        self._act("label", record_id, labels=labels)

    async def tags_of(self, record_id: RecordId) -> set[str]:
        """Return the names of a contact's labels."""
        groups = [self._account.groups[g] for g in self._contact(record_id).now.groups]
        return {one.name for one in groups if not one.is_system}

    async def forget_changes(self) -> None:
        """Let a week pass, which no sync token outlives."""
        self._emulator.clock.advance(SYNC_TOKEN_LIFETIME_S + 1)

    def _contact(self, record_id: RecordId) -> Contact:
        contact: Contact = self._account.book.by_name[record_id]
        return contact


def _fields(held: Held, card: Card) -> Held:
    """Return the fields of a person that a card changes, each whole."""
    found: dict[str, list[Entry]] = {}

    def entries(field: str) -> list[Entry]:
        return found.setdefault(field, [dict(one) for one in held.get(field, ())])

    for role, value in card.items():
        if role in TEXTS:
            field, key = TEXTS[role]
            first = entries(field) or [{}]
            found[field] = [{**first[0], key: value or ""}, *first[1:]]
        elif role in ITEMS:
            items = value if isinstance(value, tuple) else ()
            found[ITEMS[role]] = [_entry(item) for item in items]
        elif role is Role.BIRTHDAY:
            found["birthdays"] = [{"date": _date(value)}] if value else []
        else:
            dated = {"date": _date(value), "type": "anniversary"}
            found["events"] = [dated] if value else []
    return found


def _entry(item: Item) -> Entry:
    kind = {"type": item.label} if item.label else {}
    if isinstance(item.value, Address):
        return {key: getattr(item.value, part) for key, part in PARTS.items()} | kind
    return {"value": item.value} | kind


def _date(value: Value) -> dict[str, int]:
    assert isinstance(value, str)
    year, month, day = value.replace("--", "0-", 1).split("-")
    return {"year": int(year), "month": int(month), "day": int(day)}


def _card(contact: Contact) -> Card:
    """Return a contact as a card, without what is empty."""
    held = contact.now.held
    found: dict[Role, Value] = {}
    for role, (field, key) in TEXTS.items():
        for entry in held.get(field, ())[:1]:
            found[role] = entry.get(key)
    for role, field in ITEMS.items():
        found[role] = tuple(map(_item, held.get(field, ())))
    for entry in held.get("birthdays", ()):
        found[Role.BIRTHDAY] = _day(entry["date"])
    for entry in held.get("events", ()):
        found[Role.ANNIVERSARY] = _day(entry["date"])
    return {role: value for role, value in found.items() if value}


def _item(entry: Entry) -> Item:
    label = entry.get("type", "")
    if "value" in entry:
        return Item(value=entry["value"], label=label)
    parts = {part: entry.get(key, "") for key, part in PARTS.items()}
    return Item(value=Address(**parts), label=label)


def _day(date: Mapping[str, Any]) -> str:
    year = f"{date['year']:04}-" if "year" in date else "--"
    return f"{year}{date['month']:02}-{date['day']:02}"
