"""Sending several contacts in one call, each of which is answered for itself."""

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from proto import codec
from proto.ids import RecordId
from services.connector.apps.hubspot import answers, wire
from services.connector.apps.hubspot.reading import PATH
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Call, Operation

TRACE: Final = "objectWriteTraceId"
"""By it the vendor tells of each of several by itself."""


class Found(msgspec.Struct):
    """What a batch's answer tells, by place in what was asked for."""

    contacts: dict[int, wire.Contact]
    problems: dict[int, wire.Problem]


def sent(
    verb: str,
    inputs: Sequence[Mapping[str, object]],
    *,
    status: int,
    ids: Mapping[int, RecordId] | None = None,
) -> Operation[Found]:
    """Send a batch. Each input carries a trace, by which it is answered for itself.

    What is told without its trace is known by its id; of what is not, nothing is.
    """
    found = Found({}, {})
    if not inputs:
        return found
    answer = yield Call(
        method="POST",
        path=f"{PATH}/batch/{verb}",
        body=codec.encode({"inputs": inputs}),
        accepts=(status, 207, 404),
        is_write=True,
    )
    if answer.status == 404:
        if answers.problem_of(answer) is None:
            raise answers.meaning_of(answer)
        raise CallFailed(Meaning.REFUSED, "a batch with somebody who is not there")
    batch = answer.decode(wire.Batch)
    places = {str(one[TRACE]): int(str(one[TRACE])) for one in inputs}
    by_id = {str(record_id): place for place, record_id in (ids or {}).items()}
    for contact in batch.results:
        trace = contact.object_write_trace_id
        place = places.get(trace) if trace else by_id.get(contact.id)
        if place is not None:
            found.contacts[place] = contact
    for problem in batch.errors:
        traces = answers.texts(problem.context, TRACE)
        told = [places[trace] for trace in traces if trace in places]
        for name in ("ids", "id"):
            named = answers.texts(problem.context, name)
            told += [by_id[each] for each in named if each in by_id]
        found.problems |= dict.fromkeys(told, problem)
    return found


def traced(place: int, body: dict[str, object]) -> dict[str, object]:
    """Return an input that is answered for itself."""
    return body | {TRACE: str(place)}
