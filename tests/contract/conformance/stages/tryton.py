"""A database of a real Tryton server as a stage, and its parties in terms of cards.

Another program's view: plain calls of the server's methods, as its own client makes.
"""

import asyncio
import contextlib
import datetime
import json
import time
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, Final, Self

from proto.auth import CredentialKind, Token
from proto.fields import Address, FieldKind, Item, Role, Value
from proto.ids import RecordId
from tests.contract import tryton, tryton_rows
from tests.contract.conformance import cards, shapes
from tests.contract.conformance.cards import ADDRESS, SAMPLES, Card
from tests.contract.conformance.least import Least
from tests.contract.conformance.shapes import Shape
from tests.contract.conformance.stage import Stage

PARTY: Final = "model.party.party"
TYPES: Final[Mapping[str, str]] = {"mobile": "mobile", "fax": "fax", "other": "phone"}
LABELS: Final[Mapping[str, str]] = {kind: label for label, kind in TYPES.items()}
ROLES: Final[Mapping[Role, tuple[str, ...]]] = {
    Role.EMAIL: ("email",),
    Role.PHONE: tuple(LABELS),
    Role.WEBSITE: ("website",),
}
FIELDS: Final = [
    "name", "active", "contact_mechanisms.type", "contact_mechanisms.value",
    "contact_mechanisms.comment", "addresses.street", "addresses.postal_code",
    "addresses.city", "addresses.country.name", "addresses.subdivision.name",
    "addresses.attn", "categories.rec_name", "identifiers.code",
]  # fmt: skip


