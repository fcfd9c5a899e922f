"""Google's operations: they yield calls and receive answers."""

from proto.fields import Field
from services.connector.apps.google_contacts import answers, entries, fields, wire
from services.connector.apps.google_contacts.labels import Labels
from services.connector.apps.google_contacts.reading import Reader
from services.connector.apps.google_contacts.writing import Writer
from services.connector.errors import CallFailed, Meaning
from services.connector.halves import WritingHalves
from services.connector.manifest import Manifest
from services.connector.port import (
    Answer,
    Call,
    Facts,
    Identity,
    Operation,
)


class App(WritingHalves[Writer]):
    """The contacts of one Google account.

    Keep it as long as the account is used: it remembers the labels, which are otherwise
    read again before the first contact that has one is.
    """

    def __init__(self, manifest: Manifest, _facts: Facts) -> None:
        self._labels = Labels()
        reader = Reader(self._labels, page_size=manifest.limits.page_size)
        super().__init__(reader, Writer(self._labels))

    def meaning_of(self, answer: Answer) -> CallFailed:
        """Say what an answer with an unaccepted status means."""
        return answers.meaning_of(answer)

    def verify(self) -> Operation[Identity]:
        """Read whose account it is."""
        answer = yield Call(
            method="GET",
            path="/people/me",
            query=(("personFields", "emailAddresses,metadata"),),
        )
        person = answer.decode(wire.Person)
        account_id = person.resource_name.removeprefix("people/")
        if account_id in ("", "me"):
            raise CallFailed(Meaning.BROKEN, "an account without an id")
        emails = [
            wire.text(one, "value") for one in entries.ordered(person.email_addresses)
        ]
        name = next(filter(None, emails), account_id)
        return Identity(vendor_account_id=account_id, display_name=name)

    def describe_fields(self) -> Operation[tuple[Field, ...]]:
        """Return the fields, which are the same for every account."""
        yield from ()
        return fields.FIELDS
