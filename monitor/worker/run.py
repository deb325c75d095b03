"""`run_worker`: check, connect, join the group, and end in an orderly way or at once."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import logging
import os
import signal
import tempfile
import threading
import time
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import faust
import mode
import structlog

from kernels.warmup import warm_up
from monitor.brokers import selfcheck
from monitor.brokers import topics as cluster
from monitor.brokers.selfcheck import Checked
from monitor.models.warmup import warm_up as models_warm_up
from monitor.web.page import API, Page
from monitor.web.sampler import Sampler
from monitor.worker.advice import Adviser
from monitor.worker.app import add_state_table, connect, create_app
from monitor.worker.changelog import CONFIG, MIN_COMPACTION_LAG_MS
from monitor.worker.core import make_core
from monitor.worker.endpoints import Announcer, Router, url_of
from monitor.worker.errors import Ending, FolderInUse, FolderNotWritable, WrongPartitions
from monitor.worker.health import HealthServer, read_token, readyz
from monitor.worker.liveness import end_process
from monitor.worker.metrics import Exposed, Meters, exposed, text
from monitor.worker.observer import Observer
from monitor.worker.options import WorkerOptions
from monitor.worker.ownership import Ownership
from monitor.worker.questions import PREFIX, Questions
from monitor.worker.shown import show
from monitor.worker.whole_book import PREFIX as BOOK
from monitor.worker.whole_book import WholeBook
from schemas.topics import ALL, AUCTION_TOPICS

PROGRESS_S = 10.0
MAX_FOLDERS = 1_000

log = structlog.get_logger("monitor.worker")


@dataclass(frozen=True, slots=True)
class Gauges:
    """What is measured where it happens, what the worker shows of itself, and who answers for it at its endpoint."""

    meters: Meters
    exposed: Exposed
    questions: Questions
    book: WholeBook
    page: Page
    url: str = ""
    token: str = ""


class Shell(mode.Service):
    """Everything around the Faust app, started before it and stopped after it."""

    mundane_level = "debug"

    def __init__(self, options: WorkerOptions, folder: Path, checked: Checked, gauges: Gauges) -> None:
        super().__init__()
        core = make_core(options, checked, gauges.meters)
        self.options = options
        self._said = (0, 0)
        self._working: list[asyncio.Future[None]] = []
        self.pulse, self.publisher, self.view = core.pulse, core.publisher, core.view
        self.order, self.group, self.intake = core.order, core.group, core.intake
        self.engine, self.ownership = core.engine, core.ownership
        self._questions, self._exposed, self._book = gauges.questions, gauges.exposed, gauges.book
        self._sampler = Sampler(self.order)
        gauges.page.attach(self._sampler)
        helper = gauges.questions.helper
        self.adviser = Adviser(options, self.order, self.publisher, helper, gauges.meters)
        if options.advice:
            core.engine.flusher.said = self.adviser.note
        self._router = Router(options, lambda: core.order.shards, gauges.token)
        self._announcer = Announcer(options, self.publisher, lambda: core.order.shards, gauges.url)
        self.observer = Observer(options, folder, self.engine, self.ownership, gauges.exposed)
        self.faust_app = create_app(options, folder, self.intake)
        self.group.attach(self.faust_app)
        add_state_table(self.faust_app, options, self.ownership)
        connect(self.faust_app, options, self.ownership)

    async def on_start(self) -> None:
        """Connect our own clients and start our tasks, before the app may ask for them."""
        place = self.options.partition_of
        self._questions.attach(
            asyncio.get_running_loop(), self.order, lambda name: place(name.encode()), self._router.ask
        )
        self._book.attach(self.order, self._router.ask_others)
        await self.publisher.start()
        await self.view.start()
        for work in (
            self.engine.run(), self.group.run(), self.pulse.run(), self._announce(), self._report(),
            self.observer.run(), self.adviser.run(), self._announcer.run(), self._sampler.run(), self._show(),
            *self.order.readers(),
        ):  # fmt: skip
            self._working.append(self.add_future(_ending(work)))

    async def on_stop(self) -> None:
        """End our tasks and disconnect; the app has stopped before, and nobody may send to what is closed."""
        self._say_progress()
        for task in self._working:
            task.cancel()
        await asyncio.gather(*self._working, return_exceptions=True)
        await self.publisher.stop()
        await self.view.stop()

    async def _announce(self) -> None:
        """Announce readiness as soon as it is there."""
        while True:
            await asyncio.sleep(0.05)
            self.ownership.announce()

    async def _show(self) -> None:
        """Show how far its recovery is, while there is one."""
        await show(lambda: None if self._exposed.figures is None else self._exposed.figures.recovery)

    async def _report(self) -> None:
        """Say every few seconds how far things are."""
        while True:
            await asyncio.sleep(PROGRESS_S)
            self._say_progress()

    def _say_progress(self) -> None:
        engine, now = self.engine, (self.engine.applied, self.publisher.sent)
        before, self._said = self._said, now
        log.info(
            "progress", ready=self.ownership.ready, partitions=list(engine.order.shards), applied=now[0], sent=now[1],
            applied_per_s=round((now[0] - before[0]) / PROGRESS_S), sent_per_s=round((now[1] - before[1]) / PROGRESS_S),
            flushes=engine.flushes, held=self.intake.held, holes=engine.holes, refetched=engine.refetched,
            stale=engine.stale, sound=engine.auditor.sound, audited=engine.auditor.audited,
            audit_differences=engine.auditor.differences, **engine.order.figures(),
        )  # fmt: skip


class Worker(faust.Worker):
    """Faust's worker, with a bound on the time from a signal to the end."""

    ownership: Ownership
    shutdown_timeout_s: float

    def _schedule_shutdown(self, signal: signal.Signals) -> None:
        timer = threading.Timer(self.shutdown_timeout_s, self._give_up)
        timer.daemon = True
        timer.start()
        super()._schedule_shutdown(signal)

    def _give_up(self) -> None:
        """End now: what the last flush could not send, recovery does."""
        log.warning("stopped_late", finished=self.ownership.finished, after_s=self.shutdown_timeout_s)
        logging.shutdown()
        os._exit(0 if self.ownership.finished else Ending.RESTART)


