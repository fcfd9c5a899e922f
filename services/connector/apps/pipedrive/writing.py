"""Writing persons, one by one: there are no batches of persons."""

from collections.abc import Sequence
from typing import Any, Final

import msgspec

from proto import codec
from proto.errors import ErrorCode
from proto.record import Consent, Memberships, Presence
from services.connector.apps.pipedrive import answers, fields, wire
from services.connector.apps.pipedrive.catalogue import Catalogue
from services.connector.apps.pipedrive.reading import PATH
from services.connector.errors import CallFailed, Meaning
from services.connector.port import (
    Answer,
    Call,
    Change,
    CreateResult,
    Missing,
    NewRecord,
    Operation,
    Refused,
    Snapshot,
    UpdateResult,
    Written,
)

LABEL_MAX: Final = 255


class Writer:
    """Writes to the persons of one account."""

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Create one person, who has consented to nothing unless they said no."""
        definitions = yield from self._catalogue.get()
        body = fields.write(new.fields, definitions)
        if not isinstance(body, dict):
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=body)
        body = _without_empties(body)
        if fields.is_tight(new.consent):
            body |= fields.no(definitions)
        if new.tags:
            labels = yield from self._labels((), Memberships(tags_add=new.tags))
            if labels is None:
                return Refused(code=ErrorCode.APP_REFUSED)
            body["label_ids"] = labels
        answer = yield Call(
            method="POST",
            path=PATH,
            body=codec.encode(body),
            accepts=(200, 201, 400),
            is_write=True,
        )
        if answer.status == 400:
            answers.check_vendors(answer)
            return answers.REFUSED
        return (yield from self._written(answer))

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Change one person; what is not mentioned stays."""
        if snapshot.record.presence is not Presence.LIVE:
            return Missing()
        definitions = yield from self._catalogue.get()
        body = fields.write(change.fields, definitions)
        if not isinstance(body, dict):
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=body)
        before = snapshot.record
        if fields.is_tight(change.consent) and not fields.is_tight(before.consent):
            if not definitions.has_campaigns:
                # The company sends no mail by the vendor, which has no word for it.
                return Refused(code=ErrorCode.APP_REFUSED)
            body |= fields.no(definitions)
        if change.memberships:
            held = codec.decode(snapshot.raw, tuple[int, ...])
            labels = yield from self._labels(held, change.memberships)
            if labels is None:
                return Refused(code=ErrorCode.APP_REFUSED)
            body["label_ids"] = labels
        if not body:
            return Written(record=before)
        answer = yield Call(
            method="PATCH",
            path=f"{PATH}/{before.record_id}",
            body=codec.encode(body),
            accepts=(200, 400, 404, 410),
            is_write=True,
        )
        if answer.status != 200:
            answers.check_vendors(answer)
            return answers.REFUSED if answer.status == 400 else Missing()
        written = yield from self._written(answer, consent=before.consent)
        if written.record.record_id != before.record_id:
            raise CallFailed(Meaning.BROKEN, "another person than was changed")
        return written

    def _labels(
        self, held: Sequence[int], asked: Memberships
    ) -> Operation[list[int] | None]:
        """Return all labels of a person, since they are replaced together.

        None where a label cannot be, or there is no field for them.
        """
        if any(not 1 <= len(name) <= LABEL_MAX for name in asked.tags_add):
            return None
        added = yield from self._catalogue.labels(asked.tags_add)
        if added is None:
            return None
        known = yield from self._catalogue.get()
        gone = {each for name in asked.tags_remove for each in known.label_ids(name)}
        kept = [each for each in held if each not in gone]
        return list(dict.fromkeys([*kept, *added.values()]))

    def _written(
        self, answer: Answer, *, consent: Consent = Consent.UNKNOWN
    ) -> Operation[Written]:
        """Return the app's own answer.

        Args:
            consent: As it was, where the answer does not tell: whether a change of it
                was taken, the answer alone says.
        """
        person = answer.decode(wire.OnePerson).data
        definitions = yield from self._catalogue.fitting((person,))
        record = fields.read(person, definitions)
        if person.marketing_status is None:
            record = msgspec.structs.replace(record, consent=consent)
        return Written(record=record)


def _without_empties(body: dict[str, Any]) -> dict[str, Any]:
    """Leave out what is empty: nothing is to be emptied in somebody new."""
    custom = body.pop("custom_fields", {})
    told = {name: value for name, value in body.items() if value}
    custom = {code: value for code, value in custom.items() if value is not None}
    return told | ({"custom_fields": custom} if custom else {})
