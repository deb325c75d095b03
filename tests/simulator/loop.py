"""Many processes in one thread: an event loop on virtual time that can kill, pause and continue each of them.

A process is whatever runs in a context that carries it: its tasks, their timers, and everything that these start. The
loop looks at the context of each callback, so a killed process never runs again, wherever it was, as after `kill -9`;
a paused one finds its callbacks in their order when it continues, as after `SIGSTOP`.
"""

from __future__ import annotations

import asyncio
import contextvars
import heapq
from collections.abc import Coroutine
from typing import Any

PROCESS: contextvars.ContextVar[Process | None] = contextvars.ContextVar("process", default=None)


class Process:
    """One simulated process; `doom` counts the callbacks it has still to run before it is killed (None: no end)."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.dead = False
        self.doom: int | None = None
        self.held: list[asyncio.Handle] | None = None  # a list while it is paused
        self.lost: list[asyncio.Handle] = []  # what it would have run after its death
        self.tasks: list[asyncio.Task[Any]] = []
        self.context = contextvars.copy_context()
        self.context.run(PROCESS.set, self)

    @property
    def paused(self) -> bool:
        """Whether it stands still."""
        return self.held is not None

    def kill(self) -> None:
        """End it here and now."""
        self.dead = True
        self.lost += self.held or []
        self.held = None


class SimulatedLoop(asyncio.BaseEventLoop):
    """Runs callbacks in the order they were made ready; when none is, time jumps to the next timer."""

    _ready: Any
    _scheduled: Any
    _timer_cancelled_count: int

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0
        self.callbacks = 0
        self.on_death: Any = None
        self.set_exception_handler(self._keep)
        self.errors: list[BaseException] = []
        self._others: set[asyncio.Task[Any]] = set()

    def time(self) -> float:
        """Return virtual seconds."""
        return self.now_s

    def start(self, work: Coroutine[Any, Any, Any], process: Process | None = None) -> asyncio.Task[Any]:
        """Run something as a part of a process, or of the world around them."""
        context = contextvars.Context() if process is None else process.context.copy()
        task: asyncio.Task[Any] = self.create_task(work, context=context)
        if process is None:
            self._others.add(task)
            task.add_done_callback(self._others.discard)
        return task

    def create_task(self, coro: Any, *, name: Any = None, context: Any = None) -> Any:
        """Make a task, and keep it as long as its process: a dead one must not be collected and run its end."""
        task = super().create_task(coro, name=name, context=context)
        process = PROCESS.get() if context is None else context.get(PROCESS)
        if process is not None:
            process.tasks.append(task)
            if len(process.tasks) > 512:
                process.tasks = [one for one in process.tasks if not one.done()]
        return task

    def resume(self, process: Process) -> None:
        """Continue a paused process with what has come for it in the meantime."""
        held, process.held = process.held or [], None
        self._ready.extend(held)

    def _run_once(self) -> None:
        if not self._ready:
            while self._scheduled and self._scheduled[0]._cancelled:
                heapq.heappop(self._scheduled)._scheduled = False
            if not self._scheduled:
                raise RuntimeError("nothing is left to run: every task waits for another")
            self.now_s = max(self.now_s, self._scheduled[0]._when)
        while self._scheduled and self._scheduled[0]._when <= self.now_s:
            handle = heapq.heappop(self._scheduled)
            handle._scheduled = False
            self._ready.append(handle)
        for _ in range(len(self._ready)):
            handle = self._ready.popleft()
            if not handle._cancelled:
                self._run(handle)

    def _run(self, handle: Any) -> None:
        process = handle._context.get(PROCESS)
        if process is not None:
            if process.dead:
                process.lost.append(handle)
                return
            if process.held is not None:
                process.held.append(handle)
                return
            if process.doom is not None:
                process.doom -= 1
                if process.doom < 0:
                    process.kill()
                    process.lost.append(handle)
                    self.on_death(process)
                    return
        self.callbacks += 1
        handle._run()

    def _keep(self, _loop: Any, context: dict[str, Any]) -> None:
        error = context.get("exception")
        if isinstance(error, Exception):
            self.errors.append(error)

    def _process_events(self, _events: Any) -> None:
        """Nothing comes from outside."""

    def _write_to_self(self) -> None:
        """Nothing has to be woken."""

    def end(self, processes: list[Process]) -> None:
        """Cancel all that is left, so that nothing runs after the simulation."""
        tasks = [task for process in processes for task in process.tasks if not task.done()]
        for process in processes:
            process.dead, process.held, process.doom = False, None, None
        tasks += [task for task in self._others if not task.done()]
        for task in tasks:
            task.cancel()
        # A task whose next step was dropped is cancelled by that step.
        self._ready.extend(handle for process in processes for handle in process.lost if not handle._cancelled)
        if tasks:
            self.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        self.run_until_complete(self.shutdown_asyncgens())
        self.close()


class Clock:
    """What a process reads in place of the module `time`: the loop's time, and a wall clock that is set now and then.

    Each reading costs `cost_s`, so that work takes time and turns end where their time is over.
    """

    def __init__(self, loop: SimulatedLoop, cost_s: float) -> None:
        self._loop = loop
        self._cost_s = cost_s
        self.wall_s = 1_760_000_000.0

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        self._loop.now_s += self._cost_s
        return self._loop.now_s

    def perf_counter(self) -> float:
        """Return what work is measured by, which nothing depends on."""
        return self._loop.now_s

    def time_ns(self) -> int:
        """Return the wall clock, which does."""
        return int((self.wall_s + self._loop.now_s) * 1e9)
