"""A worker: resources, subscriptions, background tasks and health, from start to drain."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from aiokafka.errors import KafkaError
from faststream.kafka import KafkaBroker
from faststream.security import BaseSecurity, SASLPlaintext, SASLScram256, SASLScram512
from starlette.routing import BaseRoute

from carebus_contracts.errors import CareBusError, ConfigurationError, FatalError, TransientError
from carebus_runtime.about import about
from carebus_runtime.blobs import BlobStore
from carebus_runtime.consuming import Consumption
from carebus_runtime.health import health_routes, serve
from carebus_runtime.logs import Log, configure_logs, places_of_exception
from carebus_runtime.producer import Producer
from carebus_runtime.retrying import growing_delays
from carebus_runtime.settings import KafkaSettings, Settings, WorkerSettings
from carebus_runtime.subscription import Subscription
from carebus_runtime.telemetry import configure_traces

log = Log(__name__)

EXIT_CONFIGURATION = 2
EXIT_FATAL = 3


@dataclass(frozen=True, slots=True)
class Resource:
    """An outside system; registered together with its ping, so that /readyz cannot forget it."""

    name: str
    start: Callable[[], Awaitable[None]]
    stop: Callable[[], Awaitable[None]]
    ping: Callable[[], Awaitable[None]]


class Worker:
    """One process of one service."""

    def __init__(self, service: str, settings: WorkerSettings, kafka: KafkaSettings) -> None:
        self.service = service
        self.settings = settings
        self.kafka = kafka
        self.blobs = BlobStore(kafka.claim_check_url)
        self.producer = Producer(
            kafka,
            service=service,
            blobs=self.blobs,
            subject_key=kafka.subject_key.get_secret_value().encode(),
        )
        self._resources: list[Resource] = []
        self._consumptions: list[Consumption[Any]] = []
        self._background: list[Callable[[], Coroutine[Any, Any, None]]] = []
        self._awaited: list[asyncio.Event] = []
        self._routes: list[BaseRoute] = []
        self._stop = asyncio.Event()
        self._fault: FatalError | None = None
        self._starting = "starting"

    def resource(self, resource: Resource) -> None:
        """Start it before reading, ping it in /readyz, stop it at the end."""
        self._resources.append(resource)

    def subscribe(self, subscription: Subscription[Any]) -> Consumption[Any]:
        """Read a topic as a member of a group."""
        consumption = Consumption(
            subscription,
            settings=self.settings,
            producer=self.producer,
            blobs=self.blobs,
            halt=self.halt,
        )
        self._consumptions.append(consumption)
        return consumption

    def assignments(self) -> frozenset[tuple[str, int]]:
        """Topic and partition of all that is ours now."""
        return frozenset((c.topic, partition) for c in self._consumptions for partition in c.assignment)

    def background(
        self, work: Callable[[], Coroutine[Any, Any, None]], *, first: asyncio.Event | None = None
    ) -> None:
        """Run a coroutine from before the first message to the end; when it raises the worker halts.

        Args:
            work: The coroutine.
            first: Set by it when messages may be taken; None is at once.
        """
        self._background.append(work)
        if first is not None:
            self._awaited.append(first)

    def routes(self, routes: Sequence[BaseRoute]) -> None:
        """Serve more routes beside the health endpoints."""
        self._routes += routes

    def halt(self, fault: FatalError) -> None:
        """Stop without commit: going on would lose or spoil data."""
        self._fault = self._fault or fault
        self._stop.set()

    async def run(self) -> None:
        """Run until SIGTERM or SIGINT, or until something is beyond repair.

        Raises:
            ConfigurationError: It cannot start like this.
            FatalError: It halted.
        """
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stop.set)
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(
                serve(
                    self.settings.health_host,
                    self.settings.health_port,
                    [*health_routes(self._alive, self._ready), *self._routes],
                    variable=f"{self.settings.model_config.get('env_prefix', '')}HEALTH_PORT",
                )
            )
            if await self._start(stack):
                log.info("worker_started", service=self.service)
                await self._stop.wait()
            log.info("worker_draining", service=self.service)
            for consumption in self._consumptions:
                consumption.stop_waiting()
        log.info("worker_stopped", service=self.service)
        if self._fault is not None:
            raise self._fault

    async def _start(self, stack: AsyncExitStack) -> bool:
        for resource in self._resources:
            if not await self._eventually(resource.start, resource.name):
                return False
            stack.push_async_callback(resource.stop)
        if not await self._eventually(self.producer.start, "kafka"):
            return False
        stack.push_async_callback(self.producer.stop)
        tasks = [asyncio.create_task(self._watched(work)) for work in self._background]
        stack.push_async_callback(_cancel, tasks)
        self._starting = "reading what jobs were told"
        for event in self._awaited:
            if not await self._before_stop(event):
                return False
        if self._consumptions:
            broker = _broker(self.kafka, self.settings.grace_s)
            for consumption in self._consumptions:
                consumption.attach(broker)

            async def start_broker() -> None:
                try:
                    await broker.start()
                except (KafkaError, OSError) as error:
                    await broker.stop()
                    raise TransientError("Kafka does not answer", system="kafka") from error

            if not await self._eventually(start_broker, "kafka"):
                return False
            stack.push_async_callback(broker.stop)
        self._starting = ""
        return True

    async def _eventually(self, start: Callable[[], Awaitable[None]], name: str) -> bool:
        """Start something; wait for what is away; False when told to stop meanwhile."""
        for delay in growing_delays(self.settings.retry_first_s, self.settings.retry_longest_s):
            self._starting = f"starting {name}"
            try:
                await start()
            except TransientError as error:
                self._starting = f"waiting for {error.system}"
                log.warning("waiting", system=error.system, error=str(error), delay_s=delay)
                try:
                    await asyncio.wait_for(self._stop.wait(), delay)
                except TimeoutError:
                    continue
                return False
            else:
                return not self._stop.is_set()
        return False

    async def _before_stop(self, event: asyncio.Event) -> bool:
        """Wait for an event; False when told to stop before."""
        waits = [asyncio.create_task(each.wait()) for each in (event, self._stop)]
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            await _cancel(waits)
        return not self._stop.is_set()

    async def _watched(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        try:
            await work()
        except Exception as error:
            cause = _cause(error)
            if not isinstance(cause, FatalError):
                log.error("background_failed", exc_info=True)
                cause = FatalError(f"a background task failed: {type(cause).__name__}")
            self.halt(cause)

    async def _alive(self) -> str:
        return type(self._fault).__name__ if self._fault else ""

    async def _ready(self) -> str:
        if self._fault or self._stop.is_set():
            return "halted" if self._fault else "draining"
        if self._starting:
            return self._starting
        for consumption in self._consumptions:
            if consumption.waiting_for:
                return f"waiting for {consumption.waiting_for}"
        for resource in self._resources:
            try:
                await asyncio.wait_for(resource.ping(), 5)
            except (CareBusError, TimeoutError) as error:
                return f"{resource.name}: {error or 'no answer in 5 s'}"
        return ""


def _cause(error: Exception) -> Exception:
    """Return what a task group failed of, a fatal error before others; any other exception as it is."""
    while isinstance(error, ExceptionGroup):
        fatal, _ = error.split(FatalError)
        error = (fatal or error).exceptions[0]
    return error


async def _cancel(tasks: Sequence[asyncio.Task[Any]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _log_unseen(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log what nobody awaited. asyncio's own handler prints the exception's text, which may hold values."""
    error = context.get("exception")
    if error is None:
        log.error("loop_complains", message=context["message"])
    else:
        log.error("task_failed_unseen", exception=places_of_exception(error))


