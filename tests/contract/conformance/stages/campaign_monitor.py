"""Campaign Monitor's emulator as a stage, and its subscribers in the terms of cards.

A subscriber has an address and one name; all else is a list's own.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final

from proto.fields import FieldKind, Role
from proto.ids import ContainerId, RecordId
from proto.record import Consent
from tests.contract.conformance import shapes
from tests.contract.conformance.cards import Card
from tests.contract.conformance.emulated import EmulatedStage
from tests.contract.conformance.least import Least
from tests.contract.conformance.shapes import Shape, Voice
from tests.emulators.campaign_monitor.admin import subscriber_of
from tests.emulators.campaign_monitor.book import List, Subscriber
from tests.emulators.campaign_monitor.emulator import Emulator

TEXTS: Final[Mapping[Role, str]] = {Role.EMAIL: "email", Role.NAME_FULL: "name"}
TYPES: Final[Mapping[FieldKind, str]] = {
    FieldKind.TEXT: "Text",
    FieldKind.NUMBER: "Number",
    FieldKind.DATE: "Date",
    FieldKind.CHOICE: "MultiSelectOne",
}
CONSENTS: Final[Mapping[str, Consent]] = {
    "Active": Consent.SUBSCRIBED,
    "Unsubscribed": Consent.UNSUBSCRIBED,
    "Bounced": Consent.SUPPRESSED,
}


class CampaignMonitor(EmulatedStage):
    """One login at the emulator, with one list."""

    app = "campaign_monitor"
    emulator_kind = Emulator
    make_act = ("subscribe", "subscriber")
    api_path = "/api/v3.3"
    text_role: ClassVar[Role] = Role.NAME_FULL
    name_roles: ClassVar[tuple[Role, ...]] = (Role.NAME_FULL,)
    # Whoever is on a list gets mail.
    least_consent: ClassVar[Consent] = Consent.SUBSCRIBED
    shape = Shape(
        fields={Role.EMAIL: shapes.EMAIL, Role.NAME_FULL: shapes.TEXT},
        voice=Voice.WRITTEN,
        is_known_by_address=True,
    )
    own_kinds = frozenset(TYPES)
    least = Least(
        # Listings show 1,000 at most, and each state of a list has its own: those who
        # are deleted are not read by a scan. The clients, the lists of each, and the
        # custom fields of each list have to be known.
        page_size=1_000,
        scan_calls=3 + 3,
        # Nothing shows all states, and nothing but a listing what was edited.
        idle_calls=5,
        changes_page_size=1_000,
        changes_calls=4,
        relearning_calls=3,
        # An import of somebody who is there changes them, and one call reads one.
        find_batch=1,
        create_batch=1_000,
        # Nothing is conditional, and whether a name that is not named stays is not
        # documented. Many are changed by imports alone, which subscribe who is gone.
        read_batch=1,
        update_batch=1,
    )

    def full(self, number: int) -> Card:
        """Return somebody with all that every subscriber can have."""
        return self.plain(number)

    def written(self, card: Card) -> dict[str, Any]:
        """Return a card as the vendor's JSON; what is None is emptied."""
        return {TEXTS[role]: value or "" for role, value in card.items()}

    async def restore(self, record_id: RecordId) -> None:
        """Have somebody subscribe again."""
        _, found = subscriber_of(self._account, record_id)
        again = {"email": found.email, "name": found.name}
        self._act("subscribe", subscriber=again)

    async def see(self, record_id: RecordId) -> Card | None:
        """Return a subscriber as the vendor keeps them."""
        found = self._list.subscribers.get(record_id.partition("/")[2])
        if found is None or found.state == "Deleted":
            return None
        texts = {Role.EMAIL: found.email, Role.NAME_FULL: found.name}
        return {role: text for role, text in texts.items() if text}

    async def find(self, email: str) -> list[RecordId]:
        """Return the subscriber with an address, whatever its case."""
        found = self._list.subscribers.get(email.lower())
        is_there = found is not None and found.state != "Deleted"
        return [RecordId(f"{self._list.list_id}/{email.lower()}")] if is_there else []

    async def enrich(self, record_id: RecordId) -> None:
        """Have somebody agree to be tracked, which is no field of a sync."""
        self._act("edit", record_id, changes={"consent_to_track": "Yes"})

    async def extras(self, record_id: RecordId) -> object:
        """Return whether somebody may be tracked."""
        return self._subscriber(record_id).consent_to_track

    async def unsubscribe(self, record_id: RecordId) -> None:
        """Have somebody follow the link in a mail."""
        self._act("unsubscribe", record_id)

    async def consent_of(self, record_id: RecordId) -> Consent:
        """Return what the state means."""
        return CONSENTS.get(self._subscriber(record_id).state, Consent.UNKNOWN)

    async def new_container(self, name: str) -> ContainerId:
        """Make one more list of the same client."""
        client = self._account.client_of(self._list)
        return ContainerId(self._account.new_list(client, name).list_id)

    async def containers_of(self, record_id: RecordId) -> set[str]:
        """Return the one list that a subscriber is on."""
        one, _ = subscriber_of(self._account, record_id)
        return {one.list_id}

    async def define(
        self,
        label: str,
        *,
        options: Sequence[str] = (),
        kind: FieldKind = FieldKind.TEXT,
    ) -> None:
        """Define a custom field of the list."""
        kind = FieldKind.CHOICE if options else kind
        self._list.define(label, TYPES[kind], tuple(options))

    async def set_own_value(self, record_id: RecordId, label: str, value: str) -> None:
        """Edit a value of a custom field as the account's staff does."""
        values = {self._list.fields[label].key: value}
        self._act("edit", record_id, changes={"values": values})

    async def own_value(self, record_id: RecordId, label: str) -> str | None:
        """Return somebody's value of a custom field."""
        texts = self._subscriber(record_id).values.get(label, ())
        return texts[0] if texts else None

    @property
    def _list(self) -> List:
        found: List = next(iter(self._account.lists.values()))
        return found

    def _subscriber(self, record_id: RecordId) -> Subscriber:
        _, found = subscriber_of(self._account, record_id)
        return found