async def prepare(options: WorkerOptions) -> Checked:
    """Check topics and broker, make the changelog; return what the broker does. Raises BrokerError, WrongPartitions."""
    await prepare_topics(options)
    checked = await selfcheck.check(options.broker, options.prefix)
    say = log.info if checked.ends_exact and checked.idempotent else log.warning
    say("self_check", ends_exact=checked.ends_exact, idempotent=checked.idempotent, told=checked.line)
    return checked


async def prepare_topics(options: WorkerOptions) -> None:
    """Check the deployment's topics and make the changelog; raises BrokerError or WrongPartitions."""
    names = {options.topic(topic): topic for topic in ALL if topic not in AUCTION_TOPICS}
    wanted = [
        cluster.Wanted(name, topic.partitions or options.partitions, topic.config()) for name, topic in names.items()
    ]
    for difference in await cluster.plan(options.broker, wanted):
        if difference.kind == "missing":
            raise cluster.TopicsError(
                f"topic {difference.topic} does not exist, or we may not see it",
                "run `liqmon topics apply`, or `liqmon acls apply`",
            )
        if difference.kind == "partitions":
            raise WrongPartitions(
                f"topic {difference.topic} has {difference.found} partitions, not {difference.wanted}",
                "set --partitions to what the topics have",
            )
    changelog = cluster.Wanted(options.changelog, options.partitions, dict(CONFIG))
    differences = await cluster.plan(options.broker, [changelog])
    longer = {d.setting for d in differences if d.setting == "min.compaction.lag.ms" and _longer(d.found)}
    changelog = cluster.Wanted(
        options.changelog, options.partitions, {key: value for key, value in CONFIG.items() if key not in longer}
    )
    await cluster.apply(options.broker, [changelog])
    for difference in await cluster.plan(options.broker, [changelog]):
        raise WrongPartitions(
            f"the state changelog {difference.topic} has {difference.found} partitions, not {difference.wanted}",
            "another number of partitions needs a new deployment",
        )


def _longer(found: str) -> bool:
    return found.isdecimal() and int(found) >= MIN_COMPACTION_LAG_MS


