"""What of a write is not so yet. Pure: it compares, and decides nothing."""

from typing import TypeVar

from proto.connector import Capabilities, ContactWrite
from proto.record import CONSENT_RANKS, Consent, Memberships, Record
from services.connector.port import Change, NewRecord

T = TypeVar("T", bound=str)


def of_update(write: ContactWrite, record: Record) -> Change:
    """Return what a record lacks of an update; consent is only ever tightened."""
    wanted = write.memberships
    is_tight = is_tighter(write.consent, than=(record.consent,))
    return Change(
        fields={
            field_id: value
            for field_id, value in write.fields.items()
            if field_id not in record.fields or record.fields[field_id] != value
        },
        memberships=Memberships(
            containers_add=_unless(wanted.containers_add, record.containers),
            containers_remove=_where(wanted.containers_remove, record.containers),
            tags_add=_unless(wanted.tags_add, record.tags),
            tags_remove=_where(wanted.tags_remove, record.tags),
        ),
        consent=write.consent if is_tight else Consent.UNKNOWN,
    )


def of_create(write: ContactWrite) -> NewRecord:
    """Return the record that a create makes, with all that it is to be in."""
    containers = dict.fromkeys((*write.containers, *write.memberships.containers_add))
    return NewRecord(
        fields=write.fields,
        containers=tuple(containers),
        tags=tuple(dict.fromkeys(write.memberships.tags_add)),
        consent=write.consent,
        marker=write.marker,
    )


def is_possible(change: Change, capabilities: Capabilities) -> bool:
    """Tell whether an app can do all of a change, as its manifest says."""
    changed = change.memberships
    return (
        (capabilities.can_tag or not (changed.tags_add or changed.tags_remove))
        and (
            capabilities.can_change_containers
            or not (changed.containers_add or changed.containers_remove)
        )
        and (capabilities.can_unsubscribe or change.consent is Consent.UNKNOWN)
    )


def is_creatable(write: ContactWrite, capabilities: Capabilities) -> bool:
    """Tell whether an app can make a record that is in all that a create asks for."""
    wanted = write.memberships
    change = Change(
        memberships=Memberships(
            containers_add=_unless(wanted.containers_add, write.containers),
            tags_add=wanted.tags_add,
        )
    )
    return is_possible(change, capabilities)


def is_tighter(consent: Consent, *, than: tuple[Consent, ...]) -> bool:
    """Tell whether a level is tighter than every one of some others."""
    return CONSENT_RANKS[consent] > max(CONSENT_RANKS[each] for each in than)


def _unless(names: tuple[T, ...], there: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(name for name in dict.fromkeys(names) if name not in there)


def _where(names: tuple[T, ...], there: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(name for name in dict.fromkeys(names) if name in there)
