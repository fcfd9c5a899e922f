"""What a record that was read later tells about a write without an answer."""

from collections.abc import Mapping
from typing import Final

from proto.connector import WriteKind
from proto.fields import FieldKind, Fields, Role, Value
from proto.ids import FieldId
from proto.record import Memberships, Presence, Record
from services.reconciler.engine import canon, consent, forms, items
from services.reconciler.engine.model import Config, Intent, Link, Loss, SideConfig

_NAMES: Final = (Role.NAME_GIVEN, Role.NAME_FAMILY, Role.NAME_FULL)
_CUT_MIN: Final = 10
"""A shorter beginning of a text is not what an app has left of it."""


def is_done(link: Link, intent: Intent, *, record: Record, config: Config) -> bool:
    """Say whether a record shows that a write took effect.

    What was edited since is no evidence against a create that its mark tells, or that
    nothing but its values can be told by.
    """
    if is_as_meant(link, intent, record=record, config=config):
        return True
    if intent.kind is not WriteKind.CREATE:
        return False
    if config.side(intent.side).capabilities.keeps_marks:
        return link.failure_count == 0 and has_mark(intent, record=record)
    if record.record_id == link.parked_id:
        # It read as it was made when it was seen first.
        return True
    return _is_besides(intent, record) and is_made(
        link, intent, record=record, config=config
    )


def has_mark(intent: Intent, *, record: Record) -> bool:
    """Say whether a create of this link has made a record, this one or one before."""
    return bool(record.marker) and record.marker == intent.marker


def is_made_and_gone(intent: Intent, record: Record) -> bool:
    """Say whether a create took effect, and somebody has ended the record since (I5).

    Some apps show deleted records, too, to whoever searches for their marks.
    """
    return has_mark(intent, record=record) and record.presence in (
        Presence.DELETED,
        Presence.MERGED,
    )


def is_as_meant(
    link: Link,
    intent: Intent,
    *,
    record: Record,
    config: Config,
) -> bool:
    """Say whether everything of a write reads as meant, or as an app may make it."""
    same = as_meant(link, intent, record=record, config=config)
    return _is_besides(intent, record) and same == intent.fields.keys()


def as_meant(
    link: Link, intent: Intent, *, record: Record, config: Config
) -> set[FieldId]:
    """Return the fields of a write that read as meant, or as an app may make them."""
    same = _read_as_meant(link, intent, record=record, config=config)
    return same | rewritten(intent, record=record, config=config).keys()


def rewritten(
    intent: Intent, *, record: Record, config: Config, is_known: bool = False
) -> Fields:
    """Return what an app shows of texts that it keeps the beginning of (hazard 55).

    Or all of it, in other spaces or capitals (hazard 53), and both at once. What was
    there before is no sign of that, however the new text begins.

    Args:
        is_known: The write took effect for sure, and just now: what was there before is
            a sign, and so is a beginning of a few letters.
    """
    by_id = config.side(intent.side).by_id
    found: Fields = {}
    for field_id, meant in intent.fields.items():
        field, shown = by_id.get(field_id), record.fields.get(field_id)
        if field is None or field.kind is not FieldKind.TEXT or not shown:
            continue
        was = None if is_known else intent.seen.get(field_id)
        form, whole = canon.of(field.kind, shown), canon.of(field.kind, meant)
        is_other = form not in ("", whole, canon.of(field.kind, was))
        is_own = _may_become(whole, form, cut_min=0 if is_known else _CUT_MIN)
        if is_other and is_own:
            found[field_id] = shown
    return found


def left_behind(
    link: Link, intent: Intent, *, record: Record, config: Config
) -> Fields:
    """Return what a write left in its fields, by a record that was read after it.

    Read for an app that tells nothing of its writes, it may show edits (hazard 37).
    What reads as meant, or as an app may make it, the app made of it; so it did of
    what is empty, and of items that are missing: taken for an edit, what an app drops
    would be lost on the other side, too. Whatever else is there was entered since, and
    the write left what was meant.
    """
    by_id = config.side(intent.side).by_id
    known = forms.forms_of(link.learned, config)[intent.side]
    own = rewritten(intent, record=record, config=config, is_known=True)
    same = _read_as_meant(link, intent, record=record, config=config) | own.keys()
    left: Fields = {}
    for field_id, meant in intent.fields.items():
        field, shown = by_id.get(field_id), record.fields.get(field_id, meant)
        left[field_id] = meant
        if field is None:
            continue
        if isinstance(meant, tuple) and isinstance(shown, tuple):
            alike = known.get(field_id, {})
            left[field_id] = items.left_of(field.kind, meant, now=shown, known=alike)
        elif field_id in same or not canon.of(field.kind, shown):
            left[field_id] = shown
    return left