class Tryton(Stage):
    """One database with nobody in it."""

    app = "tryton"
    multiple: ClassVar[Mapping[Role, str]] = {
        Role.EMAIL: "",
        Role.PHONE: "other",
        Role.WEBSITE: "",
        Role.ADDRESS: "",
    }
    shape = Shape(
        fields={
            **shapes.texts(Role.NAME_FULL),
            Role.EMAIL: shapes.several(FieldKind.EMAIL),
            Role.PHONE: shapes.several(FieldKind.PHONE, *TYPES),
            Role.WEBSITE: shapes.several(FieldKind.URL),
            Role.ADDRESS: shapes.several(FieldKind.ADDRESS),
        },
        has_tags=True,
    )
    least = Least(
        # The server bounds none of these, so that what has to be kept on our side does.
        # search_read takes any limit, and shows a party with all its parts. An answer
        # has 16 MiB at most, which leaves 33 KiB for each of 500; and a page is told in
        # messages of 500 (design, section 3), so that more would be held for nothing.
        page_size=500,
        # One search asks for the times of parties and of their parts.
        idle_calls=1,
        changes_page_size=500,
        changes_calls=0,
        # As many addresses as are sent are compared with every one that there is. With
        # 100,000 of them SQLite took 6 s for 50, and 52 s for 500 (2026-11-27); a call
        # is given up after 60 s, and others may be ten times as slow.
        find_batch=50,
        # One transaction, of 50 ms a party (the same day), during which nothing else is
        # called: of two writes at once the server may undo one. An unsubscribe waits
        # for 100 for 5 s, and for 500 it would for 25 s; a call that is given up leaves
        # all of them to be looked for.
        create_batch=100,
        # A write names the records that parties are made of, by their ids.
        read_batch=500,
        # As of creates.
        update_batch=100,
        # What was made is told by ids alone, and of a change the server tells nothing.
        told_batch=500,
    )
    text_role: ClassVar[Role] = Role.NAME_FULL
    name_roles: ClassVar[tuple[Role, ...]] = (Role.NAME_FULL,)
    username = tryton.USER

    def __init__(self, server: tryton.Server, database: str) -> None:
        self._server = server
        self.database = database
        self.base_url = server.url_of(database)
        self._version = 1
        self._password = tryton.PASSWORD
        self._offset_s = 0.0
        self._at: float | None = None

    @staticmethod
    def serving(_shared: Path, own: Path) -> AbstractContextManager[tryton.Server]:
        """Start the server that all databases are on."""
        return tryton.serving(own)

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, server: tryton.Server) -> AsyncIterator[Self]:
        """Take a database, and everybody out of it."""
        database, is_new = server.take()
        if server.is_alone:
            server.set_clock(0.0)
        stage = cls(server, database)
        await asyncio.to_thread(stage._furnish if is_new else stage._clear)
        try:
            yield stage
        finally:
            server.give_back(database)

    def _furnish(self) -> None:
        """Make the only country there is, with the part that all cards lie in."""
        values = {"name": ADDRESS.country, "code": "DE"}
        (country,) = self._ask("model.country.country.create", [values])
        part = {"name": ADDRESS.region, "code": "DE-BW", "country": country}
        self._ask("model.country.subdivision.create", [part | {"type": "state"}])

    def _clear(self) -> None:
        for model in (PARTY, "model.party.category"):
            ids = self._ask(f"{model}.search", [], 0, None, None, active_test=False)
            self._ask(f"{model}.delete", ids)

    def full(self, number: int) -> Card:
        """Return somebody of whom everything is known that has a role."""
        return {
            Role.NAME_FULL: SAMPLES[Role.NAME_FULL],
            Role.EMAIL: (
                Item(value=cards.email_of(number)),
                Item(value=f"second{number}@example.org"),
            ),
            Role.PHONE: (
                Item(value=SAMPLES[Role.PHONE_WORK], label="other"),
                Item(value=SAMPLES[Role.PHONE_MOBILE], label="mobile"),
            ),
            Role.WEBSITE: (Item(value=SAMPLES[Role.WEBSITE]),),
            Role.ADDRESS: (Item(value=ADDRESS),),
        }

    def token(self, *, version_min: int) -> Token:
        """Return user and password."""
        self._version = max(self._version, version_min)
        return Token(
            kind=CredentialKind.BASIC,
            secret=self._password,
            username=self.username,
            version=self._version,
        )

    def is_write(self, *, method: str, path: str, body: bytes) -> bool:
        """Say whether a call's method, which is in its body, changes something."""
        del method, path
        return json.loads(body)["method"].endswith((".create", ".write"))

    async def add(self, people: Sequence[Card]) -> list[RecordId]:
        """Make parties, one after the other."""
        made = [self._call("create", [self._values({}, card)])[0] for card in people]
        return [RecordId(str(each)) for each in made]

    async def fill(self, people: Iterable[Card]) -> None:
        """Make one party of each kind, and rows like its own for the others."""
        alike: dict[object, list[Card]] = {}
        for card in people:
            alike.setdefault(_kind(card), []).append(card)
        path = self._server.path_of(self.database)
        for first, *others in alike.values():
            (made,) = self._call("create", [self._values({}, first)])
            tryton_rows.multiply(path, made, like=map(_texts, others))

    async def edit(self, record_id: RecordId, changes: Card) -> None:
        """Edit as the client does: it deletes what was taken out of its lists."""
        party = self._read(record_id)
        assert party is not None
        self._call("write", [int(record_id)], self._values(party, changes))

    async def delete(self, record_id: RecordId) -> None:
        """Deactivate a party: one with documents cannot be deleted for good."""
        self._call("write", [int(record_id)], {"active": False})

    async def restore(self, record_id: RecordId) -> None:
        """Activate a party again."""
        self._call("write", [int(record_id)], {"active": True})

    async def see(self, record_id: RecordId) -> Card | None:
        """Return a party as people see it."""
        party = self._read(record_id)
        return None if party is None else _card(party)

    async def find(self, email: str) -> list[RecordId]:
        """Return the parties with an address, whatever its case."""
        domain = [["contact_mechanisms.value", "ilike", email]]
        found = self._call("search", domain, 0, None, [["id", "ASC"]])
        return [RecordId(str(each)) for each in found]

    async def enrich(self, record_id: RecordId) -> None:
        """Give a party an identifier, an email a comment, an address an attention."""
        party = self._read(record_id)
        assert party is not None
        email = party["contact_mechanisms."][0]["id"]
        address = party["addresses."][0]["id"]
        values = {
            "identifiers": [["create", [{"code": "EORI 17"}]]],
            "contact_mechanisms": [["write", [email], {"comment": "read by Bob"}]],
            "addresses": [["write", [address], {"attn": "Reception"}]],
        }
        self._call("write", [int(record_id)], values)

    async def extras(self, record_id: RecordId) -> object:
        """Return those."""
        party = self._read(record_id)
        assert party is not None
        return (
            [one["code"] for one in party["identifiers."]],
            [one["comment"] for one in party["contact_mechanisms."]],
            [one["attn"] for one in party["addresses."]],
        )

    async def tag(self, record_id: RecordId, names: Sequence[str]) -> None:
        """Sort a party under categories as well."""
        made = [self._ask("model.party.category.create", [{"name": name}])
                for name in names]  # fmt: skip
        ids = [each for (each,) in made]
        self._call("write", [int(record_id)], {"categories": [["add", ids]]})

    async def tags_of(self, record_id: RecordId) -> set[str]:
        """Return the names of a party's categories."""
        party = self._read(record_id)
        assert party is not None
        return {one["rec_name"] for one in party["categories."]}

    def revoke(self) -> None:
        """Have the password be another."""
        self._password = "forgotten"

    def freeze(self) -> None:
        """Stop the server's clock."""
        self._at = time.time() + self._offset_s
        self._server.set_clock(0.0, at=self._at)

    def pass_time(self, seconds: float) -> None:
        """Move the server's clock."""
        self._offset_s += seconds
        if self._at is not None:
            self._at += seconds
        self._server.set_clock(self._offset_s, at=self._at)

    def now(self) -> datetime.datetime:
        """Return the server's time."""
        now_s = self._at or time.time() + self._offset_s
        return datetime.datetime.fromtimestamp(now_s, datetime.UTC)

    def _ask(self, method: str, *params: Any, **context: Any) -> Any:
        return self._server.call(self.database, method, *params, **context)

    def _call(self, method: str, *params: Any) -> Any:
        return self._ask(f"{PARTY}.{method}", *params)

    def _read(self, record_id: RecordId) -> dict[str, Any] | None:
        domain = [["id", "=", int(record_id)]]
        found = self._call("search_read", domain, 0, 1, None, FIELDS)
        return found[0] if found else None

    def _values(self, party: Mapping[str, Any], card: Card) -> dict[str, Any]:
        """Return what a card says as the client would send it; None empties."""
        values: dict[str, Any] = {}
        mechanisms: list[Any] = []
        for role, value in card.items():
            items = value if isinstance(value, tuple) else ()
            if role is Role.NAME_FULL:
                values["name"] = value
            elif role is Role.ADDRESS:
                old = [one["id"] for one in party.get("addresses.", ())]
                new = [self._street(item) for item in items]
                values["addresses"] = _commands(old, new)
            else:
                held = party.get("contact_mechanisms.", ())
                old = [one["id"] for one in held if one["type"] in ROLES[role]]
                default = ROLES[role][0]
                new = [
                    {"type": TYPES.get(item.label, default), "value": item.value}
                    for item in items
                ]
                mechanisms += _commands(old, new)
        return values | ({"contact_mechanisms": mechanisms} if mechanisms else {})

    def _street(self, item: Item) -> dict[str, Any]:
        address = item.value
        assert isinstance(address, Address)
        values: dict[str, Any] = {
            "street": address.street,
            "postal_code": address.postal_code,
            "city": address.city,
        }
        for name, model in (("country", "country"), ("region", "subdivision")):
            if text := getattr(address, name):
                found = self._ask(
                    f"model.country.{model}.search", [["name", "=", text]], 0, 1, None
                )
                (values[model],) = found
        return values


