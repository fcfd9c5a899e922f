"""Mailchimp's operations: they yield calls and receive answers."""

from collections.abc import Sequence

from proto.connector import Container
from proto.fields import Field
from proto.ids import ContainerId
from services.connector.apps.mailchimp import answers, fields, wire
from services.connector.apps.mailchimp.archived import Archive
from services.connector.apps.mailchimp.audiences import Catalogue, MemberFields
from services.connector.apps.mailchimp.reading import Reader
from services.connector.apps.mailchimp.writing import Writer
from services.connector.errors import CallFailed
from services.connector.halves import CreatingHalves
from services.connector.manifest import Manifest
from services.connector.port import (
    Answer,
    Call,
    Facts,
    Heard,
    Identity,
    NewRecord,
    Operation,
    Push,
)


class App(CreatingHalves[Writer]):
    """One Mailchimp account, with all its audiences.

    Keep it as long as the account is used: it remembers the audiences and their merge
    fields, which are otherwise read again before the first member is, and who of them
    is archived.
    """

    def __init__(self, manifest: Manifest, _facts: Facts) -> None:
        self._catalogue = Catalogue()
        size = manifest.limits.page_size
        reader = Reader(self._catalogue, page_size=size)
        archive = Archive(page_size=size)
        super().__init__(reader, Writer(self._catalogue, reader, archive=archive))

    def meaning_of(self, answer: Answer) -> CallFailed:
        """Say what an answer with an unaccepted status means."""
        return answers.meaning_of(answer)

    def verify(self) -> Operation[Identity]:
        """Read whose account it is."""
        query = (("fields", "account_id,account_name"),)
        answer = yield Call(method="GET", path="/", query=query)
        account = answer.decode(wire.Account)
        return Identity(
            vendor_account_id=account.account_id,
            display_name=account.account_name or account.account_id,
        )

    def describe_fields(self) -> Operation[tuple[Field, ...]]:
        """Read the merge fields of all audiences."""
        audiences = yield from self._catalogue.read()
        found: dict[str, MemberFields] = {}
        for list_id in audiences:
            found[list_id] = yield from self._catalogue.fields_of(list_id)
        return fields.describe(found.values())

    def list_containers(self) -> Operation[tuple[Container, ...]]:
        """Read the audiences."""
        audiences = yield from self._catalogue.read()
        return tuple(
            Container(container_id=ContainerId(one.list_id), name=one.name)
            for one in audiences.values()
        )

    def together(self, news: Sequence[NewRecord]) -> Sequence[Sequence[int]]:
        """Return who may be made with whom: nobody where too many are archived."""
        return self._writer.together(news)

    @staticmethod
    def hear(push: Push, *, secret: bytes) -> Heard | None:
        """Take every push: the address is all the proof that there is."""
        del push, secret
        return Heard()
