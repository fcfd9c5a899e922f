"""Making members, alone and by the hundred, and changing them one by one.

Nothing here makes anybody a subscriber who is there already: an update names no status
but "unsubscribed", and a batch leaves those alone whom the audience has
(``update_existing`` would set their status). Nor does it make who is archived.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from proto import codec
from proto.errors import ErrorCode
from proto.ids import ContainerId
from proto.record import Memberships, Presence, Record
from services.connector.apps.mailchimp import answers, fields, names, wire
from services.connector.apps.mailchimp.archived import Archive
from services.connector.apps.mailchimp.audiences import (
    Audience,
    Catalogue,
)
from services.connector.apps.mailchimp.reading import Reader
from services.connector.errors import CallFailed, Meaning
from services.connector.port import (
    ANSWER_BYTES_MAX,
    Alone,
    BatchResult,
    Call,
    Change,
    CreateResult,
    Exists,
    Missing,
    Moved,
    NewRecord,
    Operation,
    Refused,
    Snapshot,
    Unsure,
    UpdateResult,
    Written,
)

_LENIENT: Final = (("skip_merge_validation", "true"),)
"""A field that the audience requires and nobody mentions is no reason to refuse."""


class _Ready(NamedTuple):
    """Somebody new, as one member of one audience."""

    new: NewRecord
    list_id: str
    hash: str
    body: dict[str, object]


class Writer:
    """Writes to the members of one account."""

    def __init__(
        self, catalogue: Catalogue, reader: Reader, *, archive: Archive
    ) -> None:
        self._catalogue = catalogue
        self._reader = reader
        self._archive = archive

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Create one member, if nobody has the address, archived or not."""
        ready = yield from self._ready(new)
        if isinstance(ready, Refused):
            return ready
        there = yield from self._existing(ready.list_id, ready.hash)
        if there is not None:
            return there
        answer = yield Call(
            method="POST",
            path=f"/lists/{ready.list_id}/members",
            query=_LENIENT,
            body=codec.encode(ready.body),
            accepts=(200, 400),
            is_write=True,
        )
        if answer.status == 400:
            problem = answers.checked(answer)
            if problem.title == answers.MEMBER_EXISTS:
                there = yield from self._existing(ready.list_id, ready.hash)
                return there or Unsure()
            known = yield from self._catalogue.fields_of(ready.list_id)
            return answers.refusal(problem, known)
        return (yield from self._made(ready, answer.decode(wire.Member)))

    def together(self, news: Sequence[NewRecord]) -> list[list[int]]:
        """Return who may be made together: those of one audience, if it saves calls."""
        groups: dict[str, list[int]] = {}
        for place, new in enumerate(news):
            audience = _place(new.containers, self._catalogue.known)
            groups.setdefault(audience.list_id if audience else "", []).append(place)
        return [
            own
            for list_id, own in groups.items()
            if self._archive.is_worth(list_id, len(own))
        ]

    def create_many(
        self, news: Sequence[NewRecord]
    ) -> Operation[tuple[BatchResult, ...]]:
        """Create members in one call for each audience, and read their ids.

        Who may be archived is to be created alone, which looks for them.
        """
        results: dict[int, BatchResult] = {}
        batches: dict[str, dict[str, int]] = {}
        readies: dict[int, _Ready] = {}
        for place, new in enumerate(news):
            ready = yield from self._ready(new)
            if isinstance(ready, Refused):
                results[place] = ready
                continue
            readies[place] = ready
            # An address comes once in a batch, or the vendor refuses it whole. What is
            # left out is answered as not told of, and looked for.
            batches.setdefault(ready.list_id, {}).setdefault(ready.hash, place)
        for list_id, places in batches.items():
            suspects = yield from self._archive.suspects(list_id, [*places])
            results |= {places.pop(name): Alone() for name in suspects}
            if places:
                results |= yield from self._send(list_id, places, readies=readies)
        return tuple(results.get(place, Unsure()) for place in range(len(news)))

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Change one member; what is not mentioned stays, their status too."""
        if snapshot.record.presence is not Presence.LIVE:
            return Missing()
        list_id = snapshot.record.record_id.partition("/")[0]
        known = yield from self._catalogue.fields_of(list_id)
        asked = fields.write(change.fields, fields=known, is_new=False)
        if not isinstance(asked, fields.Body):
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=asked)
        body = _body(asked)
        if fields.is_tight(change.consent):
            body["status"] = fields.UNSUBSCRIBED
        member = codec.decode(snapshot.raw, wire.Member, bytes_max=ANSWER_BYTES_MAX)
        record = snapshot.record
        if body:
            answer = yield Call(
                method="PATCH",
                path=f"/lists/{list_id}/members/{member.contact_id}",
                query=_LENIENT,
                body=codec.encode(body),
                accepts=(200, 400, 404),
                is_write=True,
            )
            if answer.status == 404:
                answers.checked(answer)
                return Missing()
            if answer.status == 400:
                return answers.refusal(answers.checked(answer), known)
            before, member = member, answer.decode(wire.Member)
            if member.contact_id != before.contact_id:
                raise CallFailed(Meaning.BROKEN, "another member than was changed")
            record = fields.with_tags(
                fields.read(member, list_id=list_id, fields=known), record.tags
            )
        if change.memberships:
            tagged = yield from self._tag(
                member, record=record, wanted=change.memberships
            )
            if tagged is None:
                if body:
                    raise CallFailed(Meaning.BROKEN, "a member whose hash is nobody's")
                # Tags go by the address, and that is another's by now, or nobody's.
                return Moved()
            record = tagged
        return Written(record=record)

    def _ready(self, new: NewRecord) -> Operation[_Ready | Refused]:
        """Return somebody new as the vendor takes them, or why not."""
        audiences = yield from self._catalogue.get()
        audience = _place(new.containers, audiences)
        if audience is None:
            return Refused(code=ErrorCode.NOT_FOUND)
        known = yield from self._catalogue.fields_of(audience.list_id)
        asked = fields.write(new.fields, fields=known, is_new=True)
        if not isinstance(asked, fields.Body):
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=asked)
        if asked.email is None:
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=fields.EMAIL)
        status = fields.status_of(new.consent, audience)
        body = _body(asked) | {"status": status}
        return _Ready(new, audience.list_id, names.hash_of(asked.email), body)

    def _send(
        self,
        list_id: str,
        places: Mapping[str, int],
        *,
        readies: Mapping[int, _Ready],
    ) -> Operation[dict[int, CreateResult]]:
        """Send one audience's batch; each is answered for itself, by address."""
        answer = yield Call(
            method="POST",
            path=f"/lists/{list_id}",
            query=_LENIENT,
            body=codec.encode(
                {
                    "members": [readies[place].body for place in places.values()],
                    "update_existing": False,
                }
            ),
            is_write=True,
        )
        batch = answer.decode(wire.Batch)
        known = yield from self._catalogue.fields_of(list_id)
        results: dict[int, CreateResult] = {}
        for error in batch.errors:
            place = places.get(names.hash_of(error.email_address))
            if place is None:
                continue
            if error.error_code == answers.EXISTS_CODE:
                name = readies[place].hash
                there = yield from self._existing(list_id, name)
                results[place] = there or Unsure()
            else:
                results[place] = answers.refusal_in_batch(error, known)
        made = {one.id: one for one in batch.new_members if one.id in places}
        is_told = all(one.contact_id for one in made.values())
        if not is_told:
            # What the description shows of a batch's answer has no ids that stay.
            shown = yield from self._reader.newest(list_id, set(made))
            made = {one.id: one for one in shown}
        for name, member in made.items():
            place = places[name]
            try:
                results[place] = yield from self._made(
                    readies[place], member, is_told=is_told
                )
            except CallFailed:
                # That this one is not finished says nothing of the others.
                results[place] = Unsure()
        return results

    def _made(
        self, ready: _Ready, member: wire.Member, *, is_told: bool = True
    ) -> Operation[CreateResult]:
        """Return a member just made, with the tags that were asked for.

        Not in the call that makes them: tags alone can be given without starting what
        the account does by itself to whoever gets one.

        Args:
            is_told: The answer showed the member, who was not read after it.
        """
        record = yield from self._reader.record(ready.list_id, member)
        wanted = Memberships(tags_add=ready.new.tags)
        if not wanted:
            return Written(record=record, is_read_after=not is_told)
        tagged = yield from self._tag(member, record=record, wanted=wanted)
        if tagged is None:
            raise CallFailed(Meaning.BROKEN, "a new member whose hash is nobody's")
        return Written(record=tagged, is_read_after=not is_told)

    def _tag(
        self, member: wire.Member, *, record: Record, wanted: Memberships
    ) -> Operation[Record | None]:
        """Give and take tags, without starting automations; None: nobody is there."""
        list_id = record.record_id.partition("/")[0]
        asked = [
            *({"name": name, "status": "active"} for name in wanted.tags_add),
            *({"name": name, "status": "inactive"} for name in wanted.tags_remove),
        ]
        answer = yield Call(
            method="POST",
            path=f"/lists/{list_id}/members/{member.id}/tags",
            body=codec.encode({"tags": asked, "is_syncing": True}),
            accepts=(204, 404),
            is_write=True,
        )
        if answer.status == 404:
            answers.checked(answer)
            return None
        held = dict.fromkeys((*record.tags, *wanted.tags_add))
        removed = set(wanted.tags_remove)
        return fields.with_tags(record, (name for name in held if name not in removed))

    def _existing(self, list_id: str, name: str) -> Operation[Exists | Unsure | None]:
        """Return who has an address, archived or not; None: nobody."""
        member = yield from self._reader.member(list_id, name)
        if member is None:
            return None
        if not member.contact_id:
            return Unsure()
        return Exists(record_id=fields.record_id_of(list_id, member))


def _place(
    containers: Sequence[ContainerId], audiences: Mapping[str, Audience]
) -> Audience | None:
    """Return the audience that somebody new goes to; None if that is not clear."""
    if len(containers) == 1:
        return audiences.get(containers[0])
    if containers or len(audiences) != 1:
        return None
    return next(iter(audiences.values()))


def _body(asked: fields.Body) -> dict[str, object]:
    """Return what sets fields, and nothing else."""
    body: dict[str, object] = {}
    if asked.email is not None:
        body["email_address"] = asked.email
    if asked.merge_fields:
        body["merge_fields"] = asked.merge_fields
    return body