def _commands(old: Sequence[int], new: Sequence[Mapping[str, Any]]) -> list[Any]:
    found: list[Any] = [["delete", [*old]]] if old else []
    return found + ([["create", [*new]]] if new else [])


def _kind(card: Card) -> object:
    """Return what those have in common who differ by their texts alone."""
    return card.get(Role.ADDRESS), *(
        (role, *(item.label for item in value)) if isinstance(value, tuple) else role
        for role, value in card.items()
    )


def _texts(card: Card) -> tuple[str, list[str]]:
    """Return a party's name, and the values of its contact mechanisms in order."""
    held = (value for role, value in card.items() if role in ROLES)
    return str(card[Role.NAME_FULL]), [
        str(item.value) for items in held if isinstance(items, tuple) for item in items
    ]


def _card(party: Mapping[str, Any]) -> Card:
    """Return what a party says, without what is empty."""
    found: dict[Role, Value] = {Role.NAME_FULL: party["name"]}
    for role, kinds in ROLES.items():
        found[role] = tuple(
            Item(value=one["value"], label=LABELS.get(one["type"], ""))
            for one in party["contact_mechanisms."]
            if one["type"] in kinds
        )
    addresses = (
        Address(
            street=one["street"] or "",
            city=one["city"] or "",
            region=(one["subdivision."] or {}).get("name", ""),
            postal_code=one["postal_code"] or "",
            country=(one["country."] or {}).get("name", ""),
        )
        for one in party["addresses."]
    )
    found[Role.ADDRESS] = tuple(Item(value=one) for one in addresses)
    return {role: value for role, value in found.items() if value}
