"""A canary that is let out on purpose, everywhere and in every writing.

What finds none of the others has to find this one, by the same collectors: a search
that looks in the wrong place finds nothing either.
"""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Iterable
from pathlib import Path
from typing import Final

import aiohttp
import asyncpg
from aiohttp import web

from tests.security.canaries import errands, places, words
from tests.security.canaries.places import Place
from tests.security.canaries.running import World
from tests.security.canaries.searching import Search
from tests.security.canaries.words import Canary, Nest

SUBJECT: Final = "evt.reconciler.connection_changed.v1.conn_planted"
FILE: Final = "planted.txt"
TABLE: Final = "api.planted"
NAME: Final = "planted"


def canary() -> Canary:
    """Return the one to let out: every writing of it is another one."""
    nest = Nest(1)
    return Canary("control", NAME, f"Ñ{nest.word(5)} & {nest.word(5).title()}é")


def lines(let_out: Canary) -> list[bytes]:
    """Return what is planted: the word in every writing, each once."""
    return list(dict.fromkeys(words.writings(let_out.text).values()))


async def plant(world: World, let_out: Canary) -> list[Place]:
    """Let a canary out in every kind of place; return what the collectors find."""
    text = b"\n".join(lines(let_out))
    layout = world.system.layout
    for path in _logs(layout.root / "logs"):
        with path.open("ab") as file:
            file.write(b"\n" + text)
    (layout.root / FILE).write_bytes(text)
    world.tap.messages.clear()
    await world.tap.client.jetstream().publish(SUBJECT, text)
    await _into_a_table(world.system.admin_url, let_out)
    before = len(world.notes.found)
    async with (
        _showing(text) as url,
        aiohttp.ClientSession(trace_configs=[world.notes.tracing(url)]) as session,
    ):
        await session.get(url + "/refused")
        code = f"import sys; sys.stdout.buffer.write({text!r})"
        assert await errands.run(world, NAME, (sys.executable, "-c", code)) == 0
        metrics = places.metrics({NAME: url})
        async with _process(let_out) as pid:
            left_out = (layout.keys, layout.radicale, layout.root / "logs")
            return await places.collect_all(
                world.notes.found[before:],
                places.logs(layout.root / "logs"),
                places.messages("message", world.tap.messages),
                places.messages("stream", await world.tap.streams()),
                metrics,
                places.tables(world.system.admin_url),
                places.processes({NAME: pid}, {}),
                places.files(layout.root, skip=left_out, changed=world.changes),
            )


def missed(found: Iterable[Place], let_out: Canary) -> dict[str, list[bytes]]:
    """Return which writings were not found, by kind of place; of each log by itself."""
    search = Search([let_out])
    result = {kind: _plantable(kind, let_out) for kind in KINDS}
    for place in found:
        name = f"log {place.name}" if place.kind == "log" else place.kind
        left = result.setdefault(name, _plantable(place.kind, let_out))
        data = place.told
        spots = [hit.at for hit in search.find(data, place=place.name)]
        result[name] = [line for line in left if not _is_among(line, data, spots)]
    return result


KINDS: Final = (
    *("error", "errand", "message", "stream", "metrics", "table", "process"),
    *("file", "Postgres' file"),
)


def _is_among(line: bytes, data: bytes, spots: list[int]) -> bool:
    """Say whether a search has stopped at a line."""
    start = data.find(line)
    return start >= 0 and any(start <= spot < start + len(line) for spot in spots)


def _plantable(kind: str, let_out: Canary) -> list[bytes]:
    # No process is given a NUL.
    return [line for line in lines(let_out) if kind != "process" or b"\0" not in line]


def _logs(folder: Path) -> list[Path]:
    return [folder / place.name for place in places.logs(folder)]


async def _into_a_table(url: str, let_out: Canary) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"CREATE TABLE {TABLE} (line bytea)")
        for line in lines(let_out):
            await connection.execute(f"INSERT INTO {TABLE} VALUES ($1)", line)
        # Into the files of the database, too.
        await connection.execute("CHECKPOINT")
    finally:
        await connection.close()


@contextlib.asynccontextmanager
async def _showing(text: bytes) -> AsyncIterator[str]:
    """Serve a text as figures, and as an error."""

    async def show(request: web.Request) -> web.Response:
        return web.Response(body=text, status=400 if "refused" in request.path else 200)

    application = web.Application()
    application.router.add_get("/{path:.*}", show)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def _process(let_out: Canary) -> AsyncIterator[int]:
    """Run a process with the canary on its command line."""
    code = "import sys; print(flush=True); sys.stdin.read()"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, *_plantable("process", let_out)),
        env={"PLANTED": b" ".join(_plantable("process", let_out))},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        await process.stdout.readline()
        yield process.pid
    finally:
        process.kill()
        await process.wait()
