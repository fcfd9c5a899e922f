"""What a made-up vendor is like: one frozen value, drawn from the seed.

Nothing here happens by chance later: how it pages, stamps, rewrites, deletes and
merges is fixed. What goes wrong on the way to it is ``weather``'s business.
"""

import enum
import random
from typing import Any, Final

import msgspec

from proto.connector import Capabilities
from proto.fields import Field, FieldKind, Role
from proto.ids import AppId, ContainerId, FieldId
from proto.record import Consent
from tests.simulation.vendors.forms import PHONES, Forms
from tests.simulation.vendors.numbers import NUMBERS, Numbers

TIMEOUT_S: Final = 5.0
LATE_S_MAX: Final = 20.0
"""The longest that a request takes to arrive that its sender gave up on."""
LAG_S_MAX: Final = 5.0
LISTS: Final = (ContainerId("list-1"), ContainerId("list-2"))

_KINDS: Final = {
    Role.EMAIL: FieldKind.EMAIL,
    **dict.fromkeys(NUMBERS, FieldKind.PHONE),
    Role.BIRTHDAY: FieldKind.DATE,
}
_NAMES: Final = {role: FieldId(role.value.rpartition(".")[2]) for role in Role}
_SHOUTED: Final = {role: FieldId(name.upper()) for role, name in _NAMES.items()}
_OPTIONAL: Final = (
    Role.JOB_TITLE,
    Role.COMPANY,
    Role.PHONE,
    Role.BIRTHDAY,
    Role.NOTE,
)


class Paging(enum.StrEnum):
    """How listings go on."""

    KEYSET = "keyset"
    OFFSET = "offset"
    """Shifts under the reader's feet while data changes."""


class Markers(enum.StrEnum):
    """What becomes of our mark in a new record."""

    IGNORED = "ignored"
    KEPT = "kept"
    """It can be searched for, in deleted records too."""
    UNIQUE = "unique"
    """Besides, a second record with it is refused."""


class Merges(enum.StrEnum):
    """What a record that was merged into another looks like afterwards."""

    POINTS = "points"
    """It says itself into which one."""
    REDIRECTS = "redirects"
    """Asked for by its id, the other one comes."""
    SILENT = "silent"
    """It is gone like a deleted one."""