def lacking(
    link: Link, intent: Intent, *, record: Record, config: Config
) -> set[FieldId]:
    """Return the fields in which a record has less than a write meant.

    Nothing, or not each item, or it does not tell. As many items as are gone may have
    taken their places, and were edited then.
    """
    left = left_behind(link, intent, record=record, config=config)
    by_id = config.side(intent.side).by_id
    return {
        field_id
        for field_id, meant in intent.fields.items()
        if (field := by_id.get(field_id)) is not None
        and (
            field_id not in record.fields
            or is_less(field.kind, left[field_id], than=meant)
        )
    }


def put_back(intent: Intent, *, record: Record, config: Config) -> tuple[Loss, ...]:
    """Return what somebody may have entered again after a write took effect unseen.

    The record reads as before the write, but in another version. Whether anybody undid
    the write or only edited something else nobody can tell; to plan again overwrites
    what was there before, so it is kept as what gave way (I3).
    """
    if record.version == intent.seen_version:
        return ()
    found: list[Loss] = []
    for mapping_id in intent.mapping_ids:
        pair = config.pair_by_id.get(mapping_id)
        ids = () if pair is None else pair.end(intent.side).ids
        values = {i: record.fields.get(i) for i in ids}
        is_as_seen = all(values[i] == intent.seen.get(i) for i in ids)
        if is_as_seen and any(values.values()) and values.keys() & intent.fields.keys():
            found.append(
                Loss(
                    intent_id=intent.intent_id,
                    mapping_id=mapping_id,
                    side=intent.side,
                    values=values,
                )
            )
    return tuple(found)


def is_made(link: Link, intent: Intent, *, record: Record, config: Config) -> bool:
    """Say whether the values of a record are those of a create, but for later edits.

    Its address says nothing, nor does what somebody has emptied since. What is left of
    the name has to be as it was meant, and half of the rest; without a name everything.
    Two people may have one name, so that it is no evidence of the rest. An app may have
    rewritten any of it (hazard 53). Where a create tells an address alone, whoever has
    that and nothing else is who it made.
    """
    names, rest = _told(intent, config)
    same = _read_as_meant(link, intent, record=record, config=config, is_loose=True)
    if not names and not rest:
        return _is_bare(intent, record, config=config) and same == intent.fields.keys()
    if not names:
        return rest <= same
    rest -= _emptied(record)
    is_named = _is_named(names, record=record, same=same)
    return is_named and 2 * len(rest & same) >= len(rest)


def traits_of(fields: Fields, side: SideConfig) -> frozenset[tuple[FieldId, str]]:
    """Return what is left of each value whatever an app makes of it by itself.

    A record that shares none with a create does not read like it, but by what the
    create's link has learned of its app.
    """
    return frozenset(
        (field_id, _plain(form)[:_CUT_MIN])
        for field_id, value in fields.items()
        if (field := side.by_id.get(field_id)) is not None
        and (form := canon.of(field.kind, value))
    )


def may_be_named_so(
    link: Link, intent: Intent, *, record: Record, config: Config
) -> bool:
    """Say whether a record bears the name of a create, which may have none."""
    names, _ = _told(intent, config)
    same = _read_as_meant(link, intent, record=record, config=config, is_loose=True)
    return not names or _is_named(names, record=record, same=same)


def is_likely(link: Link, intent: Intent, *, record: Record, config: Config) -> bool:
    """Say whether a record looks like what a create was to make.

    By its address, or by the rest, since somebody may have edited it.
    """
    emails = {i for i in _emails_of(intent, config) if intent.fields.get(i)}
    same = _read_as_meant(link, intent, record=record, config=config)
    has_address = bool(emails) and emails <= same
    return has_address or is_made(link, intent, record=record, config=config)


