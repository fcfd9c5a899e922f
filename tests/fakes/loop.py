"""An event loop on virtual time: when nothing is ready, it jumps to the next timer.

No threads, no sockets, no real waiting, so that an hour of a system's life takes
milliseconds and is the same each time. Tasks belong to a ``Life``, as they would to a
process: what a task starts belongs to the life of its starter.
"""

import asyncio
import contextlib
import contextvars
import datetime
import heapq
import itertools
from collections.abc import Callable, Coroutine
from typing import Any, Final, TypeVar

STEPS_MAX: Final = 5_000_000
CALM_STEPS_MAX: Final = 50_000
"""Turns of the loop in which no time passes; more is something that spins."""
_TASKS_KEPT: Final = 64
TIMERS_KEPT: Final = 100
"""So many may have been cancelled before they are looked through."""

T = TypeVar("T")


class Endless(AssertionError):
    """The simulation does not come to an end by itself."""


class Stuck(AssertionError):
    """Everything waits for something that nobody will bring."""


class _Crowd:
    """Tasks in the order they were started; those that are done are soon forgotten."""

    def __init__(self) -> None:
        self._tasks: list[asyncio.Task[Any]] = []
        self._prune_at = _TASKS_KEPT

    def add(self, task: asyncio.Task[Any]) -> None:
        if len(self._tasks) >= self._prune_at:
            self._tasks = self.left()
            self._prune_at = 2 * len(self._tasks) + _TASKS_KEPT
        self._tasks.append(task)

    def __len__(self) -> int:
        """Return how many are remembered."""
        return len(self._tasks)

    def left(self) -> list[asyncio.Task[Any]]:
        """Return the tasks that are not done."""
        return [task for task in self._tasks if not task.done()]


class Life:
    """The tasks of one process of the simulation, so that it can be killed."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.is_over = False
        self.watch: Callable[[str], None] | None = None
        """Is told of each place that a task of this life comes by, and may end it."""
        self._tasks = _Crowd()

    def own(self, task: asyncio.Task[Any]) -> None:
        """Take a task in; it ends with this life at the latest."""
        self._tasks.add(task)
        if self.is_over:
            task.cancel()

    def start(self, coroutine: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a task that belongs to this life, whoever asks for it."""
        context = contextvars.Context()
        context.run(_life.set, self)
        return asyncio.create_task(coroutine, context=context)

    def pass_by(self, place: str) -> None:
        """Come by a place where this life can end; nothing happens after its end."""
        if self.watch is not None and not self.is_over:
            self.watch(place)
        if self.is_over:
            raise asyncio.CancelledError

    def end(self) -> None:
        """Cancel every task where it stands, in the order they were started.

        Their clean-up still runs: what it would reach has to be dead by then.
        """
        self.is_over = True
        for task in self._tasks.left():
            task.cancel()

    async def ended(self) -> None:
        """Wait until every task of it is gone."""
        while left := self._tasks.left():
            await asyncio.wait(left)


_life: contextvars.ContextVar[Life | None] = contextvars.ContextVar(
    "life", default=None
)


present_life: Final = _life.get
"""Return the life that the running task belongs to, if it belongs to one."""


def present_parent() -> int:
    """Return the number of the task that began the running one; 0 if none did."""
    return getattr(asyncio.current_task(), "parent", 0)


class _Call:
    """A call that is to be made soon.

    Its maker fills it: a constructor would take as long as all else that is done.
    """

    __slots__ = ("_args", "_callback", "_cancelled", "_context")

    _args: Any
    _callback: Any
    _cancelled: bool
    _context: contextvars.Context

    def cancel(self) -> None:
        self._cancelled = True
        self._callback = self._args = None

    def cancelled(self) -> bool:
        return self._cancelled


class _Timer(float):
    """A call that is to be made later: its time, so that a heap compares it quickly."""

    __slots__ = ("_args", "_callback", "_cancelled", "_context", "_loop", "_scheduled")

    _args: Any
    _callback: Any
    _cancelled: bool
    _context: contextvars.Context
    _loop: "VirtualLoop"
    _scheduled: bool

    def cancel(self) -> None:
        if not self._cancelled:
            self._cancelled = True
            self._callback = self._args = None
            if self._scheduled:
                self._loop.cancelled_count += 1

    def cancelled(self) -> bool:
        return self._cancelled

    def when(self) -> float:
        return self


