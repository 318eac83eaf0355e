"""Settings of the sophon-llm engine."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from voicemesh.settings import Section


class SophonLLMSettings(Section):
    """``[llm.sophon_llm]``: a bmodel on a Sophgo TPU; [devices.llm] says on which one."""

    model: Path | None = Field(
        None,
        description="The bmodel, or the folder that holds it alone. All else is read from its "
        "nets: layers, sequence, precision, heads. No default: models differ in chip and size.",
    )
    tokenizer: str = Field(
        "",
        description="Folder with the publisher's tokenizer.json (or tokenizer.model), "
        "tokenizer_config.json and generation_config.json. Empty: the bmodel's own folder or "
        "config, token_config, tokenizer in it, where converters put it.",
    )
    chat_template: str = Field(
        "",
        description="A Jinja file, or chatml, llama3 or minicpm. Empty: the tokenizer folder's "
        "own, which the model was trained with.",
    )
    template_options: dict[str, Any] = Field(
        default_factory=lambda: {"enable_thinking": False},
        description="Further variables of the chat template. The default keeps Qwen3 and its like "
        "from thinking first, which would delay the voice; other templates ignore it.",
    )
    slots: int = Field(
        2,
        ge=1,
        le=64,
        description="Conversations whose keys and values stay on the chip for their next turn. "
        "A robot talks with one person; the second place serves a test or a second client. A slot "
        "costs the model's whole cache: 2 x layers x sequence x kv heads x head size x 2 bytes.",
    )
    temperature: float | None = Field(
        None,
        ge=0,
        le=2,
        description="Divides the logits where the request names none; 0: always the likeliest "
        "token. Unset: as generation_config.json advises; 0 without advice or with a fused head.",
    )
    top_p: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Only the likeliest tokens within this share of probability. Unset: as "
        "advised, else 1 (all).",
    )
    top_k: int | None = Field(
        None,
        ge=0,
        description="Only this many likeliest tokens; 0: all. Unset: as advised, else all.",
    )
    min_p: float | None = Field(
        None,
        ge=0,
        le=1,
        description="Only tokens with at least this share of the likeliest one's probability. "
        "Unset: as advised, else 0 (off).",
    )
    repetition_penalty: float | None = Field(
        None,
        gt=0,
        le=10,
        description="Divides the logits of recent tokens; above 1 makes repetition less likely. "
        "Unset: as advised, else 1 (off).",
    )
    penalty_window_tokens: int = Field(
        256,
        ge=1,
        le=100_000,
        description="How many of the latest tokens, prompt included, the penalty looks at. Two "
        "minutes of talk: a whole history would punish the names that it is about.",
    )
    sampler: Literal["host", "chip"] = Field(
        "host",
        description="Where tokens are drawn when temperature is above 0. host knows every option "
        "and reads the logits for each token (0.5 MB at most, below 1 ms); chip takes the 50 "
        "candidates of the model's sampling head, where it has one and top_k is not above.",
    )
    max_tokens: int = Field(
        512,
        ge=1,
        le=100_000,
        description="Longest reply in tokens where neither request nor service set one: about "
        "three minutes of speech.",
    )
    reply_room_tokens: int = Field(
        128,
        ge=1,
        le=100_000,
        description="Tokens of the sequence that a prompt leaves free for its reply, at most half "
        "of it; the oldest exchanges are dropped for them. Enough for the two or three sentences "
        "that are spoken.",
    )
    piece_tokens: int = Field(
        0,
        ge=0,
        le=100_000,
        description="The most tokens read in one go by models with block_kv nets; 0: as many as "
        "their nets take. Fewer let recognition and synthesis on a shared chip in sooner, since "
        "they wait for one launch; each piece reads all weights once more.",
    )
    steps_up_to_tokens: int | None = Field(
        None,
        ge=0,
        le=100_000,
        description="Feed what follows the cached beginning of a prompt token by token up to this "
        "length, and read it in one go above. Unset: whichever is faster, as measured at load and "
        "since, for prompts of which nothing is cached as well. 0: never by token.",
    )
    read_ahead: bool = Field(
        True,
        description="Read llm.system_prompt (and system_prompt_zh, as far as mesh.languages names "
        "Chinese) at load, one for each slot, so that the first question finds it cached. Takes as "
        "long as a question.",
    )
    self_test: bool = Field(
        True,
        description="Ask the model two questions at load and refuse weights that give nonsense. "
        "Takes about as long as two replies of four tokens.",
    )
