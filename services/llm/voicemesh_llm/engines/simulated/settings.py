"""Settings of the simulated engine."""

from pydantic import Field

from voicemesh.settings import Section

_REPLY = (
    "Artificial intelligence is the science of making machines think. It lets computers learn "
    "from data, understand speech, and solve problems that once needed people. You meet it every "
    "day in search, maps, phones, and tools like the one you use."
)


class SimulatedSettings(Section):
    """``[llm.simulated]``: what is answered, and how long a real model would take."""

    replies: tuple[str, ...] = Field(
        (_REPLY,),
        min_length=1,
        description="The replies to a conversation's questions, one after the other and over "
        "again, counted by the questions in the prompt. The default is that of `voicemesh bench`.",
    )
    first_token_ms: float = Field(
        50.0,
        ge=0,
        le=60_000,
        description="Milliseconds from the prompt to the first token. 50: a small model on a "
        "graphics card.",
    )
    prefill_tokens_per_second: float = Field(
        0.0,
        ge=0,
        le=1e6,
        description="Prompt tokens read per second before the first token, on top of "
        "first_token_ms. 0: the length of the prompt costs nothing.",
    )
    tokens_per_second: float = Field(
        50.0,
        gt=0,
        le=1e5,
        description="Pace of the reply: a word is a token, and so is a Chinese character. 50: "
        "ten times as fast as speech.",
    )
    jobs_at_once: int = Field(
        0,
        ge=0,
        le=4096,
        description="Replies that the device generates at once; others wait for their first "
        "token. 0: no limit. A TPU without batching takes one. Who is refused instead of waiting "
        "is set by llm.max_concurrent_streams.",
    )