@contextmanager
def own_folder(base: Path | None) -> Iterator[Path]:
    """Own a folder that no other worker uses, locked: the first free `worker-N` below `base`, or a temporary one.

    Raises FolderInUse if none can be had, FolderNotWritable.
    """
    if base is None:
        with _temporary() as name:
            yield Path(name)
        return
    for number in range(MAX_FOLDERS):
        folder = base / f"worker-{number}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            lock = (folder / "lock").open("ab", buffering=0)
        except OSError as error:
            raise _not_writable(f"{folder}", error) from error
        with lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # the system lets go of it when we die
                lock.truncate(0)
                lock.write(b"%d\n" % os.getpid())
            except BlockingIOError:
                continue
            except OSError as error:
                raise _not_writable(f"{folder}", error) from error
            yield folder
            return
    raise FolderInUse(f"{base} has {MAX_FOLDERS} folders in use", "choose another data folder")


def _temporary() -> tempfile.TemporaryDirectory[str]:
    try:
        return tempfile.TemporaryDirectory(prefix="liqmon-worker-")
    except OSError as error:
        raise _not_writable("for temporary files", error) from error


def _not_writable(folder: str, error: OSError) -> FolderNotWritable:
    return FolderNotWritable(
        f"the data folder {folder} cannot be written ({error.strerror})",
        "give the worker's user a folder that it may write, with --data",
    )


def run_worker(options: WorkerOptions) -> int:
    """Run one worker until it is told to stop; returns 0, or does not return (see `Ending`).

    Raises MonitorError when something is wrong before it starts.
    """
    with serving(options) as gauges:
        return _run(options, gauges)


@contextmanager
def serving(options: WorkerOptions) -> Iterator[Gauges]:
    """Answer health and metrics for as long as the worker lives, its preparations included.

    Raises UsageError for an address that needs a token, HealthAddress for one that cannot be listened on.
    """
    meters = Meters()
    shown, questions = exposed(meters), Questions()
    token = read_token(options.health_token_file, os.environ)
    book = WholeBook(questions)
    page = Page(
        options, lambda: readyz(shown.figures, time.monotonic(), options.session_timeout_s).body,
        lambda: None if shown.figures is None else shown.figures.at_s, token=bool(token),
    )  # fmt: skip
    server = HealthServer(
        lambda: shown.figures, lambda: text(meters.registry), session_timeout_s=options.session_timeout_s,
        host=options.health_host, port=options.health_port, token=token,
        questions=questions,
    )  # fmt: skip
    server.ask(book)
    server.show(page)
    host, port = server.start()
    log.info("health", host=host, port=port, paths=["/", "/livez", "/readyz", "/metrics", PREFIX, BOOK, API])
    try:
        yield Gauges(meters, shown, questions, book, page, url_of(host, port), token)
    finally:
        server.stop()


def _run(options: WorkerOptions, gauges: Gauges) -> int:
    checked = asyncio.run(prepare(options))
    models_warm_up()  # before the kernels' own, which tells of both
    log.info("kernels_ready", **warm_up()._asdict())
    # Records are held by the ten thousand and form no cycles: with Python's thresholds half the cost of taking them in
    # is to look at them again.
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)
    with own_folder(options.data_dir) as folder:
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        shell = loop.run_until_complete(_create(options, folder, checked, gauges))
        worker = Worker(shell.faust_app, shell, loop=loop, quiet=True, override_logging=False, redirect_stdouts=False)
        worker.spinner = None
        worker.ownership = shell.ownership
        worker.shutdown_timeout_s = options.shutdown_timeout_s
        _quieten()
        try:
            worker.execute_from_commandline()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
            log.info("stopped", code=code)
            return code
    return 0


async def _create(options: WorkerOptions, folder: Path, checked: Checked, gauges: Gauges) -> Shell:
    # In the loop that will run it: clients and events belong to the loop they are made in.
    return Shell(options, folder, checked, gauges)


async def _ending(work: Coroutine[Any, Any, None]) -> None:
    """Make any exception of a task of ours end the process, before anything else is sent or committed."""
    try:
        await work
    except Exception as error:  # noqa: BLE001 (the process ends)
        end_process(error)


def _quieten() -> None:
    """Keep the framework's running commentary out of the log; warnings and errors stay."""
    for name in ("faust", "mode", "aiokafka"):
        logging.getLogger(name).setLevel(logging.WARNING)
