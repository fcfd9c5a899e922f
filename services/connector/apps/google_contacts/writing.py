"""Making and changing contacts, alone and by the hundred.

An update replaces whole fields, so that it is made of the contact as it was read and
carries its tag: who was changed since is not written to. A batch replaces the same
fields of everybody, and is done for all or for nobody.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, TypeVar

import msgspec

from proto import codec
from proto.errors import ErrorCode
from proto.fields import Fields
from proto.ids import FieldId
from proto.record import Memberships, Presence
from services.connector.apps.google_contacts import answers, entries, fields, wire
from services.connector.apps.google_contacts.labels import MY_CONTACTS, Labels
from services.connector.apps.google_contacts.reading import ASKED, SOURCE
from services.connector.apps.google_contacts.wire import Entry
from services.connector.errors import CallFailed, Meaning
from services.connector.port import (
    ANSWER_BYTES_MAX,
    Answer,
    Call,
    Change,
    CreateResult,
    Missing,
    NewRecord,
    Operation,
    Refused,
    Snapshot,
    Unsure,
    Update,
    UpdateResult,
    Written,
)

TRIES_MAX: Final = 3
"""How often a batch is sent without those because of whom it was refused."""
Body: TypeAlias = dict[str, Any]
T = TypeVar("T")


class Asked(msgspec.Struct, frozen=True, kw_only=True):
    """One update, worked out: the contact as read, and its fields as they shall be."""

    name: str
    before: Body
    changed: dict[str, list[Entry]]
    field_id: FieldId | None = None
    """The only field that was asked for, where there is only one."""

    def body(self, mask: Sequence[str]) -> Body:
        """Return what to send, where a mask may hold more than is to be changed."""
        sources = self.before.get("metadata", {}).get("sources", [])
        found: Body = {
            "etag": self.before.get("etag", ""),
            "metadata": {"sources": sources},
        }
        for field in mask:
            kept = self.changed[field] if field in self.changed else self._kept(field)
            if kept:
                found[field] = kept
        return found

    def _kept(self, field: str) -> list[Entry]:
        held = self.before.get(field, [])
        if field == "memberships":
            return fields.memberships_of(fields.groups_of(held))
        return entries.resent(held, field=field)


class Writer:
    """Writes to the contacts of one account."""

    def __init__(self, labels: Labels) -> None:
        self._labels = labels

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Create one contact."""
        body = yield from self._new(new)
        if isinstance(body, Refused):
            return body
        answer = yield Call(
            method="POST",
            path="/people:createContact",
            query=ASKED,
            body=codec.encode(body),
            accepts=(200, 400),
            is_write=True,
        )
        if answer.status == 400:
            answers.own_error(answer)
            self._labels.doubt()
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=_only(new.fields))
        return self._written(answer.body)

    def create_many(
        self, news: Sequence[NewRecord]
    ) -> Operation[tuple[CreateResult, ...]]:
        """Create contacts, all in one call."""
        results: dict[int, CreateResult] = {}
        bodies: dict[int, Body] = {}
        for place, new in enumerate(news):
            body = yield from self._new(new)
            if isinstance(body, Refused):
                results[place] = body
            else:
                bodies[place] = body

        def ask(left: Sequence[int]) -> Call:
            contacts = [{"contactPerson": bodies[place]} for place in left]
            return _batch(
                "batchCreateContacts", {"contacts": contacts, "readMask": wire.MASK}
            )

        left, answer, refused = yield from self._done(
            list(bodies), ask, name_of=lambda place, left: str(left.index(place))
        )
        for place in refused:
            code, only = ErrorCode.VALUE_REFUSED, _only(news[place].fields)
            results[place] = Refused(code=code, field_id=only)
        if answer is not None:
            told = answer.decode(wire.Created).created_people
            shown = _paired(told, [news[place].marker for place in left])
            for place, one in zip(left, shown, strict=True):
                results[place] = self._result(one)
        return tuple(results[place] for place in range(len(news)))

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Change one contact; what is not mentioned stays."""
        asked = yield from self._asked(snapshot, change)
        if not isinstance(asked, Asked):
            return asked
        if not asked.changed:
            return Written(record=snapshot.record)
        return (yield from self._update(asked))

    def update_many(
        self, updates: Sequence[Update]
    ) -> Operation[tuple[UpdateResult, ...]]:
        """Change contacts, all in one call; who is refused in it is tried alone.

        For the call has a field of everybody that one of them is to be changed in, and
        what is refused may be what was there before.
        """
        results: dict[int, UpdateResult] = {}
        todo: dict[int, Asked] = {}
        for place, update in enumerate(updates):
            asked = yield from self._asked(update.snapshot, update.change)
            if not isinstance(asked, Asked):
                results[place] = asked
            elif asked.changed:
                todo[place] = asked
            else:
                results[place] = Written(record=update.snapshot.record)

        def ask(left: Sequence[int]) -> Call:
            mask = sorted({field for place in left for field in todo[place].changed})
            contacts = {todo[place].name: todo[place].body(mask) for place in left}
            body = {"contacts": contacts, "updateMask": ",".join(mask)}
            return _batch("batchUpdateContacts", body | {"readMask": wire.MASK})

        left, answer, refused = yield from self._done(
            list(todo), ask, name_of=lambda place, _left: todo[place].name
        )
        if answer is not None:
            told = answer.decode(wire.Updated).update_result
            for place in left:
                one = told.get(todo[place].name)
                results[place] = self._result(one)
        for place, code in refused.items():
            outcome: UpdateResult = answers.not_written(code)
            if isinstance(outcome, Refused):
                outcome = yield from _alone(self._update(todo[place]))
            results[place] = outcome
        return tuple(results[place] for place in range(len(updates)))

    def _done(
        self,
        todo: Sequence[int],
        ask: Callable[[Sequence[int]], Call],
        *,
        name_of: Callable[[int, Sequence[int]], str],
    ) -> Operation[tuple[Sequence[int], Answer | None, dict[int, int]]]:
        """Have a batch done without those because of whom it is not.

        Returns:
            Who was in it, the answer, and the codes of those who were left out.

        Raises:
            CallFailed: Nothing of it is done, or nobody knows.
        """
        refused: dict[int, int] = {}
        for _ in range(TRIES_MAX):
            left = [place for place in todo if place not in refused]
            if not left:
                return (), None, refused
            answer = yield ask(left)
            if answer.status == 200:
                return left, answer, refused
            errors = answers.errors_of_batch(answer)
            self._labels.doubt()
            found = {
                place: errors[name]
                for place in left
                if (name := name_of(place, left)) in errors
            }
            if not found:
                raise CallFailed(Meaning.BROKEN, "a batch refused because of nobody")
            refused |= found
        raise CallFailed(Meaning.REFUSED, "a batch that is refused again and again")

    def _update(self, asked: Asked) -> Operation[UpdateResult]:
        mask = sorted(asked.changed)
        answer = yield Call(
            method="PATCH",
            path=f"/{asked.name}:updateContact",
            query=(("updatePersonFields", ",".join(mask)), *ASKED),
            body=codec.encode(asked.body(mask)),
            accepts=(200, 400, 404),
            is_write=True,
        )
        if answer.status == 200:
            return self._written(answer.body)
        error = answers.own_error(answer)
        if answer.status == 404:
            return Missing()
        self._labels.doubt()
        code = answers.FAILED_PRECONDITION if error.status == answers.MOVED else 0
        return answers.not_written(code, field_id=asked.field_id)

    def _new(self, new: NewRecord) -> Operation[Body | Refused]:
        """Return a contact to be made; nothing is emptied in one that is not there."""
        told: Fields = {
            name: value for name, value in new.fields.items() if value is not None
        }
        changed = fields.write(told, lambda _field: ())
        if not isinstance(changed, dict):
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=changed)
        groups = yield from self._labels.changed(
            [MY_CONTACTS], Memberships(tags_add=new.tags)
        )
        if isinstance(groups, Refused):
            return groups
        body: Body = {name: held for name, held in changed.items() if held}
        body["memberships"] = fields.memberships_of(groups)
        if new.marker:
            body["clientData"] = [{"key": fields.MARKER_KEY, "value": new.marker}]
        return body

    def _asked(
        self, snapshot: Snapshot, change: Change
    ) -> Operation[Asked | Missing | Refused]:
        """Return an update, or why there is none."""
        if snapshot.record.presence is not Presence.LIVE:
            return Missing()
        before = codec.decode(snapshot.raw, Body, bytes_max=ANSWER_BYTES_MAX)
        changed = fields.write(change.fields, lambda field: before.get(field, ()))
        if not isinstance(changed, dict):
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=changed)
        wanted = change.memberships
        held = fields.groups_of(before.get("memberships", ()))
        # Before it is written, since the answer shows the labels, too.
        yield from self._labels.for_groups(held)
        if wanted.tags_add or wanted.tags_remove:
            groups = yield from self._labels.changed(held, wanted)
            if isinstance(groups, Refused):
                return groups
            if not groups:
                # Somebody in no group would be no contact any more.
                return Refused(code=ErrorCode.VALUE_REFUSED)
            if groups != held:
                changed["memberships"] = fields.memberships_of(groups)
        return Asked(
            name=snapshot.record.record_id,
            before=before,
            changed=changed,
            field_id=_only(change.fields),
        )

    def _result(self, told: wire.Response | None) -> Written | Unsure:
        """Return what became of one of a batch that was done."""
        if told is None or not told.person:
            return Unsure()
        return self._written(bytes(told.person))

    def _written(self, raw: bytes) -> Written:
        """Return a contact as the vendor now shows it, without another call.

        Its labels are known: they are those that it had when it was read, or was given.
        """
        return Written(record=fields.read(wire.person(raw), self._labels.names))


def _batch(verb: str, body: Mapping[str, object]) -> Call:
    name, source = SOURCE
    return Call(
        method="POST",
        path=f"/people:{verb}",
        body=codec.encode({**body, name: [source]}),
        accepts=(200, 400),
        is_write=True,
    )


def _paired(
    told: Sequence[wire.Response], markers: Sequence[str]
) -> Iterator[wire.Response | None]:
    """Yield what is told of each new contact: by our marks, or else by their order."""
    if all(markers):
        by_marker = {
            fields.marker_of(wire.person(bytes(one.person)).client_data): one
            for one in told
            if one.person
        }
        yield from (by_marker.get(marker) for marker in markers)
    elif len(told) == len(markers):
        yield from told
    else:
        yield from (None for _ in markers)


def _only(asked: Mapping[FieldId, object]) -> FieldId | None:
    return next(iter(asked)) if len(asked) == 1 else None


def _alone(operation: Operation[T]) -> Operation[T | Unsure]:
    """Finish one of several; that it fails says nothing of the others."""
    try:
        return (yield from operation)
    except CallFailed:
        return Unsure()
