"""What a connection is set to: as it is sent, and as it is shown, side by side.

What is shown can be sent again. Here only the shape is checked; whether two apps allow
it, the reconciler knows.
"""

from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from proto.base import Instant
from proto.fields import FieldKind
from proto.reconciler import (
    TRASH_TAG,
    UNSUBSCRIBE_TAG,
    Connection,
    ConnectionState,
    Direction,
    Settings,
    Side,
)
from proto.rules import ActionKind, Leaving, Operator, Unsubscribes
from services.api.content import bodies
from services.api.content.views import View

Name = Annotated[str, Meta(min_length=1, max_length=200)]
Container = Annotated[str, Meta(min_length=1, max_length=1_000)]
FieldId = Annotated[str, Meta(max_length=1_000)]
OptionId = Annotated[str, Meta(max_length=1_000)]
Label = Annotated[str, Meta(max_length=100)]
Text = Annotated[str, Meta(max_length=1_000)]
Tag = Annotated[str, Meta(min_length=1, max_length=255)]
RuleId = Annotated[str, Meta(min_length=1, max_length=100)]
MappingId = Annotated[str, Meta(min_length=1, max_length=200)]
MappingIds = Annotated[tuple[MappingId, ...], Meta(max_length=500)]
DirectionIn = Literal["both", "to_left", "to_right"]
SideIn = Literal["left", "right"]
AnyMappingId = Annotated[str, Meta(min_length=1, max_length=600)]
"""Also one that a person made: it is named by its fields."""
Winners = Annotated[dict[AnyMappingId, SideIn], Meta(max_length=500)]
LeavingIn = Literal["stop", "keep_updating"]
UnsubscribesIn = Literal["ignore", "tag", "status"]
OperatorIn = Literal[
    "is",
    "is_not",
    "contains",
    "starts_with",
    "is_empty",
    "is_not_empty",
    "before",
    "after",
    "less",
    "more",
    "in_container",
    "not_in_container",
    "has_tag",
    "lacks_tag",
    "consent_is",
    "exists_on_other_side",
    "is_deleted",
]
ActionKindIn = Literal[
    "add_tag", "remove_tag", "add_to_container", "remove_from_container", "set_field"
]


