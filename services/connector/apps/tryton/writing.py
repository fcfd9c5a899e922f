"""Making and changing parties, alone and together; each call is done whole or not.

The server tells ids, or nothing, so that what was written is read after it. A change
carries the stamps of the party and of its parts as they were read: where one of them is
another by now, nothing is done.
"""

from collections.abc import Sequence
from typing import Any, Final, TypeVar

import msgspec

from proto import codec
from proto.errors import ErrorCode
from proto.fields import Address, Fields
from proto.ids import FieldId
from proto.record import Presence
from services.connector.apps.tryton import fields, reading, rpc
from services.connector.apps.tryton.places import Places
from services.connector.apps.tryton.rpc import Refusal
from services.connector.apps.tryton.tags import Tags
from services.connector.apps.tryton.wire import Party
from services.connector.errors import CallFailed, Meaning
from services.connector.port import (
    ANSWER_BYTES_MAX,
    Change,
    CreateResult,
    Missing,
    Moved,
    NewRecord,
    Operation,
    Refused,
    Snapshot,
    Unsure,
    Update,
    UpdateResult,
    Written,
)

T = TypeVar("T")
Values = dict[str, Any]
_BOOK: Final = "party.party"
_COLUMNS: Final = {"street": "street", "postal_code": "postal_code", "city": "city"}


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One change, worked out."""

    before: Party
    values: Values
    field_id: FieldId | None = None
    """The only field that was asked for, where there is only one."""

    def stamps(self) -> dict[str, str]:
        """Return what must not have changed since."""
        party = self.before
        found = {f"{_BOOK},{party.id}": party.stamp}
        for one in party.mechanisms:
            found[f"party.contact_mechanism,{one.id}"] = one.stamp
        for each in party.addresses:
            found[f"party.address,{each.id}"] = each.stamp
        return found


class Writer:
    """Writes to the parties of one database."""

    def __init__(self) -> None:
        self._tags = Tags()
        self._places = Places()

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Create one party."""
        values = yield from self._new(new)
        if isinstance(values, Refused):
            return values
        done = yield from rpc.call(f"{rpc.PARTY}.create", [values], is_write=True)
        if isinstance(done, Refusal):
            self._tags.forget()
            return _refused(_only(new.fields))
        ids = _made(done, count=1)
        (result,) = yield from _told(ids)
        if isinstance(result, Unsure | Missing):
            raise CallFailed(Meaning.NO_ANSWER, "made, and not read after it")
        return result

    def create_many(
        self, news: Sequence[NewRecord]
    ) -> Operation[tuple[CreateResult, ...]]:
        """Create parties, all in one call."""
        results: dict[int, CreateResult] = {}
        todo: dict[int, Values] = {}
        for place, new in enumerate(news):
            values = yield from self._new(new)
            if isinstance(values, Refused):
                results[place] = values
            else:
                todo[place] = values
        if todo:
            asked = list(todo.values())
            done = yield from rpc.call(f"{rpc.PARTY}.create", asked, is_write=True)
            if isinstance(done, Refusal):
                self._tags.forget()
                raise CallFailed(Meaning.REFUSED, "several that are refused as one")
            ids = _made(done, count=len(todo))
            told = yield from _told(ids)
            for place, result in zip(todo, told, strict=True):
                results[place] = Unsure() if isinstance(result, Missing) else result
        return tuple(results[place] for place in range(len(news)))

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Change one party; what is not mentioned stays."""
        asked = yield from self._asked(snapshot, change)
        if not isinstance(asked, Asked):
            return asked
        if not asked.values:
            return Written(record=snapshot.record)
        done = yield from _write([asked])
        if done is Refusal.MOVED:
            return (yield from _moved(asked))
        if done is Refusal.USER:
            self._tags.forget()
            return (yield from _moved(asked, otherwise=_refused(asked.field_id)))
        (result,) = yield from _told([asked.before.id])
        if isinstance(result, Unsure):
            raise CallFailed(Meaning.NO_ANSWER, "written, and not read after it")
        return result

    def update_many(
        self, updates: Sequence[Update]
    ) -> Operation[tuple[UpdateResult, ...]]:
        """Change parties, all in one call; once more without those who moved."""
        results: dict[int, UpdateResult] = {}
        todo: dict[int, Asked] = {}
        for place, update in enumerate(updates):
            asked = yield from self._asked(update.snapshot, update.change)
            if not isinstance(asked, Asked):
                results[place] = asked
            elif asked.values:
                todo[place] = asked
            else:
                results[place] = Written(record=update.snapshot.record)
        if todo and isinstance((yield from _write([*todo.values()])), Refusal):
            self._tags.forget()
            moved = yield from _all_moved(todo)
            if not moved:
                raise CallFailed(Meaning.REFUSED, "several that are refused as one")
            results |= moved
            todo = {place: one for place, one in todo.items() if place not in moved}
            if todo and isinstance((yield from _write([*todo.values()])), Refusal):
                raise CallFailed(Meaning.REFUSED, "several that are refused as one")
        if todo:
            told = yield from _told([one.before.id for one in todo.values()])
            results |= dict(zip(todo, told, strict=True))
        return tuple(results[place] for place in range(len(updates)))

    def _new(self, new: NewRecord) -> Operation[Values | Refused]:
        told: Fields = {
            name: value for name, value in new.fields.items() if value is not None
        }
        values = yield from self._values(told, None)
        if isinstance(values, dict) and new.tags:
            ids = yield from self._tags.ids_of(new.tags)
            if ids is None:
                return _refused(None)
            values["categories"] = [["add", ids]]
        return values

    def _asked(
        self, snapshot: Snapshot, change: Change
    ) -> Operation[Asked | Missing | Refused]:
        """Return a change, or why there is none."""
        if snapshot.record.presence is not Presence.LIVE:
            return Missing()
        before = codec.decode(snapshot.raw, Party, bytes_max=ANSWER_BYTES_MAX)
        values = yield from self._values(change.fields, before)
        if isinstance(values, Refused):
            return values
        held = {one.rec_name: one.id for one in before.categories}
        wanted = change.memberships
        gone = [held[name] for name in wanted.tags_remove if name in held]
        names = [name for name in wanted.tags_add if name not in held]
        more = (yield from self._tags.ids_of(names)) if names else []
        if more is None:
            return _refused(None)
        commands = [["add", more]] if more else []
        commands += [["remove", gone]] if gone else []
        if commands:
            values["categories"] = commands
        return Asked(before=before, values=values, field_id=_only(change.fields))

    def _values(
        self, asked: Fields, before: Party | None
    ) -> Operation[Values | Refused]:
        """Return what sets fields, or which of them has no form."""
        values: Values = {}
        mechanisms: list[list[object]] = []
        for field_id, value in asked.items():
            if field_id == fields.NAME and isinstance(value, str | None):
                if "\x00" in (value or ""):
                    return _refused(field_id)
                values["name"] = value or None
                continue
            items = None
            if field_id in (*fields.TYPES, fields.ADDRESSES):
                items = fields.checked(field_id, value)
            if items is None:
                return _refused(field_id)
            if field_id != fields.ADDRESSES:
                mechanisms += fields.mechanisms(before, field_id, items=items)
                continue
            wanted = [item.value for item in items if isinstance(item.value, Address)]
            commands = yield from self._addresses(before, wanted)
            if commands is None:
                return _refused(field_id)
            if commands:
                values["addresses"] = commands
        if mechanisms:
            values["contact_mechanisms"] = mechanisms
        return values

    def _addresses(
        self, before: Party | None, wanted: Sequence[Address]
    ) -> Operation[list[list[object]] | None]:
        """Return the commands that give a party these addresses, in this order."""
        held = [
            one
            for one in (before.addresses if before else ())
            if one.is_shown and fields.address_of(one)
        ]
        chosen = fields.choose(
            held,
            wanted,
            likenesses=(
                lambda one, new: fields.address_of(one) == new,
                lambda one, new: one.street == new.street,
                lambda one, new: True,
            ),
        )
        order = [one.id for one in chosen if one]
        is_ordered = order == [one.id for one in held if one.id in order]
        is_ordered = is_ordered and len({one is None for one in chosen}) < 2
        commands: list[list[object]] = []
        for number, (one, new) in enumerate(zip(chosen, wanted, strict=True), 1):
            if one is not None and fields.address_of(one) == new and is_ordered:
                continue
            values = yield from self._address(
                new, fields.address_of(one) if one else None
            )
            if values is None:
                return None
            if not is_ordered:
                values["sequence"] = number * 10
            if one is None:
                commands.append(["create", [values]])
            else:
                commands.append(["write", [one.id], values])
        return commands + fields.deactivated(held, chosen)

    def _address(
        self, new: Address, before: Address | None
    ) -> Operation[Values | None]:
        """Return the columns that differ; None where the server knows no such place."""
        old = before or Address()
        values: Values = {
            column: getattr(new, part) or None
            for part, column in _COLUMNS.items()
            if getattr(new, part) != getattr(old, part)
        }
        if (new.country, new.region) != (old.country, old.region):
            place = yield from self._places.find(new.country, new.region)
            if place is None:
                return None
            values["country"], values["subdivision"] = place
        return values


def _write(asked: Sequence[Asked]) -> Operation[rpc.Done | Refusal]:
    """Write several parties in one transaction."""
    pairs: list[object] = []
    stamps: dict[str, str] = {}
    for one in asked:
        pairs += [[one.before.id], one.values]
        stamps |= one.stamps()
    context = {**rpc.ALL, "_timestamp": stamps}
    return rpc.call(f"{rpc.PARTY}.write", *pairs, context=context, is_write=True)


def _made(done: rpc.Done, *, count: int) -> list[int]:
    """Return the ids of what was made, in the order that it was asked in."""
    ids = done.decode(list[int])
    if len(ids) != count:
        raise CallFailed(Meaning.BROKEN, "other parties than were asked for")
    return ids


def _told(ids: Sequence[int]) -> Operation[list[Written | Missing | Unsure]]:
    """Return parties as they are after a write; if they can be read."""
    try:
        people = yield from reading.read(ids)
    except CallFailed:
        return [Unsure() for _ in ids]
    found = {one.id: one for one in people}
    return [
        Written(record=fields.read(found[one]), is_read_after=True)
        if one in found
        else Missing()
        for one in ids
    ]


def _moved(
    asked: Asked, *, otherwise: UpdateResult | None = None
) -> Operation[UpdateResult]:
    """Say what became of a party that was not written."""
    moved = yield from _all_moved({0: asked})
    return moved.get(0, otherwise or Moved())


def _all_moved(asked: dict[int, Asked]) -> Operation[dict[int, UpdateResult]]:
    """Return who is not as they were read, or gone."""
    people = yield from reading.read([one.before.id for one in asked.values()])
    now = {one.id: fields.read(one) for one in people}
    results: dict[int, UpdateResult] = {}
    for place, one in asked.items():
        record = now.get(one.before.id)
        if record is None:
            results[place] = Missing()
        elif record.version != fields.read(one.before).version:
            results[place] = Moved()
    return results


def _refused(field_id: FieldId | None) -> Refused:
    return Refused(code=ErrorCode.VALUE_REFUSED, field_id=field_id)


def _only(asked: Fields) -> FieldId | None:
    return next(iter(asked)) if len(asked) == 1 else None