class LivingLoop(asyncio.BaseEventLoop):
    """A loop whose tasks belong to lives, and whose time is not that of the machine."""

    def __init__(self, *, start: datetime.datetime, **more: Any) -> None:
        super().__init__(**more)
        self.start = start
        self.steps = 0
        """Turns of the loop so far."""
        self.failures: list[BaseException] = []
        """What callbacks raised, and tasks that nobody waited for."""
        self._numbers = itertools.count(1)
        self._tasks = _Crowd()
        self.set_task_factory(self._new_task)

    def left(self) -> list[asyncio.Task[Any]]:
        """Return the tasks that are not done, in the order they were started."""
        return self._tasks.left()

    def call_exception_handler(self, context: dict[str, Any]) -> None:
        """Keep what would only be logged otherwise: in a test it is a failure."""
        message = context.get("message", "an unknown failure")
        self.failures.append(context.get("exception") or AssertionError(message))

    def _new_task(
        self,
        _loop: asyncio.AbstractEventLoop,
        coroutine: Coroutine[Any, Any, T],
        context: contextvars.Context | None = None,
    ) -> asyncio.Task[T]:
        task = _Task(
            coroutine,
            loop=self,
            context=context,
            number=next(self._numbers),
            parent=asyncio.current_task(self),
        )
        self._tasks.add(task)
        life = _life.get() if context is None else context.get(_life)
        if life is not None:
            life.own(task)
        return task


