"""Who watches a conversation without changing it."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Protocol

from voicemesh.v1 import dialog_pb2

log = logging.getLogger(__name__)


class Observer(Protocol):
    """Sees every message of one conversation. It must neither block nor change a message."""

    @property
    def keeps(self) -> bool:
        """Whether it keeps what is said, which the client is told."""

    def heard(self, request: dialog_pb2.ConverseRequest) -> None:
        """The client said this, after its config; it has been checked."""

    def said(self, response: dialog_pb2.ConverseResponse) -> None:
        """The client is told this."""

    def over(self) -> None:
        """The conversation has ended."""


Watch = Callable[[str, dialog_pb2.ConverseConfig], Observer | None]
"""Makes the observer of a conversation, given its id and config; None: it does not watch."""


class Observers:
    """All that watch a conversation. One that fails watches no more; the conversation goes on."""

    def __init__(self, watches: Sequence[Watch]) -> None:
        """Nobody watches before ``begin``."""
        self._watches = watches
        self._observers: list[Observer] = []

    def begin(self, conversation_id: str, config: dialog_pb2.ConverseConfig) -> None:
        """The conversation has been admitted: ask each of the watches for its observer."""
        for watch in self._watches:
            try:
                observer = watch(conversation_id, config)
            except Exception:
                log.exception("a conversation is not observed")
                continue
            if observer is not None:
                self._observers.append(observer)

    @property
    def keep(self) -> bool:
        """Whether any of them keeps what is said."""
        return any(observer.keeps for observer in self._observers)

    def heard(self, request: dialog_pb2.ConverseRequest) -> None:
        """Show them what the client said."""
        self._show(lambda observer: observer.heard(request))

    def said(self, response: dialog_pb2.ConverseResponse) -> None:
        """Show them what the client is told."""
        self._show(lambda observer: observer.said(response))

    def __enter__(self) -> Observers:
        """Within, the conversation goes on."""
        return self

    def __exit__(self, *_: object) -> None:
        """Tell them that the conversation has ended, however it did."""
        self._show(lambda observer: observer.over())
        self._observers.clear()

    def _show(self, tell: Callable[[Observer], None]) -> None:
        for observer in tuple(self._observers):
            try:
                tell(observer)
            except Exception:
                log.exception("an observer failed and watches no more")
                self._observers.remove(observer)
