"""A speaker's recogniser that takes a slot when an utterance begins, and gives it back after it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import replace

import numpy as np

from voicemesh.audio import Samples
from voicemesh.errors import Busy
from voicemesh_asr.engines.engine import Hypothesis, Phrase, RecognizerSession, SessionOptions
from voicemesh_asr.recognizer_slots.slots import RecognizerSlots

OpenSession = Callable[[SessionOptions], Awaitable[RecognizerSession]]

_HELD_S = 10
"""Audio that is held while an utterance waits for its slot. More than the longest wait in
real time; what comes faster waits in the transport."""
_LOOKS_AGAIN_S = 0.05


class UtteranceSession:
    """The session of a stream. See RecognizerSession; ``accept`` and ``finish`` raise Busy.

    While the utterance waits for a slot its audio is held, so that nothing that was said is
    lost: ``accept`` returns at once, ``finish`` waits. After Busy the utterance is to be reset.
    """

    def __init__(
        self,
        slots: RecognizerSlots,
        open_session: OpenSession,
        options: SessionOptions,
        rate_hertz: int,
    ) -> None:
        """``open_session`` opens a session of the engine, at ``rate_hertz``."""
        self._slots = slots
        self._open_session = open_session
        self._options = options
        self._most_held = _HELD_S * rate_hertz
        self._session: RecognizerSession | None = None
        self._claim: asyncio.Future[None] | None = None
        self._give_up_s = 0.0
        self._held: list[Samples] = []
        self._changing = asyncio.Lock()

    async def prepare(self) -> None:
        """Open a session ahead where a slot is unused: the first utterance then begins at once."""
        if not self._slots.has_unused:
            return
        self._begin()
        self._give_up_s = 0.0
        try:
            # A decoder that is being restarted will be there when somebody speaks.
            with suppress(Busy):
                await self._opened()
        finally:
            await self._end(keep=self._session is not None)

    def _begin(self) -> None:
        self._claim = self._slots.claim(self)
        self._give_up_s = asyncio.get_running_loop().time() + self._slots.wait_s

    async def _opened(self) -> RecognizerSession:
        """The session, as soon as the utterance has its slot."""
        if self._claim is None:
            self._begin()
        assert self._claim is not None, "the utterance has begun"
        await self._claim
        while self._session is None:
            await self._slots.make_room()
            try:
                self._session = await self._open_session(self._options)
            except Busy:  # One may be restarting after a crash.
                if asyncio.get_running_loop().time() + _LOOKS_AGAIN_S > self._give_up_s:
                    raise
                await asyncio.sleep(_LOOKS_AGAIN_S)
        return self._session

    async def accept(self, samples: Samples) -> Hypothesis | None:
        """See RecognizerSession; None while the utterance waits for a slot."""
        if self._claim is None:
            self._begin()
        assert self._claim is not None, "the utterance has begun"
        self._held.append(samples)
        if not self._claim.done() and sum(map(len, self._held)) < self._most_held:
            return None
        return await self._catch_up()

    async def _catch_up(self) -> Hypothesis | None:
        session = await self._opened()
        if not self._held:
            return None
        samples = self._held[0] if len(self._held) == 1 else np.concatenate(self._held)
        self._held.clear()
        return await session.accept(samples)

    async def finish(self) -> Hypothesis:
        """See RecognizerSession."""
        await self._catch_up()
        return await (await self._opened()).finish()

    async def resume(self) -> None:
        """See RecognizerSession."""
        if self._session is not None:
            await self._session.resume()

    async def reset(self) -> None:
        """The utterance is over: its slot is somebody else's."""
        if self._speaking and self._session is not None:
            await self._session.reset()
        await self._end(keep=self._session is not None)

    @property
    def _speaking(self) -> bool:
        """Whether an utterance has a slot."""
        claim = self._claim
        return (
            claim is not None and claim.done() and not claim.cancelled() and not claim.exception()
        )

    async def _end(self, *, keep: bool) -> None:
        speaking, claim = self._speaking, self._claim
        self._claim = None
        self._held.clear()
        if speaking:
            await self._slots.give_back(self, keep=keep)
        elif claim is not None:
            claim.cancel()

    async def set_phrases(self, phrases: Sequence[Phrase]) -> None:
        """See RecognizerSession. Where no session is open, the next one is opened with them."""
        self._options = replace(self._options, phrases=tuple(phrases))
        async with self._changing:
            if self._session is not None:
                await self._session.set_phrases(phrases)

    async def let_go(self) -> None:
        """Close the session, whose slot another speaker needs."""
        async with self._changing:
            session, self._session = self._session, None
            if session is not None:
                await session.close()

    async def close(self) -> None:
        """The speaker is gone."""
        await self._end(keep=False)
        await self._slots.forget(self)
