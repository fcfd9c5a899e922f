"""Pipedrive's operations: they yield calls and receive answers."""

from proto.fields import Field
from services.connector.apps.pipedrive import answers, fields, wire
from services.connector.apps.pipedrive.catalogue import Catalogue
from services.connector.apps.pipedrive.reading import Reader
from services.connector.apps.pipedrive.writing import Writer
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

WHO_PATH = "/api/v1/users/me"
"""The newer version of the API has no users."""


class App(Halves[Writer]):
    """One Pipedrive company, as far as who authorised may see it.

    Keep it as long as the account is used: it remembers the fields.
    """

    def __init__(self, manifest: Manifest, _facts: Facts) -> None:
        self._catalogue = Catalogue()
        reader = Reader(self._catalogue, page_size=manifest.limits.page_size)
        super().__init__(reader, Writer(self._catalogue))

    def meaning_of(self, answer: Answer) -> CallFailed:
        """Say what an answer with an unaccepted status means."""
        return answers.meaning_of(answer)

    def verify(self) -> Operation[Identity]:
        """Read who authorised, and of which company."""
        answer = yield Call(method="GET", path=WHO_PATH, from_origin=True)
        user = answer.decode(wire.OneUser).data
        company_id = str(user.company_id)
        return Identity(
            vendor_account_id=company_id, display_name=user.company_name or company_id
        )

    def describe_fields(self) -> Operation[tuple[Field, ...]]:
        """Read the fields, those that users defined included."""
        return fields.describe((yield from self._catalogue.read()))

    @staticmethod
    def hear(push: Push, *, secret: bytes) -> Heard | None:
        """Take every push: the address is all the proof that there is."""
        del push, secret
        return Heard()