class Ways(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """One vendor."""

    app: AppId
    roles: tuple[Role, ...]
    """The fields it has, in order; each is named after its role, in its own case."""
    is_shouting: bool = False
    """Its fields have names in capitals, so that no two apps name them alike."""
    forms: Forms = Forms()
    numbers: Numbers = Numbers()
    length_max: int = 0
    """Declared for names, and longer ones are refused; 0: not."""
    unique_emails: bool = True
    finds_by_email: bool = True
    writes_conditionally: bool = False
    replaces_whole: bool = False
    """A write puts the whole record, so that what it leaves out is emptied."""
    markers: Markers = Markers.IGNORED
    get_batch: int = 1
    write_batch: int = 1
    """Records one call makes or changes."""
    refuses_whole_batches: bool = False
    """One value that it does not take, and nothing of a batch is done."""
    tells_writes: bool = True
    """Its answer to a write shows the record; otherwise whoever wants to know what has
    become of it has to ask."""
    paging: Paging = Paging.KEYSET
    page_size: int = 10
    stamp_s: float = 0.001
    """The finest difference between two of its change times."""
    tells_changes: bool = True
    """Records say when they were changed, and not only the listing of changes does."""
    skew_s: float = 0.0
    """How far its clock is ahead of the true time."""
    lag_s: float = 0.0
    """How old its listings and searches are; a record asked for by id is fresh."""
    has_tombstones: bool = True
    merges: Merges = Merges.SILENT
    tells_births: bool = True
    """Records say when they were made."""
    recycles_ids: bool = False
    """The id of a deleted record can come to mean somebody else."""
    has_consent: bool = False
    can_unsubscribe: bool = True
    """Where it has consent at all."""
    default_consent: str = "subscribed"
    """Of a new record whose writer says nothing."""
    mails_everybody: bool = False
    """Whoever is made without a word of consent gets mail, whoever makes them."""
    can_tag: bool = False
    has_lists: bool = False
    rotates_tokens: bool = True
    token_lifetime_s: float = 3_600.0
    calls_per_second: float = 50.0

    def name_of(self, role: Role) -> FieldId:
        """Return what the vendor calls the field of a role."""
        return _SHOUTED[role] if self.is_shouting else _NAMES[role]

    def role_of(self, name: str) -> Role:
        """Return the role of a field, unknown for the vendor's own."""
        return self._roles.get(name, Role.UNKNOWN)

    @property
    def _roles(self) -> dict[str, Role]:
        if "roles_by_name" not in self.__dict__:
            found = {str(self.name_of(role)): role for role in self.roles}
            self.__dict__["roles_by_name"] = found
        roles: dict[str, Role] = self.__dict__["roles_by_name"]
        return roles

    @property
    def own_name(self) -> FieldId:
        """Return the field that plays no role in any other app."""
        return FieldId("REF" if self.is_shouting else "ref")

    @property
    def names(self) -> tuple[FieldId, ...]:
        """Return every field."""
        return (*map(self.name_of, self.roles), self.own_name)

    @property
    def email_name(self) -> FieldId:
        """Return the field that holds the address."""
        return self.name_of(Role.EMAIL)

    @property
    def name_role(self) -> Role:
        """Return the role of the name that everybody has."""
        return Role.NAME_FULL if Role.NAME_FULL in self.roles else Role.NAME_FAMILY

    def fields(self) -> tuple[Field, ...]:
        """Return the fields as an app describes them."""
        return (
            *(
                Field(
                    field_id=self.name_of(role),
                    label=role.value,
                    kind=_KINDS.get(role, FieldKind.TEXT),
                    role=role,
                    length_max=self.limit_of(role),
                    **self._several(role),
                )
                for role in self.roles
            ),
            Field(field_id=self.own_name, label="ref", kind=FieldKind.TEXT),
        )

    def _several(self, role: Role) -> dict[str, Any]:
        if not self.is_several(role):
            return {}
        of = self.numbers
        return {"is_multiple": True, "labels": of.labels, "count_max": of.count_max}

    def is_several(self, role: Role) -> bool:
        """Say whether a field holds several values."""
        return role is Role.PHONE and self.numbers.is_list

    def limit_of(self, role: Role) -> int:
        """Return the declared length of a field; 0 for none."""
        is_name = role in (Role.NAME_GIVEN, Role.NAME_FAMILY)
        return self.length_max if is_name else 0

    def capabilities(self) -> Capabilities:
        """Return what the app says that it can do."""
        return Capabilities(
            detects_deletions=self.has_tombstones,
            detects_unsubscribes=self.has_consent,
            has_consent=self.has_consent,
            can_unsubscribe=self.has_consent and self.can_unsubscribe,
            can_tag=self.can_tag,
            can_change_containers=self.has_lists,
            refuses_duplicate_emails=self.unique_emails,
            can_find_by_email=self.finds_by_email,
            keeps_marks=self.markers is not Markers.IGNORED,
            writes_conditionally=self.writes_conditionally,
            get_batch=self.get_batch,
            create_batch=self.write_batch,
            update_batch=self.write_batch,
            least_consent=(
                Consent.SUBSCRIBED if self.mails_everybody else Consent.UNKNOWN
            ),
            settle_s=int(LATE_S_MAX + LAG_S_MAX) + 5,
        )


def draw(source: random.Random, app: AppId, *, is_shouting: bool) -> Ways:
    """Draw a vendor."""
    chance = source.random
    is_full = chance() < 0.3
    names = (Role.NAME_FULL,) if is_full else (Role.NAME_GIVEN, Role.NAME_FAMILY)
    optional = [role for role in _OPTIONAL if chance() < 0.75]
    is_conditional = chance() < 0.35
    return Ways(
        app=app,
        roles=(Role.EMAIL, *names, *optional),
        is_shouting=is_shouting,
        forms=Forms() if chance() < 0.35 else draw_forms(source),
        length_max=source.choice((0, 0, 18, 40)),
        unique_emails=chance() < 0.6,
        finds_by_email=chance() < 0.8,
        writes_conditionally=is_conditional,
        replaces_whole=chance() < 0.25,
        markers=source.choice((Markers.IGNORED, Markers.KEPT, Markers.UNIQUE)),
        get_batch=source.choice((1, 1, 5, 50)),
        paging=source.choice((Paging.KEYSET, Paging.KEYSET, Paging.OFFSET)),
        page_size=source.choice((5, 8, 20)),
        stamp_s=source.choice((0.001, 1.0)),
        skew_s=source.choice((0.0, source.uniform(-30, 30))),
        lag_s=source.choice((0.0, 0.0, source.uniform(0.1, LAG_S_MAX))),
        has_tombstones=chance() < 0.6,
        merges=source.choice(tuple(Merges)),
        tells_births=(tells_births := chance() < 0.6),
        recycles_ids=tells_births and chance() < 0.3,
        has_consent=chance() < 0.6,
        can_unsubscribe=chance() < 0.8,
        default_consent=source.choice(("subscribed", "unknown")),
        can_tag=chance() < 0.5,
        has_lists=chance() < 0.4,
        rotates_tokens=chance() < 0.7,
        token_lifetime_s=source.choice((120.0, 600.0, 3_600.0)),
        calls_per_second=source.choice((5.0, 20.0, 50.0)),
    )


def draw_forms(
    source: random.Random, *, is_later: bool = False, phones: str | None = None
) -> Forms:
    """Draw what a vendor makes of values that it is given."""
    chance = source.random
    after_s = source.uniform(1, 40) if is_later or chance() < 0.25 else 0.0
    return Forms(
        trims=chance() < 0.6,
        titles_names=chance() < 0.4,
        # What is cut only later looks like an edit to anybody.
        shortens_to=source.choice((0, 16, 24)) if not after_s else 0,
        phones=source.choice(("", *PHONES)) if phones is None else phones,
        after_s=after_s,
    )
