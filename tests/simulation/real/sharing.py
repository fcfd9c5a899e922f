"""Shares seeds among processes, each of which answers through a pipe of its own.

Nobody waits for a lock that a process took with it when it died, and the end of a pipe
tells at once that there will be no more of it.
"""

import contextlib
import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from multiprocessing import connection
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

from tests.simulation.running import Played

Work = Callable[[Iterator[int], Callable[[Played], None]], None]
"""Plays each seed and tells what came of it."""
Ends = dict["Connection[Any, Any]", BaseProcess]
"""Our ends of the pipes, and who has the other ones."""


def shared(work: Work, seeds: Iterable[int], *, workers: int) -> Iterator[Played]:
    """Share seeds among processes of our own; none outlives who wants the results.

    Raises:
        RuntimeError: One of them died.
    """
    ends = dict(_start(work) for _ in range(workers))
    try:
        yield from _results(ends, iter(seeds))
    finally:
        _await_all(ends)


def _results(ends: Ends, left: Iterator[int]) -> Iterator[Played]:
    at_work = {each for each in ends if _hand_out(each, left)}
    while at_work:
        for end in connection.wait(at_work):
            assert isinstance(end, Connection)
            played = _heard(end, ends[end])
            if not _hand_out(end, left):
                at_work.remove(end)
            yield played


def _start(work: Work) -> "tuple[Connection[Any, Any], BaseProcess]":
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.Process(target=_serve, args=(work, theirs))
    process.start()
    # Else the pipe would not end with the process.
    theirs.close()
    return ours, process


def _hand_out(end: "Connection[Any, Any]", left: Iterator[int]) -> bool:
    """Give a process its next seed, and tell whether there was one."""
    seed = next(left, None)
    with contextlib.suppress(OSError):
        end.send(seed)
    return seed is not None


def _heard(end: "Connection[Any, Any]", process: BaseProcess) -> Played:
    try:
        played: Played = end.recv()
    except (EOFError, OSError) as err:
        process.join()
        raise RuntimeError(
            f"a process died that was to play seeds; it ended with {process.exitcode}"
        ) from err
    return played


def _await_all(ends: Ends) -> None:
    """Have processes end by themselves: killed ones would leave their servers behind.

    What they still say is taken, since one that is not heard never ends.
    """
    for end in ends:
        _hand_out(end, iter(()))
    for end, process in ends.items():
        with contextlib.suppress(EOFError, OSError):
            while True:
                end.recv()
        process.join()
        end.close()


def _serve(work: Work, end: "Connection[Any, Any]") -> None:
    """Do a process's share of the work."""
    work(iter(end.recv, None), end.send)
