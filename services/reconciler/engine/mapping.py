"""Which fields of two accounts belong together: by their roles, and as a person says.

No table of app pairs: any two apps pair by what their fields are for.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

from proto.fields import Field, FieldKind, Role
from proto.reconciler import Direction, MappingView, Settings
from services.reconciler.engine import compatibility, custom
from services.reconciler.engine.compatibility import FieldEnd
from services.reconciler.engine.config import Config, Lens, Mapping, SideConfig
from services.reconciler.engine.items import SLOTS
from services.reconciler.engine.names import PARTS

_LABELS: Final = {
    Role.NAME_FULL: "Full name",
    Role.NAME_GIVEN: "First name",
    Role.NAME_FAMILY: "Last name",
    Role.NAME_PREFIX: "Name prefix",
    Role.NAME_SUFFIX: "Name suffix",
    Role.NAME_MIDDLE: "Middle name",
    Role.EMAIL: "Email",
    Role.PHONE: "Phone",
    Role.PHONE_MOBILE: "Mobile phone",
    Role.PHONE_HOME: "Home phone",
    Role.PHONE_WORK: "Work phone",
    Role.ADDRESS: "Address",
    Role.COMPANY: "Company",
    Role.JOB_TITLE: "Job title",
    Role.BIRTHDAY: "Birthday",
    Role.ANNIVERSARY: "Anniversary",
    Role.WEBSITE: "Website",
    Role.NOTE: "Note",
}

_NAME_ID: Final = "name"

_Fields = tuple[Field, ...]


class _Draft(NamedTuple):
    mapping_id: str
    label: str
    left: _Fields
    right: _Fields
    lens: Lens
    direction: Direction | None = None
    """All that is possible; None: wherever all fields can be written."""


def default_mappings(
    *, left: SideConfig, right: SideConfig, settings: Settings
) -> tuple[Mapping, ...]:
    """Return the default mappings that are switched on, in a fixed order.

    A field that a person has mapped otherwise is no longer theirs.
    """
    made = custom.mappings(left=left, right=right, settings=settings)
    others = custom.places_of(made)
    return tuple(
        mapping
        for mapping in all_defaults(left=left, right=right, settings=settings)
        if mapping.mapping_id not in settings.mappings_off
        and others.isdisjoint(custom.places_of([mapping]))
    )


def views(
    *, left: SideConfig, right: SideConfig, settings: Settings
) -> tuple[MappingView, ...]:
    """Return all mappings as they are shown, switched off ones too.

    Default ones come first. One that a person made is off while it cannot work: an
    account has lost the field, or does not let it be written any more.
    """
    ends = {"left": left, "right": right}
    on = {m.mapping_id for m in default_mappings(**ends, settings=settings)}
    defaults = all_defaults(**ends, settings=settings)
    made = {m.mapping_id: m for m in custom.mappings(**ends, settings=settings)}
    asked = {custom.id_of(each): each for each in settings.custom_mappings}
    return (
        *(_view(mapping, is_on=mapping.mapping_id in on) for mapping in defaults),
        *(
            _view(made[mapping_id], is_on=True)
            if mapping_id in made
            else custom.idle_view(each, **ends)
            for mapping_id, each in asked.items()
        ),
    )


def _view(mapping: Mapping, *, is_on: bool) -> MappingView:
    return MappingView(
        mapping_id=mapping.mapping_id,
        label=mapping.label,
        kind=mapping.kind,
        left=mapping.left,
        right=mapping.right,
        direction=mapping.direction,
        is_on=is_on,
    )


def config_of(
    *,
    left: SideConfig,
    right: SideConfig,
    settings: Settings,
    version: int,
    renewed: dict[str, int] | None = None,
) -> Config:
    """Return the settings of a connection resolved against both accounts."""
    return Config(
        version=version,
        direction=settings.direction,
        winner=settings.winner,
        avoids_duplicates=settings.avoids_duplicates,
        mappings=(
            *default_mappings(left=left, right=right, settings=settings),
            *custom.grouped(custom.mappings(left=left, right=right, settings=settings)),
        ),
        renewed=renewed or {},
        left=left,
        right=right,
        left_rules=settings.left_rules,
        right_rules=settings.right_rules,
        leaving=settings.leaving,
        tags_deletions=settings.tags_deletions,
        deletion_tag=settings.deletion_tag,
        unsubscribes=settings.unsubscribes,
        unsubscribe_tag=settings.unsubscribe_tag,
    )


def all_defaults(
    *, left: SideConfig, right: SideConfig, settings: Settings
) -> tuple[Mapping, ...]:
    """Return the default mappings, switched off ones too, in a fixed order."""
    lefts, rights = _by_role(left.fields), _by_role(right.fields)
    drafts = [
        *_names(lefts, rights),
        *_phones(lefts, rights),
        *(
            _alike(role.value, role, left=lefts[role], right=rights[role])
            for role in Role
            if role in lefts and role in rights and not _is_apart(role)
        ),
    ]
    order = list(_LABELS)
    found = [
        mapping
        for draft in drafts
        if draft is not None and (mapping := _finished(draft, settings)) is not None
    ]
    return tuple(
        sorted(found, key=lambda each: (_rank(each.mapping_id, order), each.mapping_id))
    )


def _by_role(fields: Sequence[Field]) -> dict[Role, Field]:
    """Return the first field of each role, one that can be written if there is."""
    found: dict[Role, Field] = {}
    for field in fields:
        held = found.get(field.role)
        if held is None or (field.is_writable and not held.is_writable):
            found[field.role] = field
    found.pop(Role.UNKNOWN, None)
    return found


def _is_apart(role: Role) -> bool:
    """Say whether a role is paired together with others."""
    return role in PARTS or role is Role.NAME_FULL or role in SLOTS


def _names(lefts: dict[Role, Field], rights: dict[Role, Field]) -> list[_Draft | None]:
    """Pair parts with parts where both have them, else a full name with what is."""
    left_parts = tuple(lefts[role] for role in PARTS if role in lefts)
    right_parts = tuple(rights[role] for role in PARTS if role in rights)
    left_full, right_full = _full_name(lefts), _full_name(rights)
    if _is_split(lefts) and _is_split(rights):
        return _parts(lefts, rights)
    if left_full is not None and right_full is not None:
        return [_alike(_NAME_ID, Role.NAME_FULL, left=left_full, right=right_full)]
    if left_full is not None and _is_split(rights):
        return [_name((left_full,), right_parts)]
    if right_full is not None and _is_split(lefts):
        return [_name(left_parts, (right_full,))]
    return _parts(lefts, rights)


def _full_name(fields: dict[Role, Field]) -> Field | None:
    """Return the full name, unless it only shows what its parts say."""
    full = fields.get(Role.NAME_FULL)
    is_shown = full is not None and not full.is_writable and _is_split(fields)
    return None if is_shown else full


def _is_split(fields: dict[Role, Field]) -> bool:
    return Role.NAME_GIVEN in fields and Role.NAME_FAMILY in fields


def _parts(lefts: dict[Role, Field], rights: dict[Role, Field]) -> list[_Draft | None]:
    return [
        _alike(role.value, role, left=lefts[role], right=rights[role])
        for role in PARTS
        if role in lefts and role in rights
    ]


def _name(left: _Fields, right: _Fields) -> _Draft:
    return _Draft(_NAME_ID, "Name", left, right, Lens.NAME)


def _phones(lefts: dict[Role, Field], rights: dict[Role, Field]) -> list[_Draft | None]:
    """Pair a field of many numbers with single ones by label, else like with like."""
    left_many, right_many = lefts.get(Role.PHONE), rights.get(Role.PHONE)
    left_slots = tuple(lefts[role] for role in SLOTS if role in lefts)
    right_slots = tuple(rights[role] for role in SLOTS if role in rights)
    role = Role.PHONE
    if left_many is not None and left_many.is_multiple and right_slots:
        if not (right_many is not None and right_many.is_multiple):
            return [_phone((left_many,), right_slots)]
        return [_alike(role.value, role, left=left_many, right=right_many)]
    if right_many is not None and right_many.is_multiple and left_slots:
        return [_phone(left_slots, (right_many,))]
    shared = [role for role in SLOTS if role in lefts and role in rights]
    if not shared and len(left_slots) == 1 and right_slots:
        return [_alike(role.value, role, left=left_slots[0], right=right_slots[0])]
    if not shared and len(right_slots) == 1 and left_slots:
        return [_alike(role.value, role, left=left_slots[0], right=right_slots[0])]
    return [_alike(r.value, r, left=lefts[r], right=rights[r]) for r in shared]


def _phone(left: _Fields, right: _Fields) -> _Draft:
    fields = (*left, *right)
    is_plain = len(fields) == 2 and all(f.role is Role.PHONE for f in fields)
    lens = Lens.FIRST if is_plain else Lens.ITEMS
    return _Draft(Role.PHONE.value, _LABELS[Role.PHONE], left, right, lens)


def _alike(mapping_id: str, role: Role, *, left: Field, right: Field) -> _Draft | None:
    """Pair two fields of one role, if their kinds can say the same."""
    found = compatibility.compatibility(FieldEnd(left), FieldEnd(right))
    if found.lens is None or found.direction is None:
        return None
    return _Draft(
        mapping_id, _LABELS[role], (left,), (right,), found.lens, found.direction
    )


def _finished(draft: _Draft, settings: Settings) -> Mapping | None:
    """Give a pairing the directions that both the fields and the connection allow."""
    direction = compatibility.narrowed(_possible(draft), settings.direction)
    if direction is None:
        return None
    return Mapping(
        mapping_id=draft.mapping_id,
        label=draft.label,
        kind=_kind_of(draft),
        lens=draft.lens,
        left=tuple(field.field_id for field in draft.left),
        right=tuple(field.field_id for field in draft.right),
        direction=direction,
        winner=settings.winners.get(draft.mapping_id),
    )


def _possible(draft: _Draft) -> Direction | None:
    """Return all directions in which all fields of a pairing can be written."""
    if draft.direction is not None:
        return draft.direction
    to_left = all(field.is_writable for field in draft.left)
    to_right = all(field.is_writable for field in draft.right)
    if to_left and to_right:
        return Direction.BOTH
    if not to_left and not to_right:
        return None
    return Direction.TO_LEFT if to_left else Direction.TO_RIGHT


def _kind_of(draft: _Draft) -> FieldKind:
    left, right = draft.left[0].kind, draft.right[0].kind
    return (
        left
        if left is right
        else (FieldKind.MONTH_DAY if draft.lens is Lens.DATE else FieldKind.TEXT)
    )


def _rank(mapping_id: str, order: list[Role]) -> int:
    if mapping_id == _NAME_ID:
        return 0
    return order.index(Role(mapping_id)) + 1
