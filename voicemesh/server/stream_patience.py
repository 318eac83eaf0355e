"""How long a client may hold a stream open without using it."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from pydantic import Field

from voicemesh.aio import SilenceLimit
from voicemesh.errors import DeadlineExceeded
from voicemesh.settings import Section

T = TypeVar("T")


class StreamDeadlines(Section):
    """``[asr.deadlines]``, ``[tts.deadlines]``: how long a stream may be open without use."""

    first_message_s: float = Field(
        10.0,
        gt=0,
        le=3600,
        description="Seconds from the opening of a stream to its config, which clients send at "
        "once. One that never comes would hold the connection's memory.",
    )
    client_silence_s: float = Field(
        30.0,
        gt=0,
        le=86400,
        description="Seconds without any message after which the client counts as gone. Six of the "
        "heartbeats that an orchestrator sends.",
    )
    heartbeats_only_s: float = Field(
        60.0,
        gt=0,
        le=86400,
        description="Seconds with heartbeats alone after which a stream gives its place back. An "
        "orchestrator opens another by itself, in milliseconds, so a conversation that has been "
        "silent for longer notices nothing.",
    )


class Limit:
    """One way to be silent for too long, and what is said about it."""

    def __init__(
        self,
        seconds: float,
        sentence: str,
        counts: Callable[[], bool],
        *,
        heartbeats: bool = False,
    ) -> None:
        """``counts``: whether silence is the client's fault just now.

        ``heartbeats``: whether they are signs of life.
        """
        self.heartbeats = heartbeats
        self.silence = SilenceLimit(seconds, counts)
        self.sentence = sentence


class StreamPatience:
    """Ends one stream with DeadlineExceeded when its client holds it without using it.

        first = await patience.first(requests)
        async with patience.watching():
            async for request in patience.messages(requests, is_heartbeat):
                ...

    Only time in which the next message is waited for counts: a client cannot send while
    the service is behind. ``busy`` are times in which none has to come.
    """

    def __init__(self, deadlines: StreamDeadlines, section: str, use: str) -> None:
        """``section`` names the settings; ``use``: what a stream is for, such as "sound"."""
        self._deadlines = deadlines
        self._path = f"{section}.deadlines"
        self.busy: Callable[[], bool] = lambda: False
        self._waiting = False
        alone = deadlines.heartbeats_only_s
        silence = deadlines.client_silence_s
        self._limits = [
            Limit(
                silence,
                f"nothing came from the client for {silence:g} s, not even a heartbeat; send {use} "
                f"or heartbeats, or raise {self._path}.client_silence_s",
                self._idle,
                heartbeats=True,
            ),
            Limit(
                alone,
                f"nothing but heartbeats came for {alone:g} s, and others may need the place; open "
                f"another stream for the next {use}, or raise {self._path}.heartbeats_only_s",
                self._idle,
            ),
        ]

    def _idle(self) -> bool:
        return self._waiting and not self.busy()

    def also(self, seconds: float, sentence: str, counts: Callable[[], bool]) -> None:
        """Limit the time without use further while ``counts``."""
        limit = Limit(seconds, sentence, lambda: self._waiting and counts())
        self._limits.append(limit)

    async def first(self, requests: AsyncIterator[T]) -> T | None:
        """The first message; None: the client has ended its side."""
        seconds = self._deadlines.first_message_s
        limit = SilenceLimit(seconds)
        try:
            async with limit:
                return await anext(requests, None)
        except TimeoutError:
            if not limit.expired:
                raise
            raise DeadlineExceeded(
                f"the first message did not come within {seconds:g} s; send the config at once, or "
                f"raise {self._path}.first_message_s"
            ) from None

    @asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Limit the silence of the messages that are read within the body."""
        limits = self._limits.copy()
        try:
            async with AsyncExitStack() as stack:
                for limit in limits:
                    await stack.enter_async_context(limit.silence)
                yield
        except TimeoutError:
            for limit in limits:
                if limit.silence.expired:
                    raise DeadlineExceeded(limit.sentence) from None
            raise
        finally:
            self._limits.clear()  # They hold us and are held by us.

    async def messages(
        self, requests: AsyncIterator[T], is_heartbeat: Callable[[T], bool]
    ) -> AsyncIterator[T]:
        """The rest of the messages."""
        while True:
            self._waiting = True
            try:
                request = await anext(requests)
            except StopAsyncIteration:
                return
            finally:
                self._waiting = False
            beats = is_heartbeat(request)
            for limit in self._limits:
                if limit.heartbeats or not beats:
                    limit.silence.heard()
            yield request
