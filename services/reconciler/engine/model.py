"""The words of the engine: links, what was seen, what is decided.

All are frozen Structs that survive JSON, because the planner stores them. What a
connection is set to is in ``config`` and offered here too.
"""

import enum
from typing import Final, Self

import msgspec

from proto.base import Instant
from proto.connector import WriteKind
from proto.fields import Fields, Value
from proto.ids import ContainerId, FieldId, IntentId, LinkId, RecordId
from proto.reconciler import LEFT, RIGHT, RecordState, Side
from proto.record import Consent, Memberships, Presence, Record
from services.reconciler.engine import memory
from services.reconciler.engine.candidates import Candidate, Match, MatchKind, Scope
from services.reconciler.engine.config import (
    Config,
    Lens,
    Mapping,
    Pair,
    PairEnd,
    SideConfig,
)
from services.reconciler.engine.memory import (
    Act,
    Apart,
    Carried,
    Learned,
    Refusal,
    Step,
    Uncarried,
    Unheeded,
)

__all__ = [
    "NOTHING",
    "Act",
    "Apart",
    "Candidate",
    "Carried",
    "Cause",
    "Config",
    "FieldChange",
    "Folded",
    "Hold",
    "Intent",
    "Learned",
    "Lens",
    "Link",
    "Loss",
    "Mapping",
    "Match",
    "MatchKind",
    "Pair",
    "PairEnd",
    "Plan",
    "Reason",
    "Refusal",
    "Scope",
    "Seen",
    "Shadow",
    "SideConfig",
    "Step",
    "Uncarried",
    "Unheeded",
    "digest_of",
    "is_another",
    "is_live",
    "other",
]


class Reason(enum.StrEnum):
    """Why a contact or one of its fields is not in sync; error codes come besides."""

    UNKNOWN = "unknown"
    NO_EMAIL = "no_email"
    OUT_OF_CONTAINER = "out_of_container"
    EXISTS_OUTSIDE_CONTAINER = "exists_outside_container"
    """The email is there already, but in a list that this connection leaves alone."""
    ONE_WAY = "one_way"
    DUPLICATE_EMAIL = "duplicate_email"
    """Another record of the same side has one of its emails."""
    MATCHES_SEVERAL = "matches_several"
    MADE_BY_US = "made_by_us"
    """A connection made it, and without an email nothing tells who it is."""
    AWAITS_CREATE = "awaits_create"
    """It is new, and may be what a create has made whose answer is on its way."""
    MATCH_IS_LINKED = "match_is_linked"
    """The record with this email is already linked with somebody else."""
    LINKED_AROUND = "linked_around"
    """Other connections' links lead to its counterpart, of another address or gone."""
    EMAIL_REMOVED = "email_removed"
    CLEARS_TOO_MUCH = "clears_too_much"
    OUTCOME_UNKNOWN = "outcome_unknown"
    DELETED_LEFT = "deleted_left"
    DELETED_RIGHT = "deleted_right"
    TOO_LONG = "too_long"
    BAD_TEXT = "bad_text"
    """It has a character that cannot be stored (NUL, half a surrogate pair)."""
    BAD_VALUE = "bad_value"
    NOT_AN_OPTION = "not_an_option"
    NO_PAIR = "no_pair"
    NO_ROOM = "no_room"
    OUT_OF_RULES = "out_of_rules"
    NOT_ON_OTHER_SIDE = "not_on_other_side"
    NOT_AGREED = "not_agreed"
    """The other app mails whoever is there, and nobody knows that they agreed to it."""
    UNLINKED = "unlinked"
    MERGED_AWAY = "merged_away"
    ID_REUSED = "id_reused"
    """The app has given the record's id to another record."""
    OSCILLATES = "oscillates"
    """Something keeps changing the field back; it waits a day."""
    MASS_CHANGE = "mass_change"
    """More would be undone at once than looks intended; a person has to approve."""

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


DELETED_ON: Final = {
    LEFT: Reason.DELETED_LEFT,
    RIGHT: Reason.DELETED_RIGHT,
}
"""Why a bond is over, by the side on which somebody deleted a record."""


