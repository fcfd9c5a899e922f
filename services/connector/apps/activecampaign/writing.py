"""Making and changing contacts, and what they are on lists.

Nobody is put on a list but somebody new of whom the other app says that they want mail:
to be on a list is to be subscribed to it.
"""

from typing import Any, Final

import msgspec

from proto import codec
from proto.errors import ErrorCode
from proto.record import Consent, Memberships, Presence
from services.connector.apps.activecampaign import answers, fields, people, wire
from services.connector.apps.activecampaign.catalogue import Catalogue
from services.connector.apps.activecampaign.people import Person
from services.connector.apps.activecampaign.reading import Reader
from services.connector.errors import CallFailed, Meaning
from services.connector.port import (
    Call,
    Change,
    CreateResult,
    Exists,
    Missing,
    NewRecord,
    Operation,
    Refused,
    Snapshot,
    UpdateResult,
    Written,
)

ID_LENGTH_MAX: Final = 18
LEAVABLE: Final = (people.ACTIVE, people.UNCONFIRMED)
"""On lists with these statuses somebody is mailed, or will be once they confirm."""


class Writer:
    """Writes to the contacts of one account."""

    def __init__(self, catalogue: Catalogue, reader: Reader, *, prefix: str) -> None:
        self._catalogue = catalogue
        self._reader = reader
        self._prefix = prefix

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Create one contact; never over one with the address, as ``sync`` would."""
        definitions = yield from self._catalogue.get()
        body = fields.write(new.fields, definitions, is_new=True)
        if not isinstance(body, dict):
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=body)
        email = body.get(fields.EMAIL)
        if email is None:
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=fields.EMAIL)
        answer = yield self._call(
            "POST", "/contacts", body={"contact": body}, ok=(200, 201)
        )
        if answer.status >= 400:
            problem = answers.checked(answer)
            if not answers.is_duplicate(problem):
                return answers.refusal(problem)
            for record in (yield from self._reader.find_by_email([email])):
                return Exists(record_id=record.record_id)
            raise CallFailed(Meaning.BROKEN, "an address that nobody has is taken")
        person = people.written(answer.decode(wire.OneContact), body, before=None)
        if fields.is_tight(new.consent):
            person = yield from self._unsubscribe(person)
        elif new.consent is Consent.SUBSCRIBED:
            for list_id in new.containers:
                person = yield from self._set(person, list_id, status=people.ACTIVE)
        wanted = Memberships(tags_add=new.tags)
        person = yield from self._tag(person, wanted)
        return Written(record=fields.read(person, definitions))

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Change one contact: consent first, then what else was asked for."""
        if snapshot.record.presence is not Presence.LIVE:
            return Missing()
        definitions = yield from self._catalogue.get()
        body = fields.write(change.fields, definitions, is_new=False)
        if not isinstance(body, dict):
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=body)
        person = people.decode(snapshot.raw)
        if fields.is_tight(change.consent):
            person = yield from self._unsubscribe(person)
        if body:
            path = f"/contacts/{person.contact_id}"
            answer = yield self._call("PUT", path, body={"contact": body}, ok=(200,))
            if answer.status >= 400:
                problem = answers.checked(answer)
                if fields.is_tight(change.consent):
                    # The lists are left already: that must not count as undone.
                    raise CallFailed(Meaning.NO_ANSWER, "half of it was refused")
                return Missing() if answer.status == 404 else answers.refusal(problem)
            shown = answer.decode(wire.OneContact)
            if str(shown.contact.id) != person.contact_id:
                raise CallFailed(Meaning.BROKEN, "another contact than was changed")
            person = people.written(shown, body, before=person)
        person = yield from self._tag(person, change.memberships)
        return Written(record=fields.read(person, definitions))

    def _unsubscribe(self, person: Person) -> Operation[Person]:
        """Take somebody off all lists that would mail them.

        Who is on none is noted as unsubscribed on each, so that nobody puts them there
        unknowingly.
        """
        lists = [each for each, status in person.lists.items() if status in LEAVABLE]
        if not person.lists:
            lists = [*(yield from self._catalogue.lists())]
        for list_id in lists:
            person = yield from self._set(person, list_id, status=people.UNSUBSCRIBED)
        return person

    def _set(self, person: Person, list_id: str, *, status: str) -> Operation[Person]:
        asked = {"list": list_id, "contact": person.contact_id, "status": status}
        answer = yield self._call(
            "POST", "/contactLists", body={"contactList": asked}, ok=(200, 201)
        )
        if answer.status >= 400:
            answers.checked(answer)
            raise CallFailed(Meaning.REFUSED, "a list's status is refused")
        return people.with_lists(person, [list_id], status=status)

    def _tag(self, person: Person, wanted: Memberships) -> Operation[Person]:
        """Give and take tags, one a call."""
        tags = dict(person.tags)
        for name in wanted.tags_add:
            if name in tags:
                continue
            tag_id = yield from self._catalogue.tag_id(name)
            asked = {"contact": _number(person.contact_id), "tag": _number(tag_id)}
            answer = yield self._call(
                "POST", "/contactTags", body={"contactTag": asked}, ok=(200, 201)
            )
            if answer.status >= 400:
                self._catalogue.doubt_tags()
                raise CallFailed(Meaning.BROKEN, "a tag that is not there")
            tags[name] = str(answer.decode(wire.OneTagging).contact_tag.id)
        for name in wanted.tags_remove:
            tagging_id = tags.pop(name, None)
            if tagging_id is not None:
                # What is gone already is as good as taken.
                yield Call(
                    method="DELETE",
                    path=f"{self._prefix}/contactTags/{tagging_id}",
                    accepts=(200, 404),
                    is_write=True,
                )
        return msgspec.structs.replace(person, tags=tags)

    def _call(
        self, method: str, path: str, *, body: dict[str, Any], ok: tuple[int, ...]
    ) -> Call:
        """Return a write whose refusals the caller deals with."""
        return Call(
            method=method,
            path=self._prefix + path,
            body=codec.encode(body),
            accepts=(*ok, 400, 404, 422),
            is_write=True,
        )


def _number(text: str) -> int:
    """Return an id as taggings are described to take it; elsewhere it is text."""
    if not (text.isascii() and text.isdigit() and len(text) <= ID_LENGTH_MAX):
        raise CallFailed(Meaning.BROKEN, "an id that is no number")
    return int(text)
