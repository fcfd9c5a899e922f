"""HubSpot's operations: they yield calls and receive answers."""

from proto.connector import Container
from proto.fields import Field
from services.connector.apps.hubspot import answers, fields, pushes, wire
from services.connector.apps.hubspot.catalogue import Catalogue
from services.connector.apps.hubspot.lists import Lists
from services.connector.apps.hubspot.reading import Reader
from services.connector.apps.hubspot.writing import Writer
from services.connector.errors import CallFailed
from services.connector.halves import WritingHalves
from services.connector.manifest import Manifest
from services.connector.port import (
    Answer,
    Call,
    Facts,
    Heard,
    Identity,
    Operation,
    Push,
)


class App(WritingHalves[Writer]):
    """One HubSpot account.

    Keep it as long as the account is used: it remembers the properties and the lists,
    which are otherwise read again before the first contact is.
    """

    def __init__(self, manifest: Manifest, _facts: Facts) -> None:
        self._catalogue = Catalogue()
        self._lists = Lists()
        reader = Reader(
            self._catalogue, self._lists, page_size=manifest.limits.page_size
        )
        super().__init__(reader, Writer(self._catalogue, self._lists))

    def meaning_of(self, answer: Answer) -> CallFailed:
        """Say what an answer with an unaccepted status means."""
        return answers.meaning_of(answer)

    def verify(self) -> Operation[Identity]:
        """Read whose account it is."""
        answer = yield Call(method="GET", path="/account-info/v3/details")
        account = answer.decode(wire.Account)
        name = account.portal_name or f"{account.portal_id} ({account.ui_domain})"
        return Identity(vendor_account_id=str(account.portal_id), display_name=name)

    def describe_fields(self) -> Operation[tuple[Field, ...]]:
        """Read the properties, the vendor's own and those that users defined."""
        return fields.describe((yield from self._catalogue.read()))

    def list_containers(self) -> Operation[tuple[Container, ...]]:
        """Read the lists that contacts can be put on."""
        found = yield from self._lists.read()
        return tuple(
            Container(container_id=list_id, name=one.name)
            for list_id, one in found.items()
        )

    @staticmethod
    def hear(push: Push, *, secret: bytes) -> Heard | None:
        """Return whose records changed; None where the secret did not sign it."""
        return pushes.hear(push, secret=secret)
