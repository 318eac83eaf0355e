"""A watch of a chip's owner: whether it is there, and its news."""

from __future__ import annotations

import asyncio
from typing import Any

from voicemesh.errors import EngineError, Unavailable
from voicemesh_sophon.chip_owner import wire
from voicemesh_sophon.client.owner_link import CONNECT_S, no_owner
from voicemesh_sophon.placing.placement import Placement

NEWS_EVERY_S = 2.0
"""Metrics are scraped less often than that."""


class ChipWatch:
    """A connection to the owner that ends when the owner does."""

    def __init__(self, placement: Placement) -> None:
        """Connects to nothing before ``connect``."""
        self._placement = placement
        self.greeting: dict[str, Any] = {}
        """What the owner said of the chip; empty before the first connection."""
        self.news: dict[str, Any] = {}
        """What the owner told last; empty while it is lost."""
        self.told = asyncio.Event()
        """Set by all news; who waits for the next ones clears it first."""
        self.fault = ""
        """Why it is lost; empty while it is there."""
        self.cause = ""
        """The same in a word: what the owner said of it, "parted" where it parted from the
        engine alone, "gone" where it said nothing."""
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter | None = None

    @property
    def placement(self) -> Placement:
        """The place on the chip that it watches for."""
        return self._placement

    @property
    def name(self) -> str:
        """The chip's name, such as "bm1688:0"."""
        target = self.greeting.get("target") or "sophgo"
        return f"{target.lower()}:{self.placement.device}"

    async def connect(self) -> None:
        """Unavailable, with the cure, where no owner answers."""
        await self.close()
        try:
            async with asyncio.timeout(CONNECT_S):
                self._reader, self._writer = await asyncio.open_unix_connection(
                    self.placement.socket
                )
                hello = {"protocol": wire.PROTOCOL, "service": wire.WATCH}
                self.greeting = await self._exchange(hello)
                if "error" not in self.greeting:
                    await self._ask()
        except (OSError, EOFError, TimeoutError, wire.Malformed) as error:
            self.fault = str(error) or "it does not answer"
            await self.close()
            raise no_owner(self.placement, self.fault) from None
        if "error" in self.greeting:
            self.fault = self.greeting["error"]
            await self.close()
            raise EngineError(f"the owner of chip {self.placement.device}: {self.fault}")
        self.fault = ""

    async def lost(self) -> str:
        """Wait until the owner has gone, or has parted from this service's engine; why."""
        reader = self._reader
        seen = False
        while True:
            self.cause = "gone"
            try:
                async with asyncio.timeout(NEWS_EVERY_S):
                    begun = await reader.readexactly(1)
                await self._hear_farewell(begun)
            except TimeoutError:
                try:
                    await self._ask()
                except (OSError, EOFError, wire.Malformed) as error:
                    self.fault = f"its owner has gone ({error})"
                else:
                    there = self._has_engine()
                    seen = seen or there
                    if there or not seen:
                        continue
                    self.fault = "its owner has closed the engine's connection"
                    self.cause = "parted"
            except (OSError, EOFError, wire.Malformed):
                self.fault = "its owner has gone"
            self.news = {}
            await self.close()
            return self.fault

    async def _hear_farewell(self, begun: bytes) -> None:
        """What an owner that ends says without being asked; ``begun``: its first byte."""
        told = await self._header(begun)
        self.fault = told.get("lost", "its owner speaks without being asked")
        self.cause = told.get("cause", "gone")

    def _has_engine(self) -> bool:
        clients = self.news.get("clients", ())
        return any(client["service"] == self.placement.service for client in clients)

    async def _ask(self) -> None:
        self.news = await self._exchange({})
        self.told.set()

    async def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        if self._writer is None:
            raise Unavailable("the watch is closed")
        self._writer.write(wire.encode(request))
        await self._writer.drain()
        return await self._header()

    async def _header(self, begun: bytes = b"") -> dict[str, Any]:
        """The header of the next frame, of which ``begun`` has been read."""
        head = begun + await self._reader.readexactly(wire.LENGTHS.size - len(begun))
        header_bytes, payload_bytes = wire.lengths(head)
        header = wire.parsed(await self._reader.readexactly(header_bytes))
        await self._reader.readexactly(payload_bytes)
        return header

    async def close(self) -> None:
        """Hang up. Never raises."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()
