"""Dotloop's emulator as a stage, and its contacts in the terms of cards.

The table is written from the guide's sample of a contact (March 2026).
"""

import contextlib
import datetime
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, ClassVar, Final

import msgspec

from proto.auth import CredentialKind, Token
from proto.fields import Address, Item, Role, Value
from proto.ids import RecordId
from tests.contract.conformance import cards
from tests.contract.conformance.cards import SAMPLES, Card
from tests.contract.conformance.least import Least
from tests.contract.conformance.stage import Stage
from tests.emulators.core.limits import Limits
from tests.emulators.core.oauth import Grant
from tests.emulators.dotloop.account import Entry
from tests.emulators.dotloop.emulator import SCOPES, Emulator, running
from tests.emulators.dotloop.settings import Settings
from tests.emulators.dotloop.wire import Body

TEXTS: Final[Mapping[Role, str]] = {
    Role.NAME_GIVEN: "firstName",
    Role.NAME_FAMILY: "lastName",
    Role.EMAIL: "email",
    Role.PHONE_HOME: "home",
    Role.PHONE_WORK: "office",
}


class Dotloop(Stage):
    """One account at the emulator."""

    app = "dotloop"
    multiple: ClassVar[Mapping[Role, str]] = {Role.ADDRESS: ""}
    least = Least(
        # Sources disagree whether a batch shows 50 or 100; here it shows 50. It has a
        # number and a size alone, so that one that begins with somebody already shown,
        # without whom a deletion in between would hide somebody (hazard 20), shows some
        # 43 others.
        page_size=43,
        # updated_min filters the same listing, and nothing else tells of changes.
        idle_calls=1,
        changes_page_size=43,
        changes_calls=0,
        # There is no way to find an address but to read everybody.
        find_batch=0,
        # PATCH changes what it names; nothing is conditional, and one call reads one.
        read_batch=1,
    )
    # There is no job title; so that nobody needs a last name, the first one is both.
    text_role: ClassVar[Role] = Role.NAME_FAMILY
    name_roles: ClassVar[tuple[Role, ...]] = (Role.NAME_GIVEN,)

    def __init__(self, emulator: Emulator) -> None:
        self._emulator = emulator
        (self._account,) = emulator.accounts.values()
        self.base_url = f"{emulator.url}/public/v2"
        self._version = 0
        self._secret = ""
        self._is_revoked = False

    def full(self, number: int) -> Card:
        """Return somebody with every property that has a role."""
        return {
            **self.plain(number),
            Role.NAME_FAMILY: SAMPLES[Role.NAME_FAMILY],
            Role.PHONE_HOME: SAMPLES[Role.PHONE_HOME],
            Role.PHONE_WORK: SAMPLES[Role.PHONE_WORK],
            Role.ADDRESS: (Item(value=cards.ADDRESS),),
        }

    def token(self, *, version_min: int) -> Token:
        """Return the access token; a new one, the only good one, when asked for."""
        if version_min > self._version or not self._secret:
            self._version = max(1, version_min)
            grant = Grant(
                client_id=next(iter(self._emulator.server.clients)),
                account_id=self._account.account_id,
                scopes=SCOPES,
            )
            self._secret = self._emulator.server.issue(grant).access_token
            if self._is_revoked:
                self.expire_token()
        return Token(
            kind=CredentialKind.BEARER, secret=self._secret, version=self._version
        )

    async def add(self, people: Sequence[Card]) -> list[RecordId]:
        """Add contacts as the user does."""
        made = [self._account.create(_body(card), who="user") for card in people]
        return [RecordId(str(contact.id)) for contact in made]

    async def edit(self, record_id: RecordId, changes: Card) -> None:
        """Edit as the user does."""
        self._account.edit(self._entry(record_id), _body(changes), who="user")

    async def delete(self, record_id: RecordId) -> None:
        """Delete as the user does: for good."""
        self._account.delete(self._entry(record_id), who="user")

    async def see(self, record_id: RecordId) -> Card | None:
        """Return a contact as the vendor keeps it."""
        entry = self._account.contacts.get(int(record_id))
        return None if entry is None else _card(entry.contact.shown("omitted"))

    async def find(self, email: str) -> list[RecordId]:
        """Return the contacts with an address, whatever its case."""
        return [
            RecordId(str(contact_id))
            for contact_id, entry in self._account.contacts.items()
            if entry.contact.email.lower() == email.lower()
        ]

    async def enrich(self, record_id: RecordId) -> None:
        """Give a contact a fax number, which plays no role."""
        fax = Body(fax="+49 761 5550104")
        self._account.edit(self._entry(record_id), fax, who="user")

    async def extras(self, record_id: RecordId) -> object:
        """Return the fax number."""
        return self._entry(record_id).contact.fax

    def set_limit(self, calls_per_second: int) -> None:
        """Have the vendor count calls, by the minute."""
        self._emulator.limiter.limits.requests_per_window = 60 * calls_per_second

    def expire_token(self) -> None:
        """Kill the access token, as its age would."""
        account_id = self._account.account_id
        self._emulator.server.revoke(account_id, keep_refresh_tokens=True)

    def revoke(self) -> None:
        """Have the person withdraw what they agreed to."""
        self._is_revoked = True
        self.expire_token()

    def freeze(self) -> None:
        """Stop the vendor's clock."""
        self._emulator.clock.freeze()

    def pass_time(self, seconds: float) -> None:
        """Move the vendor's clock."""
        self._emulator.clock.advance(seconds)

    def now(self) -> datetime.datetime:
        """Return the vendor's time."""
        now_s = self._emulator.clock.now()
        return datetime.datetime.fromtimestamp(now_s, datetime.UTC)

    def _entry(self, record_id: RecordId) -> Entry:
        return self._account.contacts[int(record_id)]


def _body(card: Card) -> Body:
    """Return a card as the vendor's JSON; what is None is emptied."""
    found: dict[str, Any] = {}
    for role, value in card.items():
        if role is Role.ADDRESS:
            found |= _street(value)
        else:
            found[TEXTS[role]] = value or ""
    return msgspec.convert(found, Body)


def _street(value: Value) -> dict[str, str]:
    (item,) = value if isinstance(value, tuple) else (Item(value=Address()),)
    assert isinstance(item.value, Address)
    return {
        "address": item.value.street,
        "city": item.value.city,
        "state": item.value.region,
        "zipCode": item.value.postal_code,
        "country": item.value.country,
    }


def _card(shown: Mapping[str, Any]) -> Card:
    """Return a contact as a card, without what is empty."""
    found: dict[Role, Value] = {
        role: shown[name] for role, name in TEXTS.items() if name in shown
    }
    address = Address(
        street=shown.get("address", ""),
        city=shown.get("city", ""),
        region=shown.get("state", ""),
        postal_code=shown.get("zipCode", ""),
        country=shown.get("country", ""),
    )
    if address != Address():
        found[Role.ADDRESS] = (Item(value=address),)
    return found


@contextlib.asynccontextmanager
async def opened(_server: object) -> AsyncIterator[Dotloop]:
    """Start an emulator of its own, without limits."""
    async with running(Settings(limits=Limits(window_s=60.0))) as emulator:
        yield Dotloop(emulator)