def is_more_than_its_address(
    link: Link, intent: Intent, *, record: Record, config: Config
) -> bool:
    """Say whether a record has anything else that a create told, too.

    Of several that have had its address, whoever has nothing more was given that.
    """
    names, rest = _told(intent, config)
    same = _read_as_meant(link, intent, record=record, config=config, is_loose=True)
    return not same.isdisjoint(names | rest)


def _told(intent: Intent, config: Config) -> tuple[set[FieldId], set[FieldId]]:
    """Return the names that a create tells, and the rest but for addresses."""
    by_id = config.side(intent.side).by_id
    told = {i for i, value in intent.fields.items() if value}
    told -= _emails_of(intent, config)
    names = {i for i in told if i in by_id and by_id[i].role in _NAMES}
    return names, told - names


def _is_named(names: set[FieldId], *, record: Record, same: set[FieldId]) -> bool:
    """Say whether what is left of a name reads as meant."""
    return bool(names & same) and names - _emptied(record) <= same


def _is_bare(intent: Intent, record: Record, *, config: Config) -> bool:
    """Say whether a create, and a record, have nothing but an address."""
    emails = _emails_of(intent, config)
    pairs = [config.pair_by_id.get(mapping_id) for mapping_id in intent.mapping_ids]
    ids = {i for pair in pairs if pair is not None for i in pair.end(intent.side).ids}
    has_address = any(intent.fields.get(i) for i in emails)
    return has_address and not any(record.fields.get(i) for i in ids - emails)


def _emptied(record: Record) -> set[FieldId]:
    return {i for i, value in record.fields.items() if not value}


def _emails_of(intent: Intent, config: Config) -> set[FieldId]:
    return set(config.side(intent.side).email_ids) & intent.fields.keys()


def _read_as_meant(
    link: Link,
    intent: Intent,
    *,
    record: Record,
    config: Config,
    is_loose: bool = False,
) -> set[FieldId]:
    """Return the fields of a write that read as they were meant to.

    Args:
        is_loose: Whatever an app may have made of them by itself.
    """
    known = forms.forms_of(link.learned, config)[intent.side]
    by_id = config.side(intent.side).by_id
    same: set[FieldId] = set()
    for field_id, value in intent.fields.items():
        field = by_id.get(field_id)
        if field is None or field_id not in record.fields:
            continue
        alike = known.get(field_id, {})
        form = _known_form(field.kind, record.fields[field_id], alike=alike)
        meant = _known_form(field.kind, value, alike=alike)
        if form == meant or (is_loose and _may_become(meant, form)):
            same.add(field_id)
    return same


def _known_form(kind: FieldKind, value: Value, *, alike: Mapping[str, str]) -> str:
    """Return a normal form in which all is alike that is known to mean the same."""
    if isinstance(value, tuple):
        keys = canon.keys(kind, value)
        shown = zip(value, (alike.get(key, key) for key in keys), strict=True)
        return "\x1e".join(f"{item.label}\x1f{key}" for item, key in shown)
    form = canon.of(kind, value)
    return alike.get(form, form)


def _may_become(meant: str, form: str, *, cut_min: int = _CUT_MIN) -> bool:
    """Say whether an app may show a text so that was written: recased or cut."""
    plain, shown = _plain(meant), _plain(form)
    is_cut = len(shown) >= cut_min and plain.startswith(shown)
    return plain == shown or is_cut


def is_less(kind: FieldKind, value: Value, *, than: Value) -> bool:
    """Say whether a value is missing, or an item of it."""
    if isinstance(value, tuple) and isinstance(than, tuple):
        return len(value) < len(set(canon.keys(kind, than)))
    return bool(canon.of(kind, than)) and not canon.of(kind, value)


def _plain(form: str) -> str:
    return canon.name(form).casefold()


def _is_besides(intent: Intent, record: Record) -> bool:
    """Say whether a record's lists, tags and consent are as they were meant."""
    return _has_memberships(record, intent.memberships) and not consent.is_tighter(
        intent.consent, than=record.consent
    )


def _has_memberships(record: Record, wanted: Memberships) -> bool:
    return (
        set(wanted.containers_add) <= set(record.containers)
        and set(wanted.containers_remove).isdisjoint(record.containers)
        and set(wanted.tags_add) <= set(record.tags)
        and set(wanted.tags_remove).isdisjoint(record.tags)
    )
