"""The robot: one microphone, one loudspeaker, and what they have in common."""

from __future__ import annotations

from collections.abc import Callable

from voicemesh.errors import InvalidArgument
from voicemesh.v1 import common_pb2, robot_pb2
from voicemesh.workers import ThreadWorker
from voicemesh_robot import metrics
from voicemesh_robot.clock import Clock, MonotonicClock
from voicemesh_robot.devices.choice import choose_microphone, choose_speaker, hears_a_room
from voicemesh_robot.devices.device import InputDevice, OutputDevice
from voicemesh_robot.devices.notices import Notice, Observe, to_log
from voicemesh_robot.devices.portaudio import PortAudio
from voicemesh_robot.echo.choice import canceller_maker
from voicemesh_robot.echo.evidence import echo_message
from voicemesh_robot.echo.guard import EchoGuard
from voicemesh_robot.local_vad import LocalVad, make_local_vad
from voicemesh_robot.settings import RobotSettings
from voicemesh_robot.sound.local_pause import LocalPause
from voicemesh_robot.sound.microphone import Microphone
from voicemesh_robot.sound.speaker import Speaker
from voicemesh_robot.sound.speech_gate import GateTimes
from voicemesh_robot.sound.speech_source import SpeechSource


def checked_volume(request: robot_pb2.DuckRequest) -> float:
    """The volume that is asked for; InvalidArgument where it is none."""
    if not 0 <= request.volume <= 1:
        raise InvalidArgument(
            f"{request.volume:g} is no share of the usual volume; ask for 0 to 1", field="volume"
        )
    return request.volume


class Robot:
    """Microphone, speaker and local voice activity detector, by the settings."""

    def __init__(
        self,
        settings: RobotSettings,
        *,
        microphone: InputDevice | None = None,
        speaker: OutputDevice | None = None,
        clock: Clock | None = None,
        observe: Observe = to_log,
    ) -> None:
        """Devices given here take the place of those that the settings name."""
        self.settings = settings
        self.clock = clock or MonotonicClock()
        self._observe = observe
        portaudio = PortAudio()
        self.microphone = Microphone(
            microphone or choose_microphone(settings, portaudio, self.clock),
            self.clock,
            self._noticed,
        )
        is_file = microphone is None and not hears_a_room(settings)
        self.echo: EchoGuard | None = None
        """Keeps the robot from hearing itself; None: nobody has to."""
        canceller = settings.echo.chosen_for(self.microphone.name, is_file)
        if canceller is not None:
            rate = Microphone.rate_hertz
            make = canceller_maker(canceller, rate, settings.echo.times())
            self.echo = EchoGuard(rate, make, self.clock)
        self.speaker = Speaker(
            speaker or choose_speaker(settings, portaudio, self.clock),
            self.clock,
            self._noticed,
            None if self.echo is None else self.echo.reference,
        )
        self.local_pause = LocalPause(
            self.speaker,
            self.clock,
            settings.resume_after_ms / 1000,
            settings.pause_on_speech,
        )
        self._worker = ThreadWorker("local vad")

    def _noticed(self, notice: Notice) -> None:
        metrics.DEVICE_EVENTS.labels(notice.kind).inc()
        if notice.kind == "back" and self.echo is not None:
            self.echo.reset()
        self._observe(notice)

    async def speech_source(
        self, on_speech: Callable[[int], None], first_sample: int | None = None
    ) -> SpeechSource:
        """What the microphone hears from this moment on, through the local detector."""
        settings = self.settings
        vad: LocalVad = await self._worker.run(
            make_local_vad, settings.vad_type, settings.vad_level
        )
        times = GateTimes.of_ms(
            Microphone.rate_hertz,
            pre_roll_ms=settings.pre_roll_ms,
            hang_over_ms=settings.hang_over_ms,
            silence_chunk_ms=settings.silence_chunk_ms,
        )
        return SpeechSource(
            self.microphone,
            vad,
            self._worker,
            times,
            first_sample=first_sample,
            chunk_samples=Microphone.rate_hertz * settings.chunk_duration_ms // 1000,
            on_speech=on_speech,
            on_sign=self.local_pause.sign,
            echo=self.echo,
        )

    def microphone_sample(self) -> int:
        """The microphone's sample of this moment."""
        return self.microphone.sample_at(self.clock.now())

    def report(self, microphone_sample: int | None = None) -> common_pb2.PlaybackReport:
        """Where playback stands; the microphone's sample is its own count unless given."""
        sample = self.microphone_sample() if microphone_sample is None else microphone_sample
        return self.speaker.report(sample)

    def pause(self) -> None:
        """Fall silent; goes on only when it is told to."""
        self.local_pause.overruled()
        self.speaker.pause()

    def duck(self, volume: float) -> None:
        """Play more quietly: a local pause ends, because the mesh wants to be heard."""
        self.resume()
        self.speaker.duck(volume)

    def resume(self) -> None:
        """Go on playing."""
        self.local_pause.overruled()
        self.speaker.resume()

    def stop(self, microphone_sample: int | None = None) -> common_pb2.PlaybackReport:
        """Play no more; where it stood."""
        self.local_pause.overruled()
        played = self.speaker.stop()
        report = self.report(microphone_sample)
        report.played_samples = played
        return report

    def status(self) -> robot_pb2.GetStatusResponse:
        """What the robot is doing."""
        level = self.microphone.level
        metrics.LEVEL.set(level.dbfs)
        metrics.CLIPPED.set(level.clipped_share)
        return robot_pb2.GetStatusResponse(
            listening=self.microphone.is_open,
            playing=self.speaker.playing,
            paused=self.speaker.paused,
            microphone_level_dbfs=level.dbfs,
            clipped_share=level.clipped_share,
            microphone=self.microphone.name,
            speaker=self.speaker.name,
            playback=self.report(),
            facts=self.settings.facts,
            echo=None if self.echo is None else echo_message(self.echo.evidence),
        )

    async def close(self) -> None:
        """Close both devices."""
        await self.local_pause.close()
        await self.microphone.close()
        await self.speaker.close()
        self._worker.close()
