"""Campaign Monitor's operations: they yield calls and receive answers."""

from proto.connector import Container
from proto.fields import Field
from services.connector.apps.campaign_monitor import answers, fields
from services.connector.apps.campaign_monitor.catalogue import Catalogue
from services.connector.apps.campaign_monitor.reading import Reader
from services.connector.apps.campaign_monitor.writing import Writer
from services.connector.errors import CallFailed, Meaning
from services.connector.halves import CreatingHalves
from services.connector.manifest import Manifest
from services.connector.port import (
    Answer,
    Facts,
    Heard,
    Identity,
    Operation,
    Push,
)


class App(CreatingHalves[Writer]):
    """One login at Campaign Monitor, with all lists that it may see.

    Keep it as long as the account is used: it remembers the lists and their fields.
    """

    def __init__(self, manifest: Manifest, _facts: Facts) -> None:
        self._catalogue = Catalogue()
        reader = Reader(self._catalogue, page_size=manifest.limits.page_size)
        super().__init__(reader, Writer(self._catalogue))

    def meaning_of(self, answer: Answer) -> CallFailed:
        """Say what an answer with an unaccepted status means."""
        return answers.meaning_of(answer)

    def verify(self) -> Operation[Identity]:
        """Read whose lists they are: an account has no id, and its clients have."""
        clients = yield from self._catalogue.clients()
        if not clients:
            raise CallFailed(Meaning.FORBIDDEN, "an account without clients")
        first = min(clients, key=lambda one: one.client_id)
        more = f" and {len(clients) - 1} more" if len(clients) > 1 else ""
        return Identity(
            vendor_account_id=first.client_id, display_name=f"{first.name}{more}"
        )

    def describe_fields(self) -> Operation[tuple[Field, ...]]:
        """Read the custom fields of all lists."""
        return fields.describe((yield from self._catalogue.describe()))

    def list_containers(self) -> Operation[tuple[Container, ...]]:
        """Read the lists."""
        return self._catalogue.containers()

    @staticmethod
    def hear(push: Push, *, secret: bytes) -> Heard | None:
        """Take every push: the address is all the proof that there is."""
        del push, secret
        return Heard()
