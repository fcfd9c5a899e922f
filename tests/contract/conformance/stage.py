"""An app's server with one account, and what people and the vendor do there.

A stage knows the vendor's own forms and nothing of the app's code: what it puts in and
sees is the other half of each comparison. An operation that an app's vendor has nothing
for is left as it is here, and is then never asked for.
"""

import contextlib
import datetime
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar, Final, NamedTuple, Self

from proto.auth import Token
from proto.fields import FieldKind, Role, Value
from proto.ids import ContainerId, RecordId
from proto.record import Consent
from tests.contract.conformance import cards
from tests.contract.conformance.cards import Card
from tests.contract.conformance.least import Least
from tests.contract.conformance.shapes import Shape

READING: Final = ("GET", "HEAD", "OPTIONS", "PROPFIND", "REPORT")


class NotOnStage(Exception):
    """The vendor has no such thing, or the stage does not know how."""


class Login(NamedTuple):
    """An application registered at the vendor, and where people agree to it."""

    client_id: str
    client_secret: str
    authorise_url: str
    token_url: str


class Pushed(NamedTuple):
    """What a vendor sent to an address that it was given."""

    url: str
    method: str
    headers: Mapping[str, str]
    body: bytes
    status: int
    """How it was answered; 0: not at all."""


class Stage:
    """One account of one app."""

    app: ClassVar[str]
    is_alone: ClassVar[bool] = False
    """Its server has one account, which tests have one after the other."""
    multiple: ClassVar[Mapping[Role, str]] = {}
    """Roles of which a record holds several, with the label of a sole one."""
    text_role: ClassVar[Role] = Role.JOB_TITLE
    """A plain text that users edit and that nothing else hangs on."""
    name_roles: ClassVar[tuple[Role, ...]] = (Role.NAME_GIVEN, Role.NAME_FAMILY)
    least_consent: ClassVar[Consent] = Consent.UNKNOWN
    """How much has to be known of somebody's consent for the app to make them; unknown
    where a record can be there and get no mail."""
    most_consent: ClassVar[Consent] = Consent.UNKNOWN
    """How much of somebody's consent a new record can carry besides a refusal."""
    together_min: ClassVar[int] = 2
    """So many at least are made in one call, where the vendor makes several so."""
    least: ClassVar[Least | None] = None
    """The fewest calls that the vendor allows; a stage without it is not complete."""
    shape: ClassVar[Shape | None] = None
    """What the vendor holds of a person; a stage without it is not complete."""
    questions: ClassVar[tuple[str, ...]] = ()
    """How paths end of calls that only ask, with a method that otherwise writes."""
    scanned_max: ClassVar[int | None] = None
    """So many records its server lists in a time that can be waited for; None: any."""
    own_kinds: ClassVar[frozenset[FieldKind]] = frozenset()
    """Kinds of fields that ``define`` defines: what users can have of their own."""
    base_url: str
    """Where the vendor's API is, as an account of this app has it."""
    username: str = ""

    @staticmethod
    def serving(shared: Path, own: Path) -> AbstractContextManager[Any]:
        """Run a real server for all tests of this process; none for most apps.

        Args:
            shared: A directory of all processes of a test run.
            own: An empty one of this process.
        """
        del shared, own
        return contextlib.nullcontext()

    @classmethod
    def opened(cls, server: Any) -> AbstractAsyncContextManager[Self]:
        """Open a fresh account, on the server where there is one."""
        raise NotOnStage

    def shaped(self, role: Role, text: str) -> Value:
        """Return a text in the shape that a role's field has here."""
        return cards.one(text, label=self.multiple.get(role))

    def plain(self, number: int) -> Card:
        """Return one of many people: a name and an address."""
        names = ("Person", str(number))
        if len(self.name_roles) == 1:
            names = (" ".join(names),)
        return {
            Role.EMAIL: self.shaped(Role.EMAIL, cards.email_of(number)),
            **dict(zip(self.name_roles, names, strict=True)),
        }

    def full(self, number: int) -> Card:
        """Return somebody of whom everything is known that the vendor can hold."""
        raise NotOnStage

    def among_many(self, number: int) -> Card:
        """Return somebody who can be made with others in one call."""
        return self.full(number)

    async def together(self) -> Mapping[str, Any]:
        """Return what else a new record has to say to be made with others."""
        return {}

    def token(self, *, version_min: int) -> Token:
        """Return what a call proves itself with; a newer one if it has to be."""
        raise NotOnStage

    def login(self, redirect_uri: str) -> Login:
        """Register an application that people come back from to an address of ours."""
        raise NotOnStage

    def is_write(self, *, method: str, path: str, body: bytes) -> bool:
        """Say whether a call to the vendor's API is meant to change something."""
        del body
        is_question = path.partition("?")[0].endswith(self.questions)
        return method not in READING and not is_question

    def neighbour(self) -> Self:
        """Return another account, for which the same client is authorised."""
        raise NotOnStage

    # What people do.

    async def add(self, people: Sequence[Card]) -> list[RecordId]:
        """Put people into the account, one after the other."""
        raise NotOnStage

    async def fill(self, people: Iterable[Card]) -> None:
        """Put very many people into the account, in whatever way is fastest."""
        await self.add([*people])

    async def edit(self, record_id: RecordId, changes: Card) -> None:
        """Change somebody as a user of the vendor would; None empties."""
        raise NotOnStage

    async def delete(self, record_id: RecordId) -> None:
        """Delete somebody as a user would."""
        raise NotOnStage

    async def restore(self, record_id: RecordId) -> None:
        """Bring somebody back who was deleted."""
        raise NotOnStage

    async def see(self, record_id: RecordId) -> Card | None:
        """Return somebody as the vendor has them, without what is empty; None: gone."""
        raise NotOnStage

    async def find(self, email: str) -> list[RecordId]:
        """Return who is there with an address, as the vendor would say."""
        raise NotOnStage

    async def enrich(self, record_id: RecordId) -> None:
        """Give somebody what the vendor can hold and no field of the app shows."""
        raise NotOnStage

    async def extras(self, record_id: RecordId) -> object:
        """Return what ``enrich`` gave, to be compared."""
        raise NotOnStage

    async def unsubscribe(self, record_id: RecordId) -> None:
        """Have somebody say that they want no more mail."""
        raise NotOnStage

    async def consent_of(self, record_id: RecordId) -> Consent:
        """Return whether somebody may be mailed, as the vendor has it."""
        raise NotOnStage

    async def tag(self, record_id: RecordId, names: Sequence[str]) -> None:
        """Give somebody these tags, besides those that are there."""
        raise NotOnStage

    async def tags_of(self, record_id: RecordId) -> set[str]:
        """Return the names of somebody's tags."""
        raise NotOnStage

    async def new_container(self, name: str) -> ContainerId:
        """Make one more list."""
        raise NotOnStage

    async def put_into(self, record_id: RecordId, container: ContainerId) -> None:
        """Put somebody into a list."""
        raise NotOnStage

    async def containers_of(self, record_id: RecordId) -> set[str]:
        """Return the ids of the lists that somebody is in."""
        raise NotOnStage

    async def define(
        self,
        label: str,
        *,
        options: Sequence[str] = (),
        kind: FieldKind = FieldKind.TEXT,
    ) -> None:
        """Define a custom field of a kind, or with options to choose from."""
        raise NotOnStage

    async def set_own_value(self, record_id: RecordId, label: str, value: str) -> None:
        """Give somebody a value of a custom field; of a choice its label.

        Yes and no are ``true`` and ``false``, days ``YYYY-MM-DD``, moments RFC 3339.
        """
        raise NotOnStage

    async def own_value(self, record_id: RecordId, label: str) -> str | None:
        """Return somebody's value of a custom field; of a choice its label."""
        raise NotOnStage

    def push_to(self, url: str, *, secret: str) -> None:
        """Enter an address at the vendor, which changes are to be pushed to.

        Args:
            secret: What the vendor signs with from now on, if it signs.
        """
        raise NotOnStage

    # What the vendor does.

    async def pushed(self) -> Sequence[Pushed]:
        """Return what the vendor has pushed, once it has told of all that happened."""
        raise NotOnStage

    def set_limit(self, calls_per_second: int) -> None:
        """Refuse what comes faster, as the vendor does."""
        raise NotOnStage

    def exhaust(self) -> None:
        """Refuse calls for the rest of the day, as the vendor does."""
        raise NotOnStage

    def expire_token(self) -> None:
        """Have the token that is in use expire; a newer one is good."""
        raise NotOnStage

    def revoke(self) -> None:
        """Have no token be good any more, newer ones neither."""
        raise NotOnStage

    async def forget_changes(self) -> None:
        """Have cursors of changes be too old."""
        raise NotOnStage

    def freeze(self) -> None:
        """Have all that happens from now on happen in the same second."""
        raise NotOnStage

    def pass_time(self, seconds: float) -> None:
        """Move the vendor's clock; a negative number sets it back."""
        raise NotOnStage

    def now(self) -> datetime.datetime:
        """Return the vendor's time."""
        raise NotOnStage
