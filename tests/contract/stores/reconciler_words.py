"""The few things that users of the reconciler's tables are about."""

import datetime

from proto.connector import AccountDescription, Capabilities, WriteKind
from proto.ids import (
    AccountId,
    AppId,
    ConnectionId,
    IntentId,
    LinkId,
    RecordId,
    ScanId,
    TenantId,
)
from proto.reconciler import End, Settings, Side
from services.reconciler.engine.model import Intent, SideConfig

TENANT = TenantId("tnt_1")
CONNECTIONS = (
    (TENANT, ConnectionId("conn_1")),
    (TENANT, ConnectionId("conn_2")),
    (TenantId("tnt_2"), ConnectionId("conn_1")),
)
ACCOUNTS = [AccountId("acct_1"), AccountId("acct_2"), AccountId("acct_3")]
ENDS = (ACCOUNTS[0], ACCOUNTS[1])
"""What every connection connects, unless its settings are changed."""
RECORDS = [RecordId(f"rec_{number}") for number in range(4)]
EMAILS = ["a@example.org", "b@example.org", "c@example.org"]
LINKS = [LinkId(f"link_{number}") for number in range(3)]
INTENTS = [IntentId(f"int_{number}") for number in range(4)]
SCANS = [ScanId("scan_1"), ScanId("scan_2"), ScanId("scan_3")]
SIDES = [Side.LEFT, Side.RIGHT]
REASONS = ["", "mass_change"]
DIGESTS = [b"one", b"two", b"three"]
LEASE = datetime.timedelta(seconds=20)


def description_of(account_id: AccountId, app: str = "app") -> AccountDescription:
    """Return what an account offers: nothing."""
    return AccountDescription(
        account_id=account_id,
        app=AppId(app),
        fields=(),
        containers=(),
        capabilities=Capabilities(),
    )


def side_of(account_id: AccountId) -> SideConfig:
    """Return one end of a connection."""
    return SideConfig(
        account_id=account_id,
        app=AppId("app"),
        fields=(),
        capabilities=Capabilities(),
    )


def settings_of(name: str, left: AccountId, right: AccountId) -> Settings:
    """Return what a person chose."""
    return Settings(name=name, left=End(account_id=left), right=End(account_id=right))


def intent_of(
    intent_id: IntentId, link_id: LinkId, *, side: Side, now: datetime.datetime
) -> Intent:
    """Return a write that changes nothing."""
    return Intent(
        intent_id=intent_id,
        link_id=link_id,
        side=side,
        kind=WriteKind.UPDATE,
        fields={},
        source_id=RECORDS[0],
        source={},
        source_read_at=now,
        mapping_ids=(),
        changes=(),
        decided_at=now,
    )
