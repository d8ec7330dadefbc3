"""Streams that show that they are alive while there is nothing to tell."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress


async def beating(told: AsyncIterator[bytes], seconds: float, beat: bytes) -> AsyncIterator[bytes]:
    """What is told, and ``beat`` whenever nothing was for so many seconds. Ends when ``told`` does."""
    coming: asyncio.Future[bytes] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(told))
            done, _ = await asyncio.wait({coming}, timeout=seconds)
            if not done:
                yield beat
                continue
            try:
                chunk = coming.result()
            except StopAsyncIteration:
                return
            coming = None
            yield chunk
    finally:
        if coming is not None and not coming.done():
            coming.cancel()
            with suppress(asyncio.CancelledError):
                await coming
