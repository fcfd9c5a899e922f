"""Connections, records and intents for the tests of pure modules."""

import datetime

from proto.connector import Capabilities, WriteKind
from proto.fields import Field, FieldKind, Role
from proto.ids import (
    AccountId,
    AppId,
    ConnectionId,
    FieldId,
    IntentId,
    LinkId,
    RecordId,
    TenantId,
)
from proto.reconciler import ConnectionState, End, Settings, Side
from proto.record import Record
from services.reconciler.engine import model
from services.reconciler.engine.model import Intent, Seen, SideConfig
from services.reconciler.store.connections import StoredConnection
from services.reconciler.store.terms import Terms

NOW = datetime.datetime(2026, 5, 1, 12, tzinfo=datetime.UTC)
FIELDS = tuple(
    Field(field_id=FieldId(role.value), label=role.value, kind=kind, role=role)
    for role, kind in (
        (Role.EMAIL, FieldKind.EMAIL),
        (Role.NAME_GIVEN, FieldKind.TEXT),
        (Role.NAME_FAMILY, FieldKind.TEXT),
    )
)


def side(name: str) -> SideConfig:
    return SideConfig(
        account_id=AccountId(f"acct_{name}"),
        app=AppId(name),
        fields=FIELDS,
        capabilities=Capabilities(),
    )


def connection(**changes: object) -> StoredConnection:
    left, right = side("left"), side("right")
    agreed: dict[str, object] = {
        "version": 1,
        "settings": Settings(
            name="Both",
            left=End(account_id=left.account_id),
            right=End(account_id=right.account_id),
        ),
        "renewed": {},
        "left": left,
        "right": right,
    }
    agreed |= {name: changes.pop(name) for name in agreed.keys() & changes.keys()}
    values: dict[str, object] = {
        "tenant_id": TenantId("tnt_1"),
        "connection_id": ConnectionId("conn_1"),
        "terms": Terms(**agreed),  # type: ignore[arg-type]
        "state": ConnectionState.SYNCING,
        "attention": "",
        "attention_side": None,
        "created_at": NOW,
        "started_at": NOW,
        "guard_left_at": None,
        "guard_right_at": None,
        "approved_until": None,
        "left_scanned": True,
        "right_scanned": True,
        "sync_started_at": NOW,
        "lease_version": 1,
        **dict.fromkeys(
            (
                "planned",
                "done",
                "failed",
                "created_left",
                "created_right",
                "updated_left",
                "updated_right",
            ),
            0,
        ),
        **agreed,
        **changes,
    }
    del values["renewed"]
    return StoredConnection(**values)  # type: ignore[arg-type]


def seen(record_id: str, email: str | None, given: str = "Ann") -> Seen:
    record = Record(
        record_id=RecordId(record_id),
        fields={
            FieldId("email"): email,
            FieldId("name.given"): given,
            FieldId("name.family"): "Smith",
        },
    )
    return Seen(record=record, read_at=NOW, digest=model.digest_of(record))


def intent(
    number: int,
    *,
    side: Side = Side.RIGHT,
    kind: WriteKind = WriteKind.CREATE,
    note: str = "",
) -> Intent:
    return Intent(
        intent_id=IntentId(f"int_{number}"),
        link_id=LinkId(f"link_{number}"),
        side=side,
        kind=kind,
        record_id=None if kind is WriteKind.CREATE else RecordId(f"r{number}"),
        fields={FieldId("name.given"): note or "Ann"},
        source_id=RecordId(f"s{number}"),
        source={FieldId("name.given"): "Ann"},
        source_read_at=NOW,
        mapping_ids=(),
        changes=(),
        marker=f"m{number}",
        decided_at=NOW,
    )