class VirtualLoop(LivingLoop):
    """A loop on virtual time. It refuses whatever would need a thread or a socket."""

    def __init__(self, *, start: datetime.datetime, steps_max: int = STEPS_MAX) -> None:
        super().__init__(start=start)
        # Coarse enough to be more than nothing beside the seconds of a whole year.
        self._clock_resolution = 1e-6
        self._now = 0.0
        self._calm_steps = 0
        self._timers: list[_Timer] = []
        self.cancelled_count = 0
        """Timers that still wait, cancelled."""
        self.steps_max = steps_max
        self._stalled: dict[Life | None, list[Any]] = {}
        """What those processes have to do that stand still."""

    def stall(self, life: Life, *, for_s: float) -> None:
        """Have a process stand still, and not notice: its calls come late, in order."""
        if life not in self._stalled:
            self._stalled[life] = []
            go_on = contextvars.Context()
            self.call_later(for_s, self._go_on, life, context=go_on)

    def _holds_up(self, call: Any) -> bool:
        """Keep a call for later if its process stands still."""
        held_up = self._stalled.get(call._context.get(_life))
        if held_up is not None:
            held_up.append(call)
        return held_up is not None

    def _go_on(self, life: Life) -> None:
        """Have a process do at once what it did not come to."""
        self._ready.extend(self._stalled.pop(life))

    def time(self) -> float:
        return self._now

    def call_soon(
        self, callback: Any, *args: Any, context: contextvars.Context | None = None
    ) -> asyncio.Handle:
        call = _Call()
        call._callback = callback
        call._args = args
        call._cancelled = False
        call._context = contextvars.copy_context() if context is None else context
        self._ready.append(call)
        return call  # type: ignore[return-value]

    def call_later(
        self,
        delay: float,
        callback: Any,
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        return self.call_at(self._now + delay, callback, *args, context=context)

    def call_at(
        self,
        when: float,
        callback: Any,
        *args: Any,
        context: contextvars.Context | None = None,
    ) -> asyncio.TimerHandle:
        timer = _Timer(when)
        timer._args = args
        timer._callback = callback
        timer._cancelled = False
        timer._context = contextvars.copy_context() if context is None else context
        timer._loop = self
        timer._scheduled = True
        heapq.heappush(self._timers, timer)
        return timer  # type: ignore[return-value]

    def _run_once(self) -> None:
        """Take turns: run what is ready by now; what that makes ready comes next.

        The same as asyncio's own, without what sockets and debugging need there, and
        until it is to stop: asyncio asks for one turn after the other.
        """
        ready = self._ready
        while True:
            timers = self._timers
            if timers and (timers[0]._cancelled or len(timers) > TIMERS_KEPT):
                self._drop_cancelled()
            self._let_time_pass()
            for _ in range(len(ready)):
                call = ready.popleft()
                if call._cancelled or (self._stalled and self._holds_up(call)):
                    continue
                try:
                    call._context.run(call._callback, *call._args)
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as err:
                    self.call_exception_handler({"exception": err})
            if self._stopping:
                return

    def _drop_cancelled(self) -> None:
        """Forget cancelled timers: those that come next, or all if they are many."""
        timers = self._timers
        if len(timers) > TIMERS_KEPT and self.cancelled_count * 2 > len(timers):
            for timer in timers:
                timer._scheduled = not timer._cancelled
            self._timers = [timer for timer in timers if timer._scheduled]
            heapq.heapify(self._timers)
            self.cancelled_count = 0
            return
        while timers and timers[0]._cancelled:
            heapq.heappop(timers)._scheduled = False
            self.cancelled_count -= 1

    def _let_time_pass(self) -> None:
        """Jump to the next timer if nothing is ready; make ready what is due."""
        self.steps += 1
        timers, ready = self._timers, self._ready
        if not ready and not self._stopping:
            if not timers:
                raise Stuck(f"everything waits at {self._now:.3f} s without a timer")
            if timers[0] > self._now:
                self._now = float(timers[0])
                self._calm_steps = 0
        self._calm_steps += 1
        if self._calm_steps > CALM_STEPS_MAX or self.steps > self.steps_max:
            raise Endless(f"step {self.steps}, still at {self._now:.3f} s")
        until = self._now + self._clock_resolution
        while timers and timers[0] < until:
            timer = heapq.heappop(timers)
            timer._scheduled = False
            ready.append(timer)

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        raise AssertionError("a thread in the simulation")

    def call_soon_threadsafe(self, callback: Any, *args: Any, **more: Any) -> Any:
        return self.call_soon(callback, *args, **more)


class _Task(asyncio.Task[T]):
    """A task that is its number where it is hashed.

    asyncio keeps tasks in sets, and a set of objects goes by their addresses: in
    another process it would cancel its members in another order.
    """

    def __init__(
        self, coroutine: Any, *, loop: Any, context: Any, number: int, parent: Any
    ) -> None:
        self._number = number
        self.parent = 0 if parent is None else hash(parent)
        """The number of the task that began it."""
        super().__init__(coroutine, loop=loop, context=context)

    def __hash__(self) -> int:
        return self._number


class VirtualClock:
    """A service's clock on a loop of its own time; it may be ahead of the true time."""

    def __init__(self, loop: LivingLoop, *, ahead_s: float = 0.0) -> None:
        self.ahead_s = ahead_s
        self._loop = loop
        self._shown = loop.time(), self._now(loop.time())

    def now(self) -> datetime.datetime:
        loop_s = self._loop.time()
        if loop_s != self._shown[0]:
            self._shown = loop_s, self._now(loop_s)
        return self._shown[1]

    def _now(self, loop_s: float) -> datetime.datetime:
        passed_s = loop_s + self.ahead_s
        return self._loop.start + datetime.timedelta(seconds=passed_s)

    def monotonic(self) -> float:
        return self._loop.time()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)


def run(
    coroutine: Coroutine[Any, Any, T],
    *,
    start: datetime.datetime,
    steps_max: int = STEPS_MAX,
) -> T:
    """Run to the end on a fresh virtual loop and return the result.

    Raises:
        Stuck: Everything waits for something that nobody will bring.
        Endless: It takes more steps than a simulation may, or spins.
        BaseException: What a callback raised, or a task that nobody waited for.
    """
    loop = VirtualLoop(start=start, steps_max=steps_max)
    try:
        result = loop.run_until_complete(coroutine)
        if loop.failures:
            raise loop.failures[0]
        return result
    finally:
        # What failed is told by now; what is left only has to go.
        with contextlib.suppress(Stuck, Endless):
            _cancel_rest(loop)
        loop.close()


def running() -> LivingLoop:
    """Return the loop of lives that runs."""
    loop = asyncio.get_running_loop()
    assert isinstance(loop, LivingLoop)
    return loop


def _cancel_rest(loop: VirtualLoop) -> None:
    loop.steps_max += STEPS_MAX
    if rest := loop.left():
        for task in rest:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
    loop.run_until_complete(loop.shutdown_asyncgens())
