"""The apps' operations, answered by fixtures of which some were changed.

What comes out of an operation has to fit on the bus, too: it is encoded as there.
"""

import functools
import importlib
import random
from collections.abc import Callable, Iterator
from typing import Any, Final

from proto import codec
from proto.ids import AppId
from services.connector import exchange
from services.connector.errors import CallFailed
from services.connector.port import Answer, Call, Facts
from tests.security.fuzz import mutating, samples
from tests.security.fuzz.mutating import mutate
from tests.security.fuzz.samples import BASE_URL, Begin, Usual

CALLS_MAX: Final = 40
"""A hostile server can make an operation go on; the transport ends it much later."""
_MODULES: Final = "tests.security.fuzz.apps"
_STATUSES: Final = (200, 204, 207, 301, 400, 403, 404, 409, 412, 429, 500, 503, 507)


def targets() -> Iterator[tuple[str, Callable[[random.Random], object]]]:
    """Return the names of the apps' decoders and how each is tried once.

    An app's module is found by the app's name; one without it cannot be loaded.
    """
    for entry in samples.catalogue():
        app = entry.manifest.app
        module = importlib.import_module(f"{_MODULES}.{app}")
        for name, begin in module.OPERATIONS.items():
            run = functools.partial(_try, app, usual=module.usual, begin=begin)
            yield f"{app}.{name}", run
        for name, run in getattr(module, "DECODERS", {}).items():
            yield f"{app}.{name}", run


def _try(
    app_id: AppId, random_: random.Random, *, usual: Usual, begin: Begin
) -> object:
    manifest, app_class = samples.catalogue().entry(app_id)
    app = app_class(manifest, Facts(base_url=BASE_URL, username="ana"))
    operation = begin(app, random_)
    reply: Any = None
    try:
        for _ in range(CALLS_MAX):
            if isinstance(reply, CallFailed):
                call = operation.throw(reply)
            else:
                call = operation.send(reply)
            exchange.url_of(call, base_url=BASE_URL)
            answer = _answer(call, random_, usual=usual)
            accepted = answer.status in call.accepts
            reply = answer if accepted else app.meaning_of(answer)
    except StopIteration as stop:
        return codec.encode(stop.value)
    finally:
        operation.close()
    return None


def _answer(call: Call, random_: random.Random, *, usual: Usual) -> Answer:
    status, body = usual(call, random_)
    chance = random_.random()
    if chance < 0.06:
        status = random_.choice(_STATUSES)
    elif chance < 0.2:
        status = random_.choice(call.accepts)
    if random_.random() < 0.7:
        body = mutate(body, random_)
    headers = {
        "date": "Thu, 01 Jan 2026 00:00:00 GMT",
        "etag": '"1"',
        "location": "/v3/elsewhere",
        "retry-after": "3",
    }
    if random_.random() < 0.2:
        headers[random_.choice(tuple(headers))] = header(random_)
    return Answer(status=status, headers=exchange.headers_of(headers), body=body)


def header(random_: random.Random) -> str:
    """Return a hostile header's text, as the client decodes it."""
    raw = mutating.text(random_).encode(errors="surrogatepass")
    return raw.decode(errors="surrogateescape")
