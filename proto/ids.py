"""Identifier types. Every identifier is UUIDv7 text behind a type prefix.

Making one needs a clock and randomness, so that lives in ``chassis.identifiers``.
"""

from typing import Final, NewType

TenantId = NewType("TenantId", str)
AccountId = NewType("AccountId", str)
ConnectionId = NewType("ConnectionId", str)
LinkId = NewType("LinkId", str)
IntentId = NewType("IntentId", str)
ScanId = NewType("ScanId", str)
MessageId = NewType("MessageId", str)
ApiKeyId = NewType("ApiKeyId", str)
AuthorisationId = NewType("AuthorisationId", str)
RequestId = NewType("RequestId", str)
PersonId = NewType("PersonId", str)
SessionId = NewType("SessionId", str)
InvitationId = NewType("InvitationId", str)
ErasureId = NewType("ErasureId", str)

AppId = NewType("AppId", str)
"""The name of an app's folder."""

RecordId = NewType("RecordId", str)
"""An app's own identifier of a record; opaque outside that app."""

FieldId = NewType("FieldId", str)
"""An app's identifier of a field, unique within an account."""

ContainerId = NewType("ContainerId", str)
"""An app's identifier of a list, folder or address book."""

PREFIXES: Final = {
    TenantId: "tnt",
    AccountId: "acct",
    ConnectionId: "conn",
    LinkId: "link",
    IntentId: "int",
    ScanId: "scan",
    MessageId: "msg",
    ApiKeyId: "key",
    AuthorisationId: "athz",
    RequestId: "req",
    PersonId: "pers",
    SessionId: "sess",
    InvitationId: "inv",
    ErasureId: "eras",
}
"""The text before the underscore, by identifier type."""
