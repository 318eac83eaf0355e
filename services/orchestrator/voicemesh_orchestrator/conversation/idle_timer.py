"""What the robot does when nobody has spoken for long: ask, say good-bye, fall asleep."""

from __future__ import annotations

from typing import Protocol

from voicemesh_orchestrator.conversation.timers import Timers
from voicemesh_orchestrator.settings import ProactiveSettings


class IdleActions(Protocol):
    """What the conversation does when it has been idle."""

    def speak(self, text: str) -> bool:
        """Have the robot speak ``text`` by itself; whether the floor is free for it."""

    def fall_asleep(self, idle_s: float) -> None:
        """Tell the client that the robot may sleep, after so many seconds of silence."""


class IdleTimer:
    """Counts silence from the last moment in which anything was said.

    What the robot says by itself does not count: it is asked for by the silence.
    """

    def __init__(self, settings: ProactiveSettings, actions: IdleActions) -> None:
        """Counts from ``restart`` on."""
        self._settings = settings
        self._actions = actions
        self._timers = Timers()
        self._sleepy = False

    def restart(self) -> None:
        """Somebody has spoken, or was answered: the silence begins anew."""
        self.close()
        settings = self._settings
        if settings.silence_prompt:
            self._timers.after(settings.silence_prompt_after_s, self._prompt)
        if settings.sleep_after_s:
            self._timers.after(settings.sleep_after_s, self._say_goodbye)

    def _prompt(self) -> None:
        self._actions.speak(self._settings.silence_prompt)

    def _say_goodbye(self) -> None:
        if self._settings.goodbye and self._actions.speak(self._settings.goodbye):
            self._sleepy = True  # Asleep when it has been said.
        else:
            self._actions.fall_asleep(self._settings.sleep_after_s)

    def robot_spoke(self) -> None:
        """The robot has said what it had to say by itself."""
        if self._sleepy:
            self._sleepy = False
            self._actions.fall_asleep(self._settings.sleep_after_s)

    def close(self) -> None:
        """Count no more."""
        self._sleepy = False
        self._timers.cancel()