_OUR_REASONS: Final = frozenset(reason.value for reason in Reason)


class Seen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The newest state of a record, and when it was true."""

    record: Record
    read_at: Instant
    digest: str
    """``digest_of(record)``; equal digests mean that nothing needs a look."""
    is_missing: bool = False
    """The app did not know its id when last asked, which is no evidence yet."""
    live_number: int | None = None
    """Drawn when it was first stored, or as alive again; None from before there was
    one. Intents draw from the same numbers."""
    is_ours: bool = False
    """We made it, and it has no address to be known by."""
    is_listed: bool = False
    """A listing or a search showed it, which may be some seconds behind."""


class Shadow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What was last known to be on one side of a link."""

    values: Fields = {}
    """Raw values; a mapping without any here has never been in step.

    A single field is a list here while what it held is still to be carried.
    """
    digest: str = ""
    """Of the record when nothing was left to do; empty means: look again."""
    version: str = ""
    """Of the record as the last write knew it, until the link is planned again."""


class Hold(msgspec.Struct, frozen=True, kw_only=True):
    """A mapping of a link that waits, and why; all others go on."""

    mapping_id: str
    """Or the tag, list or field that a rule is to change, as history calls it."""
    reason: str

    @property
    def is_refusal(self) -> bool:
        """Say whether an app refused the value, and not we before it was asked."""
        return self.reason not in _OUR_REASONS


