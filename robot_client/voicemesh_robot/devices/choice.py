"""From the settings to devices."""

from __future__ import annotations

from pathlib import Path

from voicemesh_robot.clock import Clock
from voicemesh_robot.devices.device import InputDevice, OutputDevice
from voicemesh_robot.devices.file import (
    FileMicrophone,
    FileSpeaker,
    SilentMicrophone,
    SilentSpeaker,
)
from voicemesh_robot.devices.portaudio import PortAudio, check_installed
from voicemesh_robot.devices.sound_card import CardMicrophone, CardSpeaker
from voicemesh_robot.settings import RobotSettings

NO_DEVICE = "none"
_AUDIO_FILES = {".wav", ".flac", ".ogg"}


def _is_file(wanted: str) -> bool:
    return Path(wanted).suffix.lower() in _AUDIO_FILES


def hears_a_room(settings: RobotSettings) -> bool:
    """Whether the microphone that is named is one, and no file or nothing."""
    return settings.microphone != NO_DEVICE and not _is_file(settings.microphone)


def check_sound_cards(settings: RobotSettings) -> None:
    """EngineMissing where a sound card is named, but sound cards cannot be used at all.

    A card that is not there now may be plugged in later.
    """
    named = (settings.microphone, settings.speaker)
    if any(wanted != NO_DEVICE and not _is_file(wanted) for wanted in named):
        check_installed()


def choose_microphone(settings: RobotSettings, portaudio: PortAudio, clock: Clock) -> InputDevice:
    """The microphone that ``robot.microphone`` names; it is not opened."""
    wanted = settings.microphone
    if wanted == NO_DEVICE:
        return SilentMicrophone(clock)
    if _is_file(wanted):
        return FileMicrophone(Path(wanted), clock)
    return CardMicrophone(portaudio, wanted, settings.capture_rate_hertz)


def choose_speaker(settings: RobotSettings, portaudio: PortAudio, clock: Clock) -> OutputDevice:
    """The speaker that ``robot.speaker`` names; it is not opened."""
    wanted = settings.speaker
    if wanted == NO_DEVICE:
        return SilentSpeaker(settings.reply_rate_hertz, clock)
    if _is_file(wanted):
        return FileSpeaker(Path(wanted), settings.reply_rate_hertz, clock)
    return CardSpeaker(portaudio, wanted, settings.speaker_buffer_ms)
