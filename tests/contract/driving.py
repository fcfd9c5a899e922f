"""Drives an app's operations in tests: with prepared answers, or with any others.

What an app asks is recorded as ``Call``s; what it gets is what the test prepared.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from pathlib import Path
from typing import TypeVar

from proto import codec
from services.connector.errors import CallFailed, Meaning
from services.connector.port import Answer, App, Call, Operation

T = TypeVar("T")


def answer(
    body: object = b"",
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> Answer:
    """Return an answer; a body that is not bytes or text is sent as JSON."""
    if isinstance(body, str):
        body = body.encode()
    data = body if isinstance(body, bytes) else codec.encode(body)
    return Answer(status=status, headers=dict(headers or {}), body=data)


class Fixtures:
    """Answers that an app's folder keeps as files: JSON, unless a name says other."""

    def __init__(self, folder: Path, *, headers: Mapping[str, str] | None = None):
        self._folder = folder / "fixtures"
        self._headers = dict(headers or {})

    def body(self, name: str) -> bytes:
        """Return what a file holds."""
        path = self._folder / name
        return (path if path.suffix else path.with_suffix(".json")).read_bytes()

    def __call__(self, name: str, *, status: int = 200, **headers: str) -> Answer:
        """Return a file as an answer."""
        return answer(self.body(name), status=status, headers=self._headers | headers)


def drive(
    operation: Operation[T],
    answers: Iterable[Answer | CallFailed] = (),
    *,
    app: App | None = None,
) -> tuple[T, list[Call]]:
    """Run an operation to its end; return its result and the calls it made.

    An answer whose status the call does not accept becomes what ``app`` says it
    means, as in the transport; a prepared ``CallFailed`` is raised at its call.
    Every prepared answer must be used, and none may be missing.
    """
    waiting = list(answers)
    calls: list[Call] = []
    try:
        call = next(operation)
        while True:
            calls.append(call)
            assert waiting, f"call {len(calls)} has no answer: {call}"
            reply = waiting.pop(0)
            if isinstance(reply, CallFailed):
                call = operation.throw(reply)
            elif reply.status in call.accepts:
                call = operation.send(reply)
            else:
                assert app is not None, f"unaccepted status {reply.status}: {call}"
                call = operation.throw(app.meaning_of(reply))
    except StopIteration as stop:
        assert not waiting, f"{len(waiting)} answers were not asked for"
        return stop.value, calls


def failing(
    operation: Operation[T],
    answers: Iterable[Answer | CallFailed] = (),
    *,
    app: App | None = None,
) -> Meaning:
    """Run an operation, as ``drive`` does, that has to fail; return how it does."""
    try:
        result, _ = drive(operation, answers, app=app)
    except CallFailed as failed:
        return failed.meaning
    raise AssertionError(f"the operation ends well, with {result}")


async def carry_out(
    operation: Operation[T], reply: Callable[[Call], Awaitable[Answer | CallFailed]]
) -> T:
    """Run an operation to its end, with an answer or a failure for each call."""
    try:
        call = next(operation)
        while True:
            found = await reply(call)
            if isinstance(found, CallFailed):
                call = operation.throw(found)
            else:
                call = operation.send(found)
    except StopIteration as stop:
        result: T = stop.value
        return result