class Link(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The lasting bond of a left and a right record; one-sided until both exist."""

    link_id: LinkId
    left_id: RecordId | None = None
    right_id: RecordId | None = None
    state: RecordState = RecordState.PENDING
    reason: str = ""
    """A ``Reason`` or an ``ErrorCode``; empty when there is nothing to say."""
    held: tuple[Hold, ...] = ()
    left: Shadow | None = None
    right: Shadow | None = None
    learned: tuple[Learned, ...] = ()
    apart: tuple[Apart, ...] = ()
    """What the sides say differently, and is to stay so."""
    acts: tuple[Act, ...] = ()
    """What rules and options have done to the records besides."""
    carried: tuple[Carried, ...] = ()
    """What each side has got of the other's consent."""
    unheeded: tuple[Unheeded, ...] = ()
    """Where an app took that and did not show it."""
    trail: tuple[Step, ...] = ()
    """The last writes, oldest first."""
    uncarried: tuple[Uncarried, ...] = ()
    """What was edited in mappings that have not been in step since."""
    left_born: Instant | None = None
    right_born: Instant | None = None
    left_life: int | None = None
    """Which life of the record the shadows are of, by its ``Seen.live_number``."""
    right_life: int | None = None
    parked_id: RecordId | None = None
    """A record with this link's marker, or that read like what its open create was to
    make, seen before that was answered."""
    is_parked_loosely: bool = False
    """That record did not read wholly as it was to be made: if one does, it is that."""
    met_id: RecordId | None = None
    """A new record that has had the address of this link's open create, and another
    name."""
    is_manual: bool = False
    """A person made it, or took it apart: it is not matched by email."""
    intent_id: IntentId | None = None
    """The one open intent; nothing is planned while there is one."""
    has_email: bool = False
    """Both sides had an email once, so losing it is worth a hold."""
    failure_count: int = 0
    """Intents in a row that came to nothing."""
    refusals: tuple[Refusal, ...] = ()
    """Writes that an app refused, each with a time of its own to be tried again."""
    retry_at: Instant | None = None
    """Not planned before, unless a record changes."""
    config_version: int = 0
    version: int = 0
    """For the store; the engine carries it along."""

    def record_id(self, side: Side) -> RecordId | None:
        """Return the record of one side."""
        return self.left_id if side is LEFT else self.right_id

    def shadow(self, side: Side) -> Shadow | None:
        """Return the shadow of one side."""
        return self.left if side is LEFT else self.right

    def born(self, side: Side) -> Instant | None:
        """Return when the record of one side was made, as far as its app told."""
        return self.left_born if side is LEFT else self.right_born

    @property
    def is_two_sided(self) -> bool:
        """Say whether there is a record on both sides."""
        return self.left_id is not None and self.right_id is not None


class Cause(enum.StrEnum):
    """Why a value was written."""

    UNKNOWN = "unknown"
    CHANGED = "changed"
    """It was edited on the other side."""
    FIRST_MATCH = "first_match"
    CONFLICT = "conflict"
    """Both sides were edited; the other one wins."""
    CREATED = "created"
    RULE = "rule"
    """A rule's action, or its undoing."""
    DELETION = "deletion"
    UNSUBSCRIBE = "unsubscribe"

    @classmethod
    def _missing_(cls, value: object) -> Self:
        return cls("unknown")


class FieldChange(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One field of an intent, for history."""

    field_id: FieldId
    mapping_id: str
    before: Value = None
    after: Value = None
    cause: Cause


class Intent(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One write to one record, stored before it is tried."""

    intent_id: IntentId
    link_id: LinkId
    side: Side
    """The side that is written to."""
    kind: WriteKind
    """``CREATE`` or ``UPDATE``."""
    record_id: RecordId | None = None
    fields: Fields
    """Exactly the fields to set; ``None`` clears."""
    seen: Fields = {}
    """The target's fields of the mappings concerned, as they were."""
    seen_version: str = ""
    seen_created_at: Instant | None = None
    source_id: RecordId
    source: Fields
    """The other side's fields of the mappings concerned, as they were."""
    source_version: str = ""
    source_read_at: Instant
    source_is_gone: bool = False
    """It is written because the other side's record is gone."""
    mapping_ids: tuple[str, ...]
    changes: tuple[FieldChange, ...]
    containers: tuple[ContainerId, ...] = ()
    memberships: Memberships = Memberships()
    consent: Consent = Consent.UNKNOWN
    """Of a new record; for an update, what to tighten to."""
    acts: tuple[Act, ...] | None = None
    """What has been done on that side once this is written; None: as before."""
    carried: tuple[Carried, ...] = ()
    """What that side has got of the other's consent once this is written."""
    is_urgent: bool = False
    """It carries an unsubscribe."""
    is_destructive: bool = False
    """It counts for the guard against mass changes."""
    emails: tuple[str, ...] = ()
    """Raw addresses by which a create finds a record that exists already."""
    marker: str = ""
    """The same for every try of a link, so that a late create is recognised."""
    left_digest: str = ""
    right_digest: str = ""
    decided_at: Instant
    look_count: int = 0
    """Looks that were answered without telling what became of the write."""


class Loss(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A value that gives way in a conflict; history keeps it."""

    intent_id: IntentId
    mapping_id: str
    side: Side
    """Where the value was."""
    values: Fields


class Plan(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is decided for one link."""

    link: Link | None = None
    """The link as it is to be stored; None when it stays as it is."""
    intent: Intent | None = None
    losses: tuple[Loss, ...] = ()


NOTHING: Final = Plan()
"""The plan of a link that needs neither a write nor a row."""


class Folded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What follows from the answer to an intent."""

    link: Link
    intent: Intent | None = None
    """The intent while it stays open; None when it is closed."""
    is_written: bool = False
    """The write took effect, so it counts and belongs in history."""
    losses: tuple[Loss, ...] = ()
    """What the next write may take the place of although somebody entered it."""
    look_at: Instant | None = None
    """When to send a ``LOOK`` for the intent that stays open."""


def other(side: Side) -> Side:
    """Return the opposite side."""
    return RIGHT if side is LEFT else LEFT


def is_live(seen: Seen | None) -> bool:
    """Say whether a record is known to exist in its app."""
    return seen is not None and seen.record.presence is Presence.LIVE


def is_another(seen: Seen, *, born: Instant | None) -> bool:
    """Say whether an app has given a record's id to another one (hazard 11)."""
    created_at = seen.record.created_at
    return born is not None and created_at is not None and born != created_at


def digest_of(record: Record) -> str:
    """Return a digest of everything in a record that planning looks at."""
    return memory.digest_of(
        (
            record.fields,
            record.presence,
            record.merged_into,
            record.containers,
            record.tags,
            record.consent,
        )
    )