class _In(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Base of what is sent."""


class EndIn(_In, frozen=True, kw_only=True):
    """One end: an account, or one container of it."""

    account_id: str
    container_id: Container | None = None


class EndView(View, frozen=True, kw_only=True):
    """One end of a connection."""

    account_id: str
    container_id: str | None


class ConditionIn(_In, frozen=True, kw_only=True):
    """One thing that has to be so of a record."""

    operator: OperatorIn
    field_id: FieldId = ""
    value: Text = ""


class ConditionView(View, frozen=True, kw_only=True):
    """One thing that has to be so of a record."""

    operator: Operator
    field_id: str
    value: str


class ActionIn(_In, frozen=True, kw_only=True):
    """Something done on the other side when a rule begins to match."""

    kind: ActionKindIn
    value: Text = ""
    field_id: FieldId = ""


class ActionView(View, frozen=True, kw_only=True):
    """Something done on the other side when a rule begins to match."""

    kind: ActionKind
    value: str
    field_id: str


class RuleIn(_In, frozen=True, kw_only=True):
    """If all conditions hold for a record, sync it and do the actions."""

    rule_id: RuleId
    conditions: Annotated[tuple[ConditionIn, ...], Meta(max_length=20)] = ()
    actions: Annotated[tuple[ActionIn, ...], Meta(max_length=20)] = ()
    undoes: bool = False


class RuleView(View, frozen=True, kw_only=True):
    """If all conditions hold for a record, sync it and do the actions."""

    rule_id: str
    conditions: tuple[ConditionView, ...]
    actions: tuple[ActionView, ...]
    undoes: bool


class MappedFieldIn(_In, frozen=True, kw_only=True):
    """One end of a custom mapping."""

    field_id: Annotated[str, Meta(min_length=1, max_length=1_000)]
    label: Label = ""


class MappedFieldView(View, frozen=True, kw_only=True):
    """One end of a custom mapping."""

    field_id: str
    label: str


class OptionPairIn(_In, frozen=True, kw_only=True):
    """Two options that mean the same."""

    left: OptionId
    right: OptionId


class OptionPairView(View, frozen=True, kw_only=True):
    """Two options that mean the same."""

    left: str
    right: str


class CustomMappingIn(_In, frozen=True, kw_only=True):
    """Two fields that a person wants to be the same."""

    left: MappedFieldIn
    right: MappedFieldIn
    direction: DirectionIn = "both"
    options: Annotated[tuple[OptionPairIn, ...], Meta(max_length=500)] = ()


class CustomMappingView(View, frozen=True, kw_only=True):
    """Two fields that a person wants to be the same."""

    left: MappedFieldView
    right: MappedFieldView
    direction: Direction
    options: tuple[OptionPairView, ...]


Rules = Annotated[tuple[RuleIn, ...], Meta(max_length=50)]
CustomMappings = Annotated[tuple[CustomMappingIn, ...], Meta(max_length=100)]


class ConnectionIn(_In, frozen=True, kw_only=True):
    """A new connection."""

    name: Name
    left: EndIn
    right: EndIn
    direction: DirectionIn = "both"
    winner: SideIn = "left"
    winners: Winners = {}
    mappings_off: MappingIds = ()
    custom_mappings: CustomMappings = ()
    avoids_duplicates: bool = True
    left_rules: Rules = ()
    right_rules: Rules = ()
    leaving: LeavingIn = "stop"
    tags_deletions: bool = False
    deletion_tag: Tag = TRASH_TAG
    unsubscribes: UnsubscribesIn = "ignore"
    unsubscribe_tag: Tag = UNSUBSCRIBE_TAG


class ConnectionChangeIn(_In, frozen=True, kw_only=True):
    """What is to change; what is absent stays."""

    name: Name | UnsetType = UNSET
    left: EndIn | UnsetType = UNSET
    right: EndIn | UnsetType = UNSET
    direction: DirectionIn | UnsetType = UNSET
    winner: SideIn | UnsetType = UNSET
    winners: Winners | UnsetType = UNSET
    mappings_off: MappingIds | UnsetType = UNSET
    custom_mappings: CustomMappings | UnsetType = UNSET
    avoids_duplicates: bool | UnsetType = UNSET
    left_rules: Rules | UnsetType = UNSET
    right_rules: Rules | UnsetType = UNSET
    leaving: LeavingIn | UnsetType = UNSET
    tags_deletions: bool | UnsetType = UNSET
    deletion_tag: Tag | UnsetType = UNSET
    unsubscribes: UnsubscribesIn | UnsetType = UNSET
    unsubscribe_tag: Tag | UnsetType = UNSET


class MappingView(View, frozen=True, kw_only=True):
    """A field mapping."""

    mapping_id: str
    label: str
    kind: FieldKind
    left: tuple[str, ...]
    right: tuple[str, ...]
    direction: Direction
    is_on: bool


class OffersView(View, frozen=True, kw_only=True):
    """Which options the two apps make possible, and which way; None: not possible."""

    tags_deletions: Direction | None
    unsubscribes_tag: Direction | None
    unsubscribes_status: Direction | None


class ConnectionView(View, frozen=True, kw_only=True):
    """A connection: its settings as they were sent, its mappings and its state."""

    connection_id: str
    name: str
    left: EndView
    right: EndView
    left_app: str
    right_app: str
    direction: Direction
    winner: Side
    winners: dict[str, Side]
    mappings_off: tuple[str, ...]
    custom_mappings: tuple[CustomMappingView, ...]
    avoids_duplicates: bool
    left_rules: tuple[RuleView, ...]
    right_rules: tuple[RuleView, ...]
    leaving: Leaving
    tags_deletions: bool
    deletion_tag: str
    unsubscribes: Unsubscribes
    unsubscribe_tag: str
    state: ConnectionState
    attention: str
    attention_side: Side | None
    guarded: tuple[Side, ...]
    """Sides on which much would be undone at once: it waits for approval."""
    offers: OffersView
    mappings: tuple[MappingView, ...]
    version: int
    created_at: Instant
    started_at: Instant | None


_TYPES: Final = {each.name: each.type for each in msgspec.structs.fields(Settings)}


def show_connection(connection: Connection) -> ConnectionView:
    """Return a connection as it is shown, its settings beside the rest."""
    parts = {
        **msgspec.structs.asdict(connection.settings),
        **msgspec.structs.asdict(connection),
    }
    return msgspec.convert(parts, ConnectionView, from_attributes=True)


def settings_of(given: ConnectionIn) -> Settings:
    """Return the settings of a new connection."""
    return Settings(**_read(msgspec.structs.asdict(given)))


def changed(now: Settings, given: ConnectionChangeIn) -> Settings:
    """Return the settings with what was given in the place of what was."""
    wanted = {
        name: value
        for name, value in msgspec.structs.asdict(given).items()
        if value is not UNSET
    }
    return msgspec.structs.replace(now, **_read(wanted))


def _read(given: dict[str, Any]) -> dict[str, Any]:
    """Return settings as the message has them."""
    for name in ("left", "right"):
        if name in given:
            bodies.account(given[name].account_id, f"/{name}/account_id")
    return {
        name: msgspec.convert(value, _TYPES[name], from_attributes=True)
        for name, value in given.items()
    }
