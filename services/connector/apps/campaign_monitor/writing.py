"""Writing subscribers: imports of new ones, changes one by one, and unsubscribes.

Nobody is ever subscribed anew: every write says ``Resubscribe: false``, and nobody is
put on a list of whom it is not known that they agreed to mail.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from proto import codec
from proto.errors import ErrorCode
from proto.fields import Fields
from proto.record import Consent, Presence
from services.connector.apps.campaign_monitor import (
    answers,
    catalogue,
    fields,
    wire,
)
from services.connector.apps.campaign_monitor.catalogue import Catalogue
from services.connector.apps.campaign_monitor.fields import Definitions
from services.connector.errors import CallFailed, Meaning
from services.connector.port import (
    ANSWER_BYTES_MAX,
    Answer,
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
    UpdateResult,
    Written,
)

NEW_MAY_BE_TRACKED: Final = "No"
"""Nobody asked them."""
TRACKED_AS_BEFORE: Final = "Unchanged"
ACTIVE: Final = "Active"
UNSUBSCRIBED: Final = "Unsubscribed"
_NOBODY = wire.Subscriber(email_address="", state=ACTIVE)
_VALUE_REFUSED = Refused(code=ErrorCode.VALUE_REFUSED)


class Writer:
    """Writes to the lists of one account."""

    def __init__(self, lists: Catalogue) -> None:
        self._catalogue = lists

    def create(self, new: NewRecord) -> Operation[CreateResult]:
        """Put one person on a list, by an import: that is done at once."""
        (result,) = yield from self.create_many((new,))
        return result

    def create_many(
        self, news: Sequence[NewRecord]
    ) -> Operation[tuple[CreateResult, ...]]:
        """Put people on lists, in one call for each list."""
        results: dict[int, CreateResult] = {}
        wanted: dict[str, dict[int, NewRecord]] = {}
        for place, new in enumerate(news):
            list_id = yield from self._list_of(new)
            if new.consent is not Consent.SUBSCRIBED:
                # There is no way to be on a list and get no mail, but to say no.
                results[place] = Refused(code=ErrorCode.APP_REFUSED)
            elif list_id is None:
                results[place] = _VALUE_REFUSED
            else:
                wanted.setdefault(list_id, {})[place] = new
        for list_id, own in wanted.items():
            results |= yield from self._import(list_id, own)
        return tuple(results.get(place, Unsure()) for place in range(len(news)))

    def update(self, snapshot: Snapshot, change: Change) -> Operation[UpdateResult]:
        """Change one subscriber; who said no to mail goes ahead of everything else."""
        if snapshot.record.presence is not Presence.LIVE:
            return Missing()
        parts = fields.parts_of(snapshot.record.record_id)
        assert parts is not None, "a record that was read has an id of ours"
        list_id, _ = parts
        before = _before(snapshot)
        definitions = yield from self._catalogue.definitions(list_id)
        body = fields.write(change.fields, definitions=definitions, before=before)
        if not isinstance(body, dict):
            return Refused(code=ErrorCode.VALUE_REFUSED, field_id=body)
        is_out = fields.is_tight(change.consent) and not fields.is_tight(
            fields.read_consent(before)
        )
        if is_out:
            refused = yield from _unsubscribe(list_id, before.email_address)
            if refused is not None:
                return refused
            before = msgspec.structs.replace(before, state=UNSUBSCRIBED)
        if change.fields:
            refused = yield from _put(list_id, body, before=before)
            if refused is not None:
                # Half of it is done, which the record as it is now will tell.
                return Unsure() if is_out else refused
        return _written(
            change.fields, before=before, list_id=list_id, definitions=definitions
        )

    def _list_of(self, new: NewRecord) -> Operation[str | None]:
        """Return where somebody is to be; None where that is not clear."""
        lists = yield from self._catalogue.lists()
        if not new.containers:
            return next(iter(lists)) if len(lists) == 1 else None
        (list_id, *others) = new.containers
        return str(list_id) if list_id in lists and not others else None

    def _import(
        self, list_id: str, news: Mapping[int, NewRecord]
    ) -> Operation[dict[int, CreateResult]]:
        """Put people on one list; each is answered for by the address."""
        definitions = yield from self._catalogue.definitions(list_id)
        results: dict[int, CreateResult] = {}
        bodies: dict[str, dict[str, Any]] = {}
        places: dict[str, int] = {}
        for place, new in news.items():
            body = fields.write(new.fields, definitions=definitions, before=None)
            if isinstance(body, dict) and not body.get(fields.EMAIL):
                body = fields.EMAIL
            if not isinstance(body, dict):
                results[place] = Refused(code=ErrorCode.VALUE_REFUSED, field_id=body)
                continue
            email = str(body[fields.EMAIL]).lower()
            if email in bodies:
                results[place] = answers.refusal(answers.TAKEN)
                continue
            bodies[email], places[email] = body, place
        if not bodies:
            return results
        answer = yield _importing(list_id, tuple(bodies.values()))
        imported = _imported(answer, count=len(bodies))
        failed = {
            one.email_address.lower(): one.code for one in imported.failure_details
        }
        for email, place in places.items():
            code = failed.get(email)
            if code is None and not imported.is_of_new_alone:
                # Somebody was there already and was changed, and it does not say who:
                # a look tells what each of them is now.
                results[place] = Unsure()
            elif code is None:
                results[place] = _written(
                    news[place].fields,
                    before=_NOBODY,
                    list_id=list_id,
                    definitions=definitions,
                )
            elif code in answers.THERE:
                results[place] = Exists(record_id=fields.record_id_of(list_id, email))
            else:
                results[place] = answers.refusal(code)
        return results


def _importing(list_id: str, bodies: Sequence[dict[str, Any]]) -> Call:
    asked = {
        "Subscribers": [
            # No name rather than an empty one: whoever is there by now keeps theirs.
            {**_named(body), "ConsentToTrack": NEW_MAY_BE_TRACKED}
            for body in bodies
        ],
        "Resubscribe": False,
        "QueueSubscriptionBasedAutoresponders": False,
        "RestartSubscriptionBasedAutoresponders": False,
    }
    return Call(
        method="POST",
        path=f"/subscribers/{catalogue.quoted(list_id)}/import.json",
        body=codec.encode(asked),
        accepts=(200, 201, 400),
        is_write=True,
    )


def _named(body: dict[str, Any]) -> dict[str, Any]:
    """Return somebody new without a name that is empty."""
    return {key: one for key, one in body.items() if key != fields.NAME or one}


def _imported(answer: Answer, *, count: int) -> wire.Imported:
    """Return what became of so many.

    Raises:
        CallFailed: Nothing was done; or it is not told of how many it was.
    """
    if answer.status != 400:
        imported = answer.decode(wire.Imported)
    elif answers.code_of(answer) == answers.DONE_IN_PART:
        imported = answer.decode(wire.DoneInPart).result_data
    else:
        raise answers.meaning_of(answer)
    if imported.total_unique_emails_submitted != count:
        raise CallFailed(Meaning.BROKEN, "an import of others than were sent")
    return imported


def _unsubscribe(list_id: str, email: str) -> Operation[Missing | Refused | None]:
    """Take somebody off by the vendor's own call, which also tells its own lists."""
    answer = yield Call(
        method="POST",
        path=f"/subscribers/{catalogue.quoted(list_id)}/unsubscribe.json",
        body=codec.encode({"EmailAddress": email}),
        accepts=(200, 400),
        is_write=True,
    )
    return None if answer.status == 200 else _not_changed(answer)


