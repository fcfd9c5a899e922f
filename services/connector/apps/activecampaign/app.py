"""ActiveCampaign's operations: they yield calls and receive answers."""

from urllib.parse import urlsplit

from proto.connector import Container
from proto.fields import Field
from proto.ids import ContainerId
from services.connector.apps.activecampaign import answers, fields, wire
from services.connector.apps.activecampaign.catalogue import Catalogue
from services.connector.apps.activecampaign.reading import Reader
from services.connector.apps.activecampaign.writing import Writer
from services.connector.errors import CallFailed
from services.connector.halves import Halves
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

API_PATH = "/api/3"


class App(Halves[Writer]):
    """One ActiveCampaign account.

    Keep it as long as the account is used: it remembers custom fields, lists and tags.
    """

    def __init__(self, manifest: Manifest, facts: Facts) -> None:
        # People copy an address with the path or, as the vendor shows it, without.
        self._prefix = "" if facts.base_url.endswith(API_PATH) else API_PATH
        self._host = (urlsplit(facts.base_url).netloc.rpartition("@")[2]).lower()
        self._catalogue = Catalogue(self._prefix)
        reader = Reader(
            self._catalogue, prefix=self._prefix, page_size=manifest.limits.page_size
        )
        super().__init__(reader, Writer(self._catalogue, reader, prefix=self._prefix))

    def meaning_of(self, answer: Answer) -> CallFailed:
        """Say what an answer with an unaccepted status means."""
        return answers.meaning_of(answer)

    def verify(self) -> Operation[Identity]:
        """Read whose key it is; an account is known by its host."""
        answer = yield Call(method="GET", path=f"{self._prefix}/users/me")
        user = answer.decode(wire.OneUser).user
        who = user.email or user.username
        name = f"{who} at {self._host}" if who else self._host
        return Identity(vendor_account_id=self._host, display_name=name)

    def describe_fields(self) -> Operation[tuple[Field, ...]]:
        """Read the custom fields; the others are the same in every account."""
        return fields.describe((yield from self._catalogue.read()))

    def list_containers(self) -> Operation[tuple[Container, ...]]:
        """Read the lists."""
        lists = yield from self._catalogue.read_lists()
        return tuple(
            Container(container_id=ContainerId(list_id), name=name)
            for list_id, name in lists.items()
        )

    @staticmethod
    def hear(push: Push, *, secret: bytes) -> Heard | None:
        """Take every push: the address is all the proof that there is."""
        del push, secret
        return Heard()
