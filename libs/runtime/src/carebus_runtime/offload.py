"""Work off the event loop, so that heartbeats to Kafka go on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
_END = object()


class Offload:
    """One thread for work that must not run twice at a time (an engine's connection, a big conversion)."""

    def __init__(self, name: str) -> None:
        self._pool = ThreadPoolExecutor(max_workers=1, thread_name_prefix=name)

    async def run(self, work: Callable[[], T]) -> T:
        """Run a function in the thread."""
        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    async def chunks(self, items: Iterator[T], size: int) -> AsyncIterator[list[T]]:
        """Draw an iterator in the thread, ``size`` items at a time."""

        def draw() -> list[T]:
            chunk: list[T] = []
            while len(chunk) < size:
                item = next(items, _END)
                if item is _END:
                    break
                chunk.append(item)  # type: ignore[arg-type]
            return chunk

        while chunk := await self.run(draw):
            yield chunk

    def close(self) -> None:
        """Let the thread end."""
        self._pool.shutdown(wait=False, cancel_futures=True)