def _put(
    list_id: str, body: dict[str, Any], *, before: wire.Subscriber
) -> Operation[Missing | Refused | None]:
    """Change a subscriber; the name is sent along, because no page says that it stays.

    An address is changed by naming the old one beside the new.
    """
    asked = {
        fields.EMAIL: before.email_address,
        fields.NAME: before.name or "",
        **body,
        "Resubscribe": False,
        "RestartSubscriptionBasedAutoresponders": False,
        "ConsentToTrack": TRACKED_AS_BEFORE,
    }
    answer = yield Call(
        method="PUT",
        path=f"/subscribers/{catalogue.quoted(list_id)}.json",
        query=(("email", before.email_address),),
        body=codec.encode(asked),
        accepts=(200, 400),
        is_write=True,
    )
    return None if answer.status == 200 else _not_changed(answer)


def _not_changed(answer: Answer) -> Missing | Refused:
    code = answers.code_of(answer)
    return Missing() if code == answers.NOT_IN_LIST else answers.refusal(code)


def _written(
    asked: Fields,
    *,
    before: wire.Subscriber,
    list_id: str,
    definitions: Definitions,
) -> Written:
    after = fields.written(asked, definitions=definitions, before=before)
    return Written(record=fields.read(after, list_id=list_id, definitions=definitions))


def _before(snapshot: Snapshot) -> wire.Subscriber:
    return codec.decode(snapshot.raw, wire.Subscriber, bytes_max=ANSWER_BYTES_MAX)
