"""What a connection is set to: sides, mappings, and how values correspond."""

import enum
import functools
from typing import Final, Self

import msgspec

from proto.connector import Capabilities
from proto.fields import Field, FieldKind, Role
from proto.ids import AccountId, AppId, ContainerId, FieldId
from proto.reconciler import (
    LEFT,
    RIGHT,
    SIDES,
    TRASH_TAG,
    UNSUBSCRIBE_TAG,
    Direction,
    OptionPair,
    Side,
)
from proto.record import Record
from proto.rules import Leaving, Rule, Unsubscribes
from services.reconciler.engine.memory import Act

# Names of their own for members of enums are for the engine's inner loops only: what
# is looked up on the class costs several lookups in dicts (on Python 3.11).
_BOTH: Final = Direction.BOTH


class Lens(enum.StrEnum):
    """How the values of a mapping's two sides correspond."""

    UNKNOWN = "unknown"
    COPY = "copy"
    """One value, the same on both sides."""
    DATE = "date"
    """A day whose year one of the sides may not keep."""
    DAY = "day"
    """A date on one side, a moment on the other that falls on this day in UTC."""
    TEXT = "text"
    """A text made of a value of another kind; it is never read back."""
    CHOICE = "choice"
    """Options that a person has paired."""
    NAME = "name"
    """A full name on one side, its parts on the other."""
    ITEMS = "items"
    """Several values on both sides; single fields by label count as several."""
    FIRST = "first"
    """One value on one side, several on the other."""
    PARTS = "parts"
    """Mappings of labels of one field: merged one by one, written together."""

    @property
    def is_of_several(self) -> bool:
        """Say whether a side may hold several values, told apart by normal forms."""
        return self in (Lens.ITEMS, Lens.FIRST, Lens.PARTS)

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class Mapping(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which fields of the two sides are kept the same, and how."""

    mapping_id: str
    """Stable text such as ``email``; it does not change when the fields do."""
    label: str
    kind: FieldKind
    lens: Lens
    left: tuple[FieldId, ...]
    right: tuple[FieldId, ...]
    direction: Direction
    winner: Side | None = None
    """The connection's winner unless it says otherwise."""
    left_label: str = ""
    """Of a field of several values: only those with this label."""
    right_label: str = ""
    options: tuple[OptionPair, ...] = ()
    """Which options of two choices mean the same."""
    parts: tuple["Mapping", ...] = ()

    def label_of(self, side: Side) -> str:
        """Return the label that the mapping is limited to on one side."""
        return self.left_label if side is LEFT else self.right_label

    def fields(self, side: Side) -> tuple[FieldId, ...]:
        """Return the fields of one side."""
        return self.left if side is LEFT else self.right

    def writes(self, side: Side) -> bool:
        """Say whether values may be written to a side."""
        return self.direction is _BOTH or self.direction is (
            Direction.TO_LEFT if side is LEFT else Direction.TO_RIGHT
        )


class SideConfig(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True
):
    """One end of the connection as the engine needs it."""

    account_id: AccountId
    app: AppId
    container_id: ContainerId | None = None
    fields: tuple[Field, ...]
    capabilities: Capabilities

    @functools.cached_property
    def by_id(self) -> dict[FieldId, Field]:
        """Return the fields by their id."""
        return {field.field_id: field for field in self.fields}

    @functools.cached_property
    def email_ids(self) -> tuple[FieldId, ...]:
        """Return the fields that hold email addresses to match by."""
        return tuple(f.field_id for f in self.fields if f.role is Role.EMAIL)

    def includes(self, record: Record) -> bool:
        """Say whether a record is in the part of the account that is connected."""
        return self.container_id is None or self.container_id in record.containers


class PairEnd(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One side of a mapping with the fields as the app describes them."""

    side: Side
    fields: tuple[Field, ...]
    ids: tuple[FieldId, ...]
    is_written: bool
    """Values may go to this side."""
    kind: FieldKind
    """By which values are told apart; text where the two sides' kinds differ."""
    label: str = ""
    """Only the values with this label are the mapping's; the others stay."""
    meanings: dict[str, str] = {}
    """What each option that is paired means: its left option."""
    options: dict[str, str] = {}
    """The option of this side by what it means."""

    @functools.cached_property
    def id_set(self) -> frozenset[FieldId]:
        """Return its fields, to be compared with those that a record tells."""
        return frozenset(self.ids)

    @functools.cached_property
    def is_many(self) -> bool:
        """Say whether it holds several values, in one field or in several."""
        return self.fields[0].is_multiple or len(self.fields) > 1

    @functools.cached_property
    def is_limited(self) -> bool:
        """Say whether it may have no room for one more value.

        A single field holds one: it is a field of several that is full with that.
        """
        return any(f.count_max or not f.is_multiple for f in self.fields)


class Pair(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """A mapping resolved against both accounts."""

    mapping: Mapping
    left: PairEnd
    right: PairEnd
    winner: Side
    """Whose edit goes across where both sides made one, and they differ."""
    parts: tuple["Pair", ...] = ()
    """Mappings that share fields; they are merged one by one and written together."""

    @functools.cached_property
    def is_two_way(self) -> bool:
        """Say whether edits of either side go to the other."""
        if self.parts:
            return all(part.is_two_way for part in self.parts)
        return self.left.is_written and self.right.is_written

    @functools.cached_property
    def is_limited(self) -> bool:
        """Say whether a side may have no room for one more value."""
        return self.left.is_limited or self.right.is_limited

    @functools.cached_property
    def plain(self) -> tuple[FieldId, FieldId] | None:
        """Return the left and the right field if there is one each, with room.

        An edit of one alone is then all that goes to the other.
        """
        is_single = len(self.left.ids) == len(self.right.ids) == 1
        if self.mapping.lens is Lens.COPY or (
            self.mapping.lens is Lens.ITEMS and is_single and not self.is_limited
        ):
            return self.left.ids[0], self.right.ids[0]
        return None

    def end(self, side: Side) -> PairEnd:
        """Return one side."""
        return self.left if side is LEFT else self.right

    def ends(self, side: Side) -> tuple[PairEnd, PairEnd]:
        """Return one side and the opposite one."""
        return (self.left, self.right) if side is LEFT else (self.right, self.left)


class Config(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """What a connection is set to, resolved against what both accounts offer."""

    version: int
    """Differs whenever anything else here differs; links remember it."""
    direction: Direction = Direction.BOTH
    winner: Side = LEFT
    avoids_duplicates: bool = True
    mappings: tuple[Mapping, ...] = ()
    """Only those that are switched on."""
    renewed: dict[str, int] = {}
    """At which version a mapping came to mean what it means, if not at the first."""
    left: SideConfig
    right: SideConfig
    left_rules: tuple[Rule, ...] = ()
    right_rules: tuple[Rule, ...] = ()
    leaving: Leaving = Leaving.STOP
    tags_deletions: bool = False
    deletion_tag: str = TRASH_TAG
    unsubscribes: Unsubscribes = Unsubscribes.IGNORE
    unsubscribe_tag: str = UNSUBSCRIBE_TAG

    def side(self, side: Side) -> SideConfig:
        """Return one end."""
        return self.left if side is LEFT else self.right

    @property
    def keeps_updating(self) -> bool:
        """Say whether a linked contact stays in sync when no rule matches it."""
        return self.leaving is Leaving.KEEP_UPDATING

    def rules(self, side: Side) -> tuple[Rule, ...]:
        """Return the rules with conditions on a side's records."""
        return self.left_rules if side is LEFT else self.right_rules

    def allows(self, side: Side) -> bool:
        """Say whether the connection may write to a side at all."""
        return self.direction is _BOTH or self.direction is (
            Direction.TO_LEFT if side is LEFT else Direction.TO_RIGHT
        )

    @functools.cached_property
    def pairs(self) -> tuple[Pair, ...]:
        """Return the mappings whose fields both accounts still have, resolved."""
        return tuple(
            self._pair(mapping)
            for mapping in self.mappings
            if self.left.by_id.keys() >= set(mapping.left)
            and self.right.by_id.keys() >= set(mapping.right)
        )

    @functools.cached_property
    def has_rules(self) -> bool:
        """Say whether rules choose among linked contacts: one free side is enough."""
        return all(
            self.rules(side)
            for side, other in ((LEFT, RIGHT), (RIGHT, LEFT))
            if self.allows(other)
        )

    @functools.cached_property
    def acts(self) -> dict[Side, tuple[tuple[Rule, tuple[Act, ...]], ...]]:
        """Return for each side the rules of the other one with what they do to it."""
        return {
            side: tuple(
                (rule, _acts_of(rule, origin, side=side)) for rule in self.rules(origin)
            )
            for side, origin in ((LEFT, RIGHT), (RIGHT, LEFT))
        }

    @functools.cached_property
    def pair_by_id(self) -> dict[str, Pair]:
        """Return the resolved mappings by their id."""
        return {pair.mapping.mapping_id: pair for pair in self.pairs}

    @functools.cached_property
    def places(self) -> dict[Side, dict[FieldId, tuple[int, ...]]]:
        """Return for each field the mappings it is in, as indexes of ``pairs``."""
        found: dict[Side, dict[FieldId, tuple[int, ...]]] = {}
        for side in SIDES:
            places = found.setdefault(side, {})
            for index, pair in enumerate(self.pairs):
                for field_id in pair.end(side).ids:
                    places[field_id] = (*places.get(field_id, ()), index)
        return found

    @functools.cached_property
    def several(self) -> dict[Side, dict[FieldId, Pair]]:
        """Return the mapping of each field of several values, if it tells their kind.

        A field has one such mapping: those that share it are parts of one.
        """
        return {
            side: {
                field.field_id: pair
                for pair in self.pairs
                if pair.mapping.lens.is_of_several
                for field in pair.end(side).fields
                if field.kind is pair.end(side).kind
            }
            for side in SIDES
        }

    def _pair(self, mapping: Mapping) -> Pair:
        parts = tuple(self._pair(part) for part in mapping.parts)
        return Pair(
            mapping=mapping,
            left=self._end(mapping, LEFT, parts=parts),
            right=self._end(mapping, RIGHT, parts=parts),
            winner=mapping.winner or self.winner,
            parts=parts,
        )

    def _end(self, mapping: Mapping, side: Side, *, parts: tuple[Pair, ...]) -> PairEnd:
        ids = mapping.fields(side)
        by_id = self.side(side).by_id
        meanings = {
            pair.left if side is LEFT else pair.right: pair.left
            for pair in mapping.options
        }
        return PairEnd(
            side=side,
            fields=tuple(by_id[field_id] for field_id in ids),
            ids=ids,
            is_written=any(part.end(side).is_written for part in parts)
            if parts
            else self._is_written(mapping, side),
            kind=self._kind(mapping),
            label=mapping.label_of(side),
            meanings=meanings,
            options={meaning: option for option, meaning in meanings.items()},
        )

    def _is_written(self, mapping: Mapping, side: Side) -> bool:
        by_id = self.side(side).by_id
        return (
            self.allows(side)
            and mapping.writes(side)
            and all(by_id[field_id].is_writable for field_id in mapping.fields(side))
        )

    def _kind(self, mapping: Mapping) -> FieldKind:
        left = self.left.by_id[mapping.left[0]].kind
        right = self.right.by_id[mapping.right[0]].kind
        return left if left is right else FieldKind.TEXT


def _acts_of(rule: Rule, origin: Side, *, side: Side) -> tuple[Act, ...]:
    """Return what a rule of one side does to the other."""
    return tuple(
        Act(
            key=f"{origin.value}:{rule.rule_id}:{index}",
            side=side,
            action=action,
            undoes=rule.undoes,
        )
        for index, action in enumerate(rule.actions)
    )
