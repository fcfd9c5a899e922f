"""Pairs of apps, played on one installation, and what came of each.

Apps are those that have a stage; none is named here. Real servers are started first,
then the installation; a few pairs at a time have it, each as a tenant of its own.
"""

import asyncio
import contextlib
import itertools
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec

from proto.fields import FieldKind
from tests.contract.conformance import stages
from tests.contract.conformance.stage import Stage
from tests.contract.pairs import installation, losses, own
from tests.contract.pairs.crossing import Crossing
from tests.contract.pairs.installation import Installation
from tests.contract.pairs.own import Own
from tests.contract.pairs.people import LEFT, RIGHT, SIDES
from tests.contract.pairs.play import NotAsExpected, Play

Pair = tuple[str, str]
AT_ONCE: Final = 4
"""More would only wait for each other."""
FEW: Final = 4


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a pair."""

    pair: Pair
    faults: tuple[str, ...]
    """None: the two converged."""
    seconds: float


def pairs_of(apps: Iterable[str]) -> list[Pair]:
    """Return each app with each other one, once."""
    return list(itertools.combinations(sorted(apps), 2))


def few_of(apps: Iterable[str]) -> list[Pair]:
    """Return a few pairs that have as many apps in them as they can.

    Those on real servers come first, with each other where there are two.
    """
    kinds = stages.load()
    row = sorted(apps, key=lambda app: (not _is_real(kinds[app]), app))
    apart = [_sorted(pair) for pair in zip(row[::2], row[1::2], strict=False)]
    # Turned round, so that an app that is left over is among them.
    more = [pair for pair in reversed(pairs_of(row)) if pair not in apart]
    return [*apart, *more][:FEW]


def chosen_of(only: Sequence[str], *, start: Pair | None = None) -> list[Pair]:
    """Return the pairs of some apps, or all; of one app those with any other.

    Raises:
        ValueError: There is no such app, or no such pair among them.
    """
    known = stages.load()
    named = {*only, *(start or ())}
    if unknown := sorted(named - known.keys()):
        raise ValueError(f"no such app: {', '.join(unknown)}; {', '.join(known)} are")
    found = pairs_of(only if len(only) > 1 else known)
    if len(only) == 1:
        found = [pair for pair in found if only[0] in pair]
    if start is None:
        return found
    if _sorted(start) not in found:
        raise ValueError(f"{' and '.join(start)} are not among these pairs")
    return found[found.index(_sorted(start)) :]


def _is_real(kind: type[Stage]) -> bool:
    """Say whether a stage is on a real server."""
    return kind.serving is not Stage.serving


def _sorted(pair: Pair) -> Pair:
    one, other = sorted(pair)
    return one, other


def play(
    chosen: Sequence[Pair], *, tell: Callable[[Outcome], None] = lambda _one: None
) -> list[Outcome]:
    """Play pairs, and tell each outcome as soon as it is known."""
    kinds = stages.load()
    with _started({app: kinds[app] for pair in chosen for app in pair}) as servers:
        return asyncio.run(_play(chosen, kinds=kinds, servers=servers, tell=tell))


@contextlib.contextmanager
def _started(kinds: Mapping[str, type[Stage]]) -> Iterator[dict[str, Any]]:
    """Start real servers, by app; they are bound to no event loop."""
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        found = {}
        for app, kind in kinds.items():
            own = folder / app
            own.mkdir()
            found[app] = stack.enter_context(kind.serving(folder, own))
        yield found


async def _play(
    chosen: Sequence[Pair],
    *,
    kinds: Mapping[str, type[Stage]],
    servers: Mapping[str, Any],
    tell: Callable[[Outcome], None],
) -> list[Outcome]:
    found: list[Outcome] = []
    free = asyncio.Semaphore(AT_ONCE)
    turns = {app: asyncio.Lock() for app in kinds if kinds[app].is_alone}

    async def one(pair: Pair, system: Installation) -> None:
        async with contextlib.AsyncExitStack() as stack:
            # In the order of names, so that no two wait for each other.
            for app in pair:
                if app in turns:
                    await stack.enter_async_context(turns[app])
            await stack.enter_async_context(free)
            outcome = await _outcome(pair, system, kinds=kinds, servers=servers)
        found.append(outcome)
        tell(outcome)

    async with installation.running() as system, asyncio.TaskGroup() as group:
        for pair in chosen:
            group.create_task(one(pair, system))
    return sorted(found, key=lambda each: each.pair)


async def _outcome(
    pair: Pair,
    system: Installation,
    *,
    kinds: Mapping[str, type[Stage]],
    servers: Mapping[str, Any],
) -> Outcome:
    began = time.monotonic()
    faults: tuple[str, ...] = ()
    try:
        async with contextlib.AsyncExitStack() as stack:
            opened = {
                side: await stack.enter_async_context(kinds[app].opened(servers[app]))
                for side, app in zip(SIDES, pair, strict=True)
            }
            owns = await _defined(opened)
            connection = await stack.enter_async_context(
                system.connected(opened, tenant=" and ".join(pair), owns=owns)
            )
            await Play(connection, owns).run()
    except NotAsExpected as err:
        faults = tuple(err.faults)
    except Exception as err:
        faults = (f"{type(err).__name__}: {err}",)
    return Outcome(pair=pair, faults=faults, seconds=time.monotonic() - began)


async def _defined(opened: Mapping[str, Stage]) -> list[Own]:
    """Have users define fields at both vendors, where they can."""
    owns = own.between({side: stage.own_kinds for side, stage in opened.items()})
    for each in owns:
        for side, kind in each.kinds.items():
            options = own.OPTIONS if kind is FieldKind.CHOICE else ()
            await opened[side].define(each.label, options=options, kind=kind)
    return owns


def lines(outcomes: Sequence[Outcome]) -> Iterator[str]:
    """Yield the matrix, what failed, and what each pair loses."""
    apps = sorted({app for one in outcomes for app in one.pair})
    found = {one.pair: "FAILED" if one.faults else "yes" for one in outcomes}
    width = max(map(len, apps), default=0)
    yield " ".join(("converges".ljust(width), *apps))
    for app in apps:
        cells = (
            found.get((app, other), found.get((other, app), "-")).ljust(len(other))
            for other in apps
        )
        yield " ".join((app.ljust(width), *cells)).rstrip()
    for one in outcomes:
        yield from (f"{' and '.join(one.pair)}: {fault}" for fault in one.faults)
    yield ""
    yield "what does not get across, or only in part:"
    kinds = stages.load()
    for one in outcomes:
        crossing = Crossing.of(
            {side: kinds[app] for side, app in zip(SIDES, one.pair, strict=True)}
        )
        for side, (origin, target) in ((LEFT, one.pair), (RIGHT, one.pair[::-1])):
            lost = [
                *losses.of(crossing, side),
                *losses.of_own(kinds[origin].own_kinds, kinds[target].own_kinds),
            ]
            yield f"  {origin} to {target}: {'; '.join(lost) or 'nothing'}"
