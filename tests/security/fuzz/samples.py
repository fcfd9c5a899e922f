"""What the apps' modules of the fuzzer share: fixtures, and texts that were changed."""

import functools
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from proto.ids import AppId, RecordId
from services.connector import registry
from services.connector.port import App, Call, Heard, Operation, Push, PushApp
from tests.security.fuzz import mutating
from tests.security.fuzz.mutating import mutate

BASE_URL: Final = "https://app.example.org/v3"
_APPS: Final = Path(registry.__file__).with_name("apps")

Usual: TypeAlias = Callable[[Call, random.Random], tuple[int, bytes]]
"""Returns the status and body with which a call is usually answered."""
PUSH_URL: Final = "https://tandem.example/push/app/tnt_1/x"
PUSH_SECRET: Final = b"what pushes are signed with"
Sign: TypeAlias = Callable[[bytes, str], dict[str, str]]
"""Returns the headers of a body that is pushed, signed at a time in digits."""
Begin: TypeAlias = Callable[[App, random.Random], Operation[Any]]


@functools.cache
def catalogue() -> registry.Registry:
    """Return every app that there is."""
    return registry.load()


@functools.cache
def fixture(app: str, name: str) -> bytes:
    """Return one of an app's fixtures."""
    return (_APPS / app / "fixtures" / name).read_bytes()


def cut(sample: bytes, random_: random.Random) -> str:
    """Return a text that was one, before it was changed."""
    return mutate(sample, random_).decode(errors="ignore")


def told(random_: random.Random) -> str:
    """Return a hostile text as the bus carries it: without half of a character."""
    return mutating.text(random_).encode(errors="ignore").decode()


def reads(
    ids: Sequence[RecordId], *, cursor: bytes, email: str = "zoe@example.org"
) -> dict[str, Begin]:
    """Return the operations that only read, which every app has.

    Args:
        ids: Of somebody whom the fixtures show, first.
        cursor: Where changes go on; it is tried as it is, and changed.
        email: Of somebody who is looked for.
    """
    return {
        "verify": lambda app, _: app.verify(),
        "describe_fields": lambda app, _: app.describe_fields(),
        "list_containers": lambda app, _: app.list_containers(),
        "scan": lambda app, _: app.scan(None),
        "changes": lambda app, random_: app.changes(cut(cursor, random_)),
        "changes_on": lambda app, _: app.changes(cursor.decode()),
        "get": lambda app, _: app.get(ids),
        "find_by_email": lambda app, _: app.find_by_email((email,)),
    }


def hears(
    app: str,
    *names: str,
    sign: Sign = lambda _body, _stamp: {},
    secret: bytes = PUSH_SECRET,
    per_second: int = 1,
) -> dict[str, Callable[[random.Random], object]]:
    """Return how pushes are heard: bodies that were changed, before or after signing.

    Args:
        names: The fixtures of pushes.
        per_second: How many of the vendor's units of time are a second.
    """
    manifest, app_class = catalogue().entry(AppId(app))
    assert manifest.push is not None

    def hear(random_: random.Random) -> Heard | None:
        body = fixture(app, random_.choice(names))
        if random_.random() < 0.8:
            body = mutate(body, random_)
        stamp = str(1_770_811_200 * per_second)
        if random_.random() < 0.2:
            stamp = mutating.text(random_)
        headers = sign(body, stamp)
        if headers and random_.random() < 0.2:
            headers[random_.choice(tuple(headers))] = mutating.text(random_)
        if random_.random() < 0.1:
            body = mutate(body, random_)
        push = Push(url=PUSH_URL, headers=headers, body=body)
        return cast("type[PushApp]", app_class).hear(push, secret=secret)

    return {"hear": hear}