def _broker(kafka: KafkaSettings, grace_s: float) -> KafkaBroker:
    return KafkaBroker(
        kafka.bootstrap.split(","),
        security=_security(kafka),
        apply_types=False,
        graceful_timeout=grace_s,
        # Topics are made by `carebus topics ensure`, with the partitions and limits of the contract.
        allow_auto_create_topics=False,
        # Its two lines a batch are ours to say, as one span and one metric.
        log_level=logging.DEBUG,
        logger=logging.getLogger("faststream"),
    )


def _security(kafka: KafkaSettings) -> BaseSecurity | None:
    if kafka.security == "PLAINTEXT":
        return None
    encrypted = kafka.security.endswith("SSL")
    context = kafka.ssl_context() if encrypted else None
    if not kafka.security.startswith("SASL"):
        return BaseSecurity(ssl_context=context, use_ssl=encrypted)
    kind = {"PLAIN": SASLPlaintext, "SCRAM-SHA-256": SASLScram256, "SCRAM-SHA-512": SASLScram512}
    return kind[kafka.sasl_mechanism](
        username=kafka.sasl_username,
        password=kafka.sasl_password.get_secret_value(),
        ssl_context=context,
        use_ssl=encrypted,
    )


def run_worker(service: str, build: Callable[[], Worker], settings: Sequence[type[Settings]] = ()) -> None:
    """Build and run a worker, then leave the process; with ``--about`` print its settings instead.

    Exit status: 0 after a drain, 2 when it cannot start as configured, 3 when it halted.
    """

    if "--about" in sys.argv[1:]:
        print(about(settings))
        return

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(_log_unseen)
        worker = build()
        # Batches of decoded bundles are millions of tuples without a cycle among them; with Python's
        # defaults the collector walks them again and again (measured: two thirds of decoding time).
        gc.freeze()
        gc.set_threshold(20_000, 10, 10)
        configure_logs(service, worker.settings.log_level)
        configure_traces(service, worker.settings.otlp_endpoint)
        await worker.run()

    try:
        asyncio.run(main())
    except ConfigurationError as error:
        print(f"carebus {service}: {error}", file=sys.stderr)
        sys.exit(EXIT_CONFIGURATION)
    except FatalError as error:
        print(f"carebus {service} halted: {error}", file=sys.stderr)
        sys.exit(EXIT_FATAL)
