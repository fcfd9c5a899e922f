"""What a person sets for a connection besides fields: rules, deletions, consent.

A rule says: if a record of one side fulfils all conditions, sync it to the other side
and do these actions there. Several rules of a side are alternatives.
"""

import enum
from typing import Self

import msgspec

from proto.ids import FieldId


class Operator(enum.StrEnum):
    """How a condition looks at a record."""

    UNKNOWN = "unknown"
    IS = "is"
    IS_NOT = "is_not"
    CONTAINS = "contains"
    STARTS_WITH = "starts_with"
    IS_EMPTY = "is_empty"
    IS_NOT_EMPTY = "is_not_empty"
    BEFORE = "before"
    AFTER = "after"
    LESS = "less"
    MORE = "more"
    IN_CONTAINER = "in_container"
    NOT_IN_CONTAINER = "not_in_container"
    HAS_TAG = "has_tag"
    LACKS_TAG = "lacks_tag"
    CONSENT_IS = "consent_is"
    EXISTS_ON_OTHER_SIDE = "exists_on_other_side"
    """Only ever updates: a record without a counterpart is not created there."""
    IS_DELETED = "is_deleted"
    """The record was linked and is gone from its app."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class Condition(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One thing that has to be so of a record. What is not known is not so."""

    operator: Operator
    field_id: FieldId = FieldId("")
    """The field it looks at, for the operators that look at one."""
    value: str = ""
    """What it compares with: text, a number, a day, a container's id, a tag."""


class ActionKind(enum.StrEnum):
    """What a rule does to the record on the other side."""

    UNKNOWN = "unknown"
    ADD_TAG = "add_tag"
    REMOVE_TAG = "remove_tag"
    ADD_TO_CONTAINER = "add_to_container"
    REMOVE_FROM_CONTAINER = "remove_from_container"
    SET_FIELD = "set_field"

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class Action(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something done once, when a rule begins to match."""

    kind: ActionKind
    value: str = ""
    """A tag, a container's id, or the text that a field is set to."""
    field_id: FieldId = FieldId("")
    """The field to set."""


class Rule(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """If all conditions hold for a record, sync it and do the actions."""

    rule_id: str
    """Short text of the person's or the console's choice, unique on its side."""
    conditions: tuple[Condition, ...] = ()
    """None at all: every record."""
    actions: tuple[Action, ...] = ()
    undoes: bool = False
    """Take the actions back when the rule no longer matches."""


class Leaving(enum.StrEnum):
    """What becomes of a linked contact that no rule matches any more."""

    UNKNOWN = "unknown"
    STOP = "stop"
    """It is excluded: nothing is written, and the link stays."""
    KEEP_UPDATING = "keep_updating"

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class Unsubscribes(enum.StrEnum):
    """How an unsubscribe on one side reaches the other."""

    UNKNOWN = "unknown"
    IGNORE = "ignore"
    TAG = "tag"
    """The counterpart gets a tag."""
    STATUS = "status"
    """The counterpart is unsubscribed too. Nobody is ever subscribed."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")
