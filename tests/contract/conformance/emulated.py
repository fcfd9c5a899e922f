"""A stage on one of our emulators: started, limited, expired and timed in one way.

An app's stage adds what its vendor's contacts are and what people do to them. Most acts
are those of the emulator's administration (`tests/emulators/core/accounts.py`).
"""

import contextlib
import datetime
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, ClassVar, Self

import aiohttp
import msgspec

from proto.auth import CredentialKind, Token
from proto.ids import RecordId
from tests.contract.conformance.cards import Card
from tests.contract.conformance.stage import Login, NotOnStage, Pushed, Stage
from tests.emulators.core.emulator import Emulator, serving
from tests.emulators.core.hooks import Hook
from tests.emulators.core.oauth import Client
from tests.emulators.core.settings import unlimited


class EmulatedStage(Stage):
    """The first account of an emulator of its own, without limits at first."""

    emulator_kind: ClassVar[type[Emulator[Any]]]
    api_path: ClassVar[str] = ""
    """What an account's address has behind the host."""
    id_kind: ClassVar[type[str] | type[int]] = str
    """What the emulator's acts take a contact's id as."""
    make_act: ClassVar[tuple[str, str]] = ("create", "contact")
    """The act that makes somebody, and what it calls the person."""
    edit_act: ClassVar[tuple[str, str]] = ("edit", "changes")
    delete_act: ClassVar[str] = "delete"

    def __init__(
        self, emulator: Any, session: aiohttp.ClientSession, account: Any = None
    ) -> None:
        self._emulator = emulator
        self._session = session
        self._account = account or next(iter(emulator.accounts.values()))
        self.base_url = emulator.url + self.api_path
        self._version = 0
        self._secret = ""
        self._is_revoked = False

    @classmethod
    @contextlib.asynccontextmanager
    async def opened(cls, _server: object) -> AsyncIterator[Self]:
        """Start an emulator, and stop it at the end of the block."""
        emulator = cls.emulator_kind(unlimited(cls.emulator_kind.settings_kind()))
        async with serving(emulator), aiohttp.ClientSession() as session:
            yield cls(emulator, session)

    def neighbour(self) -> Self:
        """Open another account, for which the same client is authorised."""
        account = self._emulator.open_account("The neighbour's")
        return type(self)(self._emulator, self._session, account)

    def token(self, *, version_min: int) -> Token:
        """Return an access token; a new one when asked for."""
        if version_min > self._version or not self._secret:
            self._version = max(1, version_min)
            self._secret = self._emulator.issue(self._account).access_token
            if self._is_revoked:
                self.expire_token()
        has_key = bool(self.emulator_kind.vendor.key_header)
        return Token(
            kind=CredentialKind.API_KEY if has_key else CredentialKind.BEARER,
            secret=self._secret,
            version=self._version,
        )

    def login(self, redirect_uri: str) -> Login:
        """Register an application of its own."""
        client = Client(
            client_id="tandem",
            client_secret="of-the-stage",
            redirect_uris=(redirect_uri,),
        )
        self._emulator.server.register(client)
        vendor, url = self._emulator.vendor, self._emulator.url
        return Login(
            client_id=client.client_id,
            client_secret="of-the-stage",
            authorise_url=url + vendor.authorize_path,
            token_url=url + vendor.token_path,
        )

    def written(self, card: Card) -> object:
        """Return a card as seeds and acts have it; what is None is emptied."""
        raise NotOnStage

    async def add(self, people: Sequence[Card]) -> list[RecordId]:
        """Make contacts as a user of the vendor does."""
        name, called = self.make_act
        return [
            RecordId(self._act(name, **{called: self.written(card)})) for card in people
        ]

    async def fill(self, people: Iterable[Card]) -> None:
        """Seed contacts."""
        self._seed(people)

    async def edit(self, record_id: RecordId, changes: Card) -> None:
        """Edit as a user of the vendor does."""
        name, called = self.edit_act
        self._act(name, record_id, **{called: self.written(changes)})

    async def delete(self, record_id: RecordId) -> None:
        """Delete as a user of the vendor does first."""
        self._act(self.delete_act, record_id)

    def push_to(self, url: str, *, secret: str) -> None:
        """Enter an address for the account, or for all where the vendor does so."""
        if self._emulator.hooks is None:
            raise NotOnStage
        account_id = self._account.account_id
        hook = Hook(url=url, account_id=account_id, secret=secret)
        self._emulator.hooks.entered.clear()
        self._emulator.hooks.enter(hook)

    async def pushed(self) -> Sequence[Pushed]:
        """Return what the emulator sent."""
        return [
            Pushed(
                url=one.url,
                method=one.request.method,
                headers=one.request.headers,
                body=one.request.body,
                status=one.status,
            )
            for one in await self._emulator.hooks.settled()
        ]

    def set_limit(self, calls_per_second: int) -> None:
        """Have the vendor count calls as it does: by the second or by a window."""
        limits = self._emulator.limiter.limits
        if self._usual_limits.requests_per_second is not None:
            limits.requests_per_second = calls_per_second
        else:
            limits.requests_per_window = int(calls_per_second * limits.window_s)

    def exhaust(self) -> None:
        """Have the day's calls be used up, where the vendor counts them by the day."""
        if self._usual_limits.requests_per_day is None:
            raise NotOnStage
        self._emulator.limiter.limits.requests_per_day = 0

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

    @property
    def _usual_limits(self) -> Any:
        return self.emulator_kind.settings_kind().limits

    def _seed(self, people: Iterable[Card]) -> list[RecordId]:
        """Have contacts be there as if they always had been; return their ids."""
        seeds = msgspec.json.encode([self.written(card) for card in people])
        ids = self._emulator.admin.fill(self._account, seeds)
        return [RecordId(str(each)) for each in ids]

    def _act(
        self, name: str, record_id: RecordId | None = None, **about: object
    ) -> str:
        """Do as a person does; return the id of the contact that it leaves."""
        if record_id is not None:
            about["contact_id"] = self.id_kind(record_id)
        return str(self._emulator.act(self._account, name, **about))

    async def _post(self, path: str, body: object) -> dict[str, Any]:
        """Make something through the vendor's API that people have no act for."""
        secret = self.token(version_min=0).secret
        async with self._session.post(
            f"{self.base_url}/{path}",
            json=body,
            headers={"Authorization": f"Bearer {secret}"},
        ) as response:
            assert response.status == 201, await response.text()
            made: dict[str, Any] = await response.json()
            return made
