"""What a link remembers besides shadows, and how it tells one state from another.

Lessons about apps, what is apart on purpose, acts, edits that were not carried,
consent, refused writes, and the last ones that were made.
"""

import hashlib
from typing import Self

import msgspec

from proto.base import Instant
from proto.fields import Value
from proto.ids import FieldId, RecordId
from proto.reconciler import Side
from proto.record import Consent
from proto.rules import Action


class Learned(msgspec.Struct, frozen=True, kw_only=True):
    """What an app made of a value that we wrote, both in normal form."""

    side: Side
    field_id: FieldId
    wrote: str
    got: str


class Apart(msgspec.Struct, frozen=True, kw_only=True):
    """Something that one side says and the other does not, and that is left so."""

    mapping_id: str
    side: Side
    """Who says it."""
    form: str
    """A digest of what it says, and in which part of the mapping."""

    @classmethod
    def of(cls, mapping_id: str, side: Side, *, key: str, said: str) -> Self:
        """Return what a side says in a part of a mapping, by its normal form."""
        text = f"{key}\x1f{said}".encode("utf-8", "surrogatepass")
        form = hashlib.blake2b(text, digest_size=8).hexdigest()
        return cls(mapping_id=mapping_id, side=side, form=form)


class Act(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An action that was carried out on one side."""

    key: str
    """Which action of which rule, or the name of the option that brings it along."""
    side: Side
    """Where it was done."""
    action: Action
    before: Value = None
    """What a field held that was set; yes where a tag or list was as wanted already."""
    undoes: bool = False


class Uncarried(msgspec.Struct, frozen=True, kw_only=True):
    """An edit that a write was decided on which came to nothing."""

    mapping_id: str
    side: Side
    """Where it was made."""
    field_id: FieldId


class Carried(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one side has got of the other's word on consent."""

    side: Side
    """The side that got it."""
    level: Consent = Consent.UNKNOWN
    """The word as it was carried; unknown once the other side has taken it back."""
    ways: tuple[str, ...] = ()
    """How it was, by what history calls it: the consent itself, or tags. None is known
    of a word that was carried before ways were kept."""
    ours: Consent = Consent.UNKNOWN
    """The level that we set there: no word of that side's own, while it lasts."""


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """A write that an app refused, which waits by itself until it is tried again."""

    side: Side
    key: str
    """A digest of what was to be written, and onto what."""
    reason: str
    count: int
    """How often in a row."""
    retry_at: Instant


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """A value that we wrote, so that one that comes and goes is noticed."""

    mapping_id: str
    """Or the tag, list or field that a rule changed, as history calls it."""
    side: Side
    form: str
    """A digest of its normal form."""
    at: Instant


class Unheeded(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An unsubscribe that an app took, and answered with a record without it."""

    side: Side
    record_id: RecordId
    consent: Consent = Consent.UNKNOWN
    """What the record showed: any other level is a word since."""
    tag: str = ""
    """What tells the unsubscribe there, if it is a tag."""
    at: Instant


_encoder = msgspec.json.Encoder(order="deterministic")


def digest_of(parts: tuple[object, ...]) -> str:
    """Return a digest that is the same for equal parts, whatever is in them."""
    try:
        data = _encoder.encode(parts)
    except UnicodeEncodeError:
        # Half a surrogate pair has no UTF-8; such a field is held later, by name.
        data = repr(parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(data, digest_size=16).hexdigest()
