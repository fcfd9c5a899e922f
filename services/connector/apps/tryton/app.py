"""Tryton's operations: they yield calls and receive answers."""

from urllib.parse import urlsplit

from proto.fields import Field
from services.connector.apps.tryton import fields, rpc
from services.connector.apps.tryton.reading import Reader
from services.connector.apps.tryton.writing import Writer
from services.connector.errors import CallFailed, Meaning
from services.connector.halves import WritingHalves
from services.connector.manifest import Manifest
from services.connector.port import (
    Answer,
    Facts,
    Identity,
    Operation,
)


class App(WritingHalves[Writer]):
    """The parties of one database, as one user sees them."""

    def __init__(self, manifest: Manifest, facts: Facts) -> None:
        self._facts = facts
        reader = Reader(page_size=manifest.limits.page_size)
        super().__init__(reader, Writer())

    def meaning_of(self, answer: Answer) -> CallFailed:
        """Say what an answer with an unaccepted status means."""
        return rpc.meaning_of(answer)

    def verify(self) -> Operation[Identity]:
        """Read something of the user's own, which takes the password."""
        done = yield from rpc.call("model.res.user.get_preferences", True)
        if isinstance(done, rpc.Refusal):
            raise CallFailed(Meaning.FORBIDDEN, "the user has no preferences")
        parts = urlsplit(self._facts.base_url)
        host = parts.netloc.rpartition("@")[2].lower()
        place = f"{host}{parts.path.rstrip('/')}"
        user = self._facts.username
        return Identity(
            vendor_account_id=f"{place}:{user}", display_name=f"{user} at {place}"
        )

    def describe_fields(self) -> Operation[tuple[Field, ...]]:
        """Return the fields, which are the same in every database."""
        yield from ()
        return fields.FIELDS
