"""Making and changing contacts, alone and by the hundred.

Opting out of mail is a property that only the vendor writes. It belongs to the address
and is asked for by it, after the contact has the address.
"""

import urllib.parse
from collections.abc import Sequence
from typing import Final, TypeVar

import msgspec

from proto import codec
from proto.errors import ErrorCode
from proto.fields import Fields
from proto.ids import FieldId
from proto.record import Consent, Memberships, Presence
from services.connector.apps.hubspot import answers, batching, fields, joining, wire
from services.connector.apps.hubspot.catalogue import Catalogue, Definitions
from services.connector.apps.hubspot.lists import Lists
from services.connector.apps.hubspot.reading import PATH
from services.connector.errors import CallFailed, Meaning
from services.connector.port import (
    ANSWER_BYTES_MAX,
    Call,
    Change,
    CreateResult,
    Exists,
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

UNSUBSCRIBE: Final = "/communication-preferences/v4/statuses/{}/unsubscribe-all"
Values = dict[str, str]
T = TypeVar("T")
_TAKEN: Final = Refused(code=ErrorCode.ALREADY_EXISTS, field_id=fields.EMAIL)


class Writer:
    """Writes to the contacts of one account."""

    def __init__(self, catalogue: Catalogue, lists: Lists) -> None:
        self._catalogue = catalogue
        self._lists = lists

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Create one contact, and put it on its lists."""
        if (yield from self._lists.lacking(new.containers)):
            return joining.REFUSED
        definitions = yield from self._catalogue.get()
        values = _values(new.fields, definitions, is_new=True)
        if not isinstance(values, dict):
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=values)
        answer = yield Call(
            method="POST",
            path=PATH,
            body=codec.encode({"properties": values, "associations": []}),
            accepts=(201, 400, 409),
            is_write=True,
        )
        if answer.status != 201:
            problem = answers.problem_of(answer)
            if problem is None:
                raise answers.meaning_of(answer)
            if record_id := answers.existing_id(problem):
                return Exists(record_id=record_id)
            if answer.status == 400:
                return answers.refusal(problem)
            raise CallFailed(Meaning.BROKEN, "a conflict that names no contact")
        contact = answer.decode(wire.Contact)
        results: dict[int, CreateResult] = {
            0: (yield from self._made(contact, new, definitions=definitions))
        }
        yield from self._list_new(results, [new])
        return results[0]

    def create_many(
        self, news: Sequence[NewRecord]
    ) -> Operation[tuple[CreateResult, ...]]:
        """Create contacts in one call; one more for each opt-out and each list."""
        definitions = yield from self._catalogue.get()
        wanted = {each for new in news for each in new.containers}
        lacking = yield from self._lists.lacking(wanted)
        results: dict[int, CreateResult] = {}
        inputs: list[dict[str, object]] = []
        for place, new in enumerate(news):
            if not lacking.isdisjoint(new.containers):
                results[place] = joining.REFUSED
                continue
            values = _values(new.fields, definitions, is_new=True)
            if not isinstance(values, dict):
                results[place] = Refused(code=ErrorCode.VALUE_REFUSED, field_id=values)
                continue
            inputs.append(
                batching.traced(place, {"properties": values, "associations": []})
            )
        found = yield from batching.sent("create", inputs, status=201)
        for place, contact in found.contacts.items():
            if place < len(news):
                made = self._made(contact, news[place], definitions=definitions)
                results[place] = yield from _alone(made)
        for place, problem in found.problems.items():
            results[place] = _not_created(problem)
        yield from self._list_new(results, news)
        return tuple(results.get(place, Unsure()) for place in range(len(news)))

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Change one contact: its properties, then consent, then its lists."""
        if (yield from self._lists.lacking(change.memberships.containers_add)):
            return joining.REFUSED
        definitions = yield from self._catalogue.get()
        values = _asked(snapshot, change, definitions=definitions)
        if not isinstance(values, dict):
            return values
        before = _before(snapshot)
        contact = before
        if values:
            answer = yield Call(
                method="PATCH",
                path=f"{PATH}/{urllib.parse.quote(before.id, safe='')}",
                body=codec.encode({"properties": values}),
                accepts=(200, 400, 404, 409),
                is_write=True,
            )
            if answer.status != 200:
                problem = answers.problem_of(answer)
                if problem is None:
                    raise answers.meaning_of(answer)
                if answer.status == 404:
                    return Missing()
                if answer.status == 409 or problem.category == answers.CONFLICT:
                    return _TAKEN
                return answers.refusal(problem)
            contact = answer.decode(wire.Contact)
            if contact.id != before.id:
                raise CallFailed(Meaning.BROKEN, "another contact than asked for")
        update = Update(snapshot=snapshot, change=change)
        changed = self._changed(contact, update, definitions=definitions, values=values)
        results: dict[int, UpdateResult] = {0: (yield from changed)}
        yield from self._list_changed(results, [update])
        return results[0]

    def update_many(
        self, updates: Sequence[Update]
    ) -> Operation[tuple[UpdateResult, ...]]:
        """Change contacts in one call; one more for each opt-out and each list."""
        definitions = yield from self._catalogue.get()
        lacking = yield from self._lists.lacking(
            each for one in updates for each in one.change.memberships.containers_add
        )
        results: dict[int, UpdateResult] = {}
        asked: dict[int, Values] = {}
        contacts: dict[int, wire.Contact] = {}
        for place, one in enumerate(updates):
            if not lacking.isdisjoint(one.change.memberships.containers_add):
                results[place] = joining.REFUSED
                continue
            values = _asked(one.snapshot, one.change, definitions=definitions)
            if not isinstance(values, dict):
                results[place] = values
                continue
            asked[place] = values
            if not values:
                contacts[place] = _before(one.snapshot)
        ids = {place: updates[place].snapshot.record.record_id for place in asked}
        inputs = [
            batching.traced(place, {"id": ids[place], "properties": values})
            for place, values in asked.items()
            if values
        ]
        found = yield from batching.sent("update", inputs, status=200, ids=ids)
        for place, problem in found.problems.items():
            results[place] = _not_changed(problem)
        contacts |= found.contacts
        for place, contact in contacts.items():
            if contact.id == ids.get(place):
                changed = self._changed(
                    contact,
                    updates[place],
                    definitions=definitions,
                    values=asked[place],
                )
                results[place] = yield from _alone(changed)
        yield from self._list_changed(results, updates)
        return tuple(results.get(place, Unsure()) for place in range(len(updates)))

    def _list_new(
        self, results: dict[int, CreateResult], news: Sequence[NewRecord]
    ) -> Operation[None]:
        """Put who was made on lists; who cannot be is there, and half done."""
        made = {
            place: one.record
            for place, one in results.items()
            if isinstance(one, Written) and news[place].containers
        }
        wanted = {
            place: Memberships(containers_add=news[place].containers) for place in made
        }
        listed = yield from joining.listed(
            self._lists, made, wanted=wanted, written=made.keys()
        )
        for place, one in listed.items():
            results[place] = Unsure() if isinstance(one, Missing) else one

    def _list_changed(
        self, results: dict[int, UpdateResult], updates: Sequence[Update]
    ) -> Operation[None]:
        """Put who was changed on lists, or off some."""
        changes = {
            place: updates[place].change
            for place, one in results.items()
            if isinstance(one, Written)
        }
        wanted = {
            place: change.memberships
            for place, change in changes.items()
            if change.memberships
        }
        records = {
            place: one.record
            for place, one in results.items()
            if isinstance(one, Written) and place in wanted
        }
        written = [
            place
            for place, change in changes.items()
            if change.fields or change.consent is not Consent.UNKNOWN
        ]
        results |= yield from joining.listed(
            self._lists, records, wanted=wanted, written=written
        )

    def _made(
        self, contact: wire.Contact, new: NewRecord, *, definitions: Definitions
    ) -> Operation[CreateResult]:
        """Return a contact just made, kept from mail if that was asked for."""
        record = fields.read(contact, definitions)
        email = contact.properties.get(fields.EMAIL)
        if not fields.is_tight(new.consent) or fields.is_tight(record.consent):
            return Written(record=record)
        if not email:
            # Without an address there is nothing that could be mailed.
            return Written(record=record)
        yield from _unsubscribe(email)
        return Written(
            record=msgspec.structs.replace(record, consent=Consent.UNSUBSCRIBED)
        )

    def _changed(
        self,
        answered: wire.Contact,
        update: Update,
        *,
        definitions: Definitions,
        values: Values,
    ) -> Operation[UpdateResult]:
        """Return a contact just changed, with what the answer does not tell.

        Who said no to mail has said it of an address. With another one they still
        have, so that the new address is kept from mail as well.
        """
        before = _before(update.snapshot)
        contact = _completed(answered, before=before, values=values)
        containers = update.snapshot.record.containers
        record = fields.read(contact, definitions, containers=containers)
        email = contact.properties.get(fields.EMAIL)
        is_moved = bool(values.get(fields.EMAIL)) and email != before.properties.get(
            fields.EMAIL
        )
        was_tight = fields.is_tight(fields.read_consent(before))
        is_asked = fields.is_tight(update.change.consent) and not was_tight
        if email and (is_asked or (was_tight and is_moved)):
            yield from _unsubscribe(email)
            record = msgspec.structs.replace(record, consent=Consent.UNSUBSCRIBED)
        return Written(record=record)


def _alone(operation: Operation[T]) -> Operation[T | Unsure]:
    """Finish one of several; that it fails says nothing of the others."""
    try:
        return (yield from operation)
    except CallFailed:
        return Unsure()


def _unsubscribe(email: str) -> Operation[None]:
    """Keep an address from all mail; doing so twice is doing it once."""
    yield Call(
        method="POST",
        path=UNSUBSCRIBE.format(urllib.parse.quote(email, safe="")),
        query=(("channel", "EMAIL"),),
        is_write=True,
    )


def _before(snapshot: Snapshot) -> wire.Contact:
    return codec.decode(snapshot.raw, wire.Contact, bytes_max=ANSWER_BYTES_MAX)


def _asked(
    snapshot: Snapshot, change: Change, *, definitions: Definitions
) -> Values | Missing | Refused:
    """Return the properties to write, or why nothing is."""
    if snapshot.record.presence is not Presence.LIVE:
        return Missing()
    values = _values(change.fields, definitions)
    if not isinstance(values, dict):
        return Refused(code=ErrorCode.VALUE_REFUSED, field_id=values)
    email = values.get(fields.EMAIL, _before(snapshot).properties.get(fields.EMAIL))
    if fields.is_tight(change.consent) and not email and not values:
        # There is nothing that this could be said of.
        return Refused(code=ErrorCode.VALUE_REFUSED, field_id=fields.EMAIL)
    return values


def _values(
    asked: Fields, definitions: Definitions, *, is_new: bool = False
) -> Values | FieldId:
    """Return the properties that set fields, or the field that has no form."""
    values: Values = {}
    for field_id, value in asked.items():
        written = fields.write(field_id, value, definitions=definitions)
        if not isinstance(written, dict):
            return field_id
        values |= written
    # Nothing is to be emptied in a contact that does not exist yet.
    return {name: text for name, text in values.items() if text or not is_new}


def _completed(
    answered: wire.Contact, *, before: wire.Contact, values: Values
) -> wire.Contact:
    """Fill in what an update's answer does not show: all that was left as it was."""
    written = {name: text or None for name, text in values.items()}
    return msgspec.structs.replace(
        answered,
        properties={**before.properties, **written, **answered.properties},
        created_at=before.created_at,
    )


def _not_created(problem: wire.Problem) -> Exists | Refused | Unsure:
    match problem.category:
        case answers.CONFLICT:
            record_id = answers.existing_id(problem)
            return Exists(record_id=record_id) if record_id else Unsure()
        case answers.INVALID:
            return answers.refusal(problem)
    return Unsure()


def _not_changed(problem: wire.Problem) -> Missing | Refused | Unsure:
    match problem.category:
        case answers.CONFLICT:
            return _TAKEN
        case answers.NOT_FOUND:
            return Missing()
        case answers.INVALID:
            return answers.refusal(problem)
    return Unsure()
