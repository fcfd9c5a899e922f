"""Putting contacts on lists and taking them off: one call a list, whoever it is for."""

from collections.abc import Collection, Mapping
from typing import Final, TypeAlias

import msgspec

from proto import codec
from proto.errors import ErrorCode
from proto.ids import ContainerId, RecordId
from proto.record import Memberships, Record
from services.connector.apps.hubspot import lists, wire
from services.connector.apps.hubspot.lists import Lists
from services.connector.errors import CallFailed
from services.connector.port import (
    Call,
    Missing,
    Operation,
    Refused,
    Unsure,
    Written,
)

REFUSED: Final = Refused(code=ErrorCode.VALUE_REFUSED)
Result: TypeAlias = Written | Missing | Refused | Unsure


class _Moves(msgspec.Struct):
    """Who is to be put on one list, and taken off it, by their places."""

    add: dict[RecordId, int] = msgspec.field(default_factory=dict)
    remove: dict[RecordId, int] = msgspec.field(default_factory=dict)

    @property
    def places(self) -> set[int]:
        return {*self.add.values(), *self.remove.values()}


class _Told(msgspec.Struct):
    """What the vendor told of it, by place."""

    done: set[int] = msgspec.field(default_factory=set)
    missing: set[int] = msgspec.field(default_factory=set)
    refused: set[int] = msgspec.field(default_factory=set)
    unsure: set[int] = msgspec.field(default_factory=set)


def listed(
    known: Lists,
    records: Mapping[int, Record],
    *,
    wanted: Mapping[int, Memberships],
    written: Collection[int],
) -> Operation[dict[int, Result]]:
    """Put records on lists and take them off; return what became of each.

    Args:
        records: As they are by now, by place.
        wanted: On which lists to put them, and off which.
        written: Of whom something is written already. That must not count as undone,
            whatever becomes of the lists.

    Raises:
        CallFailed: Nothing of it all is done.
    """
    told = yield from _move(known, _by_list(records, wanted), is_begun=bool(written))
    found: dict[int, Result] = {}
    for place, record in records.items():
        begun = place in written or place in told.done
        if place in told.unsure:
            found[place] = Unsure()
        elif place in told.refused:
            found[place] = Unsure() if begun else REFUSED
        elif place in told.missing:
            found[place] = Unsure() if begun else Missing()
        else:
            change = wanted[place]
            held = {*record.containers, *change.containers_add}
            held -= {*change.containers_remove}
            found[place] = Written(
                record=msgspec.structs.replace(record, containers=lists.in_order(held))
            )
    return found


def _move(
    known: Lists, moves: Mapping[ContainerId, _Moves], *, is_begun: bool
) -> Operation[_Told]:
    told = _Told()
    for list_id, each in moves.items():
        body = {
            "recordIdsToAdd": list(each.add),
            "recordIdsToRemove": list(each.remove),
        }
        try:
            answer = yield Call(
                method="PUT",
                path=f"{lists.path_of(list_id)}/memberships/add-and-remove",
                body=codec.encode(body),
                accepts=(200, 400, 404),
                is_write=True,
            )
            if answer.status != 200:
                lists.checked(answer)
                known.doubt()
                told.refused |= each.places
                continue
            gone = {str(one) for one in answer.decode(wire.Moved).record_ids_missing}
        except CallFailed:
            if not is_begun:
                raise
            told.unsure |= each.places
            continue
        is_begun = True
        ids = {**each.add, **each.remove}
        missing = {place for record_id, place in ids.items() if record_id in gone}
        told.missing |= missing
        told.done |= each.places - missing
    return told


def _by_list(
    records: Mapping[int, Record], wanted: Mapping[int, Memberships]
) -> dict[ContainerId, _Moves]:
    found: dict[ContainerId, _Moves] = {}
    for place, record in records.items():
        for list_id in wanted[place].containers_add:
            found.setdefault(list_id, _Moves()).add[record.record_id] = place
        for list_id in wanted[place].containers_remove:
            found.setdefault(list_id, _Moves()).remove[record.record_id] = place
    return found
