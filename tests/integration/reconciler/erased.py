"""What a test of erasures needs: a ring of keys, and a search through everything."""

import base64
import hashlib
import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import msgspec

from deploy.local import nats
from proto.erasure import ErasePerson, Erasure, ErasureState, GetErasure, Whom
from proto.subjects import SERVICES
from tests.integration.reconciler.world import TENANT, World, until

_TABLES = """
SELECT format('%I.%I', schemaname, tablename) AS name
FROM pg_tables
WHERE schemaname = ANY ($1::text[])
ORDER BY 1
"""


def key_ring(directory: Path, *names: str) -> Path:
    """Write a ring of keys, the first of them active."""
    path = directory / f"ring-{'-'.join(names)}.json"
    keys = {
        name: base64.b64encode(hashlib.sha256(name.encode()).digest()).decode()
        for name in names
    }
    path.write_text(json.dumps({"active": names[0], "keys": keys}))
    return path


def forms_of(text: str) -> Iterator[bytes]:
    """Yield the forms in which a text may be stored."""
    for spelled in {text, text.lower(), text.upper()}:
        raw = spelled.encode()
        yield raw
        yield raw.hex().encode()
        yield urllib.parse.quote(spelled).encode()
        yield json.dumps(spelled)[1:-1].encode()
        for shift in range(3):
            # Wherever it begins in what is encoded: what depends on neighbours is cut.
            encoded = base64.b64encode(b"\0" * shift + raw)
            yield encoded[4 if shift else 0 : -4]


async def places_of(texts: list[str], *, admin_url: str) -> dict[str, set[str]]:
    """Return in which tables of any service each text is, in any form."""
    found: dict[str, set[str]] = {text: set() for text in texts}
    connection = await asyncpg.connect(admin_url)
    try:
        for table in await connection.fetch(_TABLES, list(SERVICES)):
            rows = await connection.fetch(f"SELECT * FROM {table['name']}")
            stored = b"\0".join(_bytes(value) for row in rows for value in row.values())
            for text in filter(lambda text: _is_in(text, stored), texts):
                found[text].add(table["name"])
    finally:
        await connection.close()
    return found


def _is_in(text: str, stored: bytes) -> bool:
    return any(form in stored for form in forms_of(text))


def streams_with(texts: list[str], *, broker: nats.Server) -> list[str]:
    """Return which files of the broker any of the texts is in."""
    forms = [form for text in texts for form in forms_of(text)]
    return [
        str(path)
        for path in broker.directory.rglob("*")
        if path.is_file() and any(form in path.read_bytes() for form in forms)
    ]


async def erase(world: World, *, seconds: float = 30.0, **whom: str) -> Erasure:
    """Have somebody erased, and wait until that is done."""
    return await finished(world, await ask(world, **whom), seconds=seconds)


async def ask(world: World, **whom: str) -> Erasure:
    """Have somebody erased."""
    named = msgspec.convert(whom, Whom)
    return await world.ask(ErasePerson(tenant_id=TENANT, whom=named))


async def finished(world: World, begun: Erasure, *, seconds: float = 30.0) -> Erasure:
    """Wait until an erasure is done."""

    async def is_done() -> bool:
        return (await get(world, begun)).state is ErasureState.DONE

    await until(is_done, seconds=seconds)
    return await get(world, begun)


async def get(world: World, begun: Erasure) -> Erasure:
    """Read how an erasure stands."""
    return await world.ask(GetErasure(tenant_id=TENANT, erasure_id=begun.erasure_id))


def _bytes(value: object) -> bytes:
    if isinstance(value, bytes):
        return value
    if isinstance(value, list):
        return b"\0".join(map(_bytes, value))
    return str(value).encode()
