"""What the robot does when nobody has spoken for long: ask, say good-bye, fall asleep."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from voicemesh_orchestrator.settings import ProactiveSettings


class IdleTimer:
    """Counts silence from the last moment in which anything was said.

    What the robot says by itself does not count: it is asked for by the silence.
    """

    def __init__(
        self,
        settings: ProactiveSettings,
        say: Callable[[str], bool],
        fall_asleep: Callable[[float], None],
    ) -> None:
        """``say`` tells whether it is said. ``fall_asleep`` gets the seconds of silence."""
        self._settings = settings
        self._say = say
        self._fall_asleep = fall_asleep
        self._timers: list[asyncio.TimerHandle] = []
        self._sleepy = False

    def spoken(self) -> None:
        """Somebody has spoken, or was answered: the silence begins anew."""
        self.close()
        settings = self._settings
        loop = asyncio.get_running_loop()
        if settings.silence_prompt:
            after_s = settings.silence_prompt_after_s
            self._timers.append(loop.call_later(after_s, self._say, settings.silence_prompt))
        if settings.sleep_after_s:
            self._timers.append(loop.call_later(settings.sleep_after_s, self._say_goodbye))

    def _say_goodbye(self) -> None:
        if self._settings.goodbye and self._say(self._settings.goodbye):
            self._sleepy = True  # Asleep when it has been said.
        else:
            self._fall_asleep(self._settings.sleep_after_s)

    def silent(self) -> None:
        """The robot has said what it had to say by itself."""
        if self._sleepy:
            self._sleepy = False
            self._fall_asleep(self._settings.sleep_after_s)

    def close(self) -> None:
        """Count no more."""
        self._sleepy = False
        for timer in self._timers:
            timer.cancel()
        self._timers.clear()
