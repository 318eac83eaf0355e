"""Two counts of the same time: the microphone's samples and the engine's."""

from __future__ import annotations

from dataclasses import dataclass

from voicemesh_asr.vad.activity import Activity


@dataclass(frozen=True)
class MicrophoneClock:
    """Maps the engine's sample index to the microphone's.

    Clients count samples at their own rate from where they like; the engine
    counts at its own rate from the stream's first sample.
    """

    first_sample: int
    rate_hertz: int
    engine_rate_hertz: int

    def sample(self, engine_sample: int) -> int:
        """The microphone's sample at which ``engine_sample`` was recorded."""
        return self.first_sample + engine_sample * self.rate_hertz // self.engine_rate_hertz

    def engine_sample(self, sample: int) -> int:
        """The engine's sample at the microphone's ``sample``."""
        return (sample - self.first_sample) * self.engine_rate_hertz // self.rate_hertz

    def activity(self, activity: Activity) -> Activity:
        """A judged frame on the microphone's clock."""
        if self.first_sample == 0 and self.rate_hertz == self.engine_rate_hertz:
            return activity
        return activity._replace(
            begin=self.sample(activity.begin),
            end=self.sample(activity.end),
            onset=self.sample(activity.onset),
            voiced_end=self.sample(activity.voiced_end),
        )
