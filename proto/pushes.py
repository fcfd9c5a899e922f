"""Messages on what apps push: where to, and what it is checked with.

Auth owns the secrets of clients, the connector the addresses.
"""

from typing import ClassVar

import msgspec

from proto.base import Command, Reply
from proto.ids import AccountId, AppId


class AccountPush(Reply, frozen=True, kw_only=True):
    """Where an account's app pushes changes to; nothing where it does not."""

    url: str = ""
    """Whoever knows it can have the account read sooner."""
    signing_secret: str = ""
    """What the app is to sign with, where it is given a secret."""


class ReadAccountPush(Command[AccountPush], frozen=True, kw_only=True):
    """Ask where an account's app is to push changes to."""

    owner: ClassVar[str] = "connector"
    senders: ClassVar[tuple[str, ...]] = ("api",)
    reply: ClassVar[type[Reply]] = AccountPush
    account_id: AccountId


class PushAccount(msgspec.Struct, frozen=True, kw_only=True):
    """An account by the id that its app calls it by."""

    vendor_account_id: str
    account_id: AccountId


class PushClient(Reply, frozen=True, kw_only=True):
    """What an app's pushes to a tenant's client are checked with."""

    secret: str
    """The client's secret. Held in memory only, 60 s at most."""
    accounts: tuple[PushAccount, ...]
    """Those that a push can be about, among the first 2,000 of the tenant's."""


class ReadPushClient(Command[PushClient], frozen=True, kw_only=True):
    """Ask what an app signs its pushes with, and which accounts they may be about."""

    owner: ClassVar[str] = "auth"
    senders: ClassVar[tuple[str, ...]] = ("connector",)
    reply: ClassVar[type[Reply]] = PushClient
    app: AppId
