"""A network of Whisper's shape in torch, and its parts as the graphs that run on a chip."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

_BLOCKED = -10_000.0


@dataclass(frozen=True)
class Shape:
    """The sizes of the tiny model, each unlike those of real ones."""

    name: str = "nano"
    state: int = 64
    heads: int = 2
    layers: int = 2
    mels: int = 80
    frames: int = 400  # of 10 ms
    text: int = 448  # rows of the position table
    beam: int = 5
    pad: int = 64  # of prompts and caches

    @property
    def tag(self) -> str:
        """The end of file and graph names."""
        return f"{self.name}_{self.beam}beam_{self.pad}pad"


class Attention(nn.Module):
    """Attention over keys and values that are given as they are cached: not yet scaled."""

    def __init__(self, state: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.scale = (state // heads) ** -0.25
        self.query, self.key = nn.Linear(state, state), nn.Linear(state, state, bias=False)
        self.value, self.out = nn.Linear(state, state), nn.Linear(state, state)

    def _split(self, rows: Tensor) -> Tensor:
        return rows.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(
        self, rows: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None = None
    ) -> Tensor:
        """``rows`` [batch, rows, state] look at ``keys`` and ``values`` [batch, others, state]."""
        queries = self._split(self.query(rows) * self.scale)
        score = queries @ self._split(keys * self.scale).transpose(2, 3)
        if mask is not None:
            score = score + mask
        mixed = functional.softmax(score, -1) @ self._split(values)
        return self.out(mixed.transpose(1, 2).flatten(2))


class Block(nn.Module):
    """A layer; the decoder's look at the sound too."""

    def __init__(self, state: int, heads: int, hears: bool) -> None:
        super().__init__()
        self.own_norm, self.own = nn.LayerNorm(state), Attention(state, heads)
        if hears:
            self.sound_norm, self.sound = nn.LayerNorm(state), Attention(state, heads)
        self.inner_norm = nn.LayerNorm(state)
        self.inner = nn.Sequential(
            nn.Linear(state, 4 * state), nn.GELU(), nn.Linear(4 * state, state)
        )


class Whisper(nn.Module):
    """Encoder and decoder."""

    def __init__(self, shape: Shape, vocabulary: int) -> None:
        super().__init__()
        state, heads = shape.state, shape.heads
        self.shape = shape
        self.first = nn.Conv1d(shape.mels, state, 3, padding=1)
        self.second = nn.Conv1d(state, state, 3, stride=2, padding=1)
        self.register_buffer("places", _sinusoids(shape.frames // 2, state))
        self.encoder = nn.ModuleList(Block(state, heads, False) for _ in range(shape.layers))
        self.encoded_norm = nn.LayerNorm(state)
        self.embedding = nn.Embedding(vocabulary, state)
        self.positions = nn.Parameter(torch.randn(shape.text, state) * 0.02)
        self.decoder = nn.ModuleList(Block(state, heads, True) for _ in range(shape.layers))
        self.norm = nn.LayerNorm(state)
        nn.init.normal_(self.embedding.weight, std=0.05)

    def encode(self, mel: Tensor) -> Tensor:
        """[batch, mels, frames] to [batch, frames / 2, state]."""
        rows = functional.gelu(self.second(functional.gelu(self.first(mel)))).transpose(1, 2)
        rows = rows + self.places
        for block in self.encoder:
            seen = block.own_norm(rows)
            rows = rows + block.own(seen, block.own.key(seen), block.own.value(seen))
            rows = rows + block.inner(block.inner_norm(rows))
        return self.encoded_norm(rows)

    def logits(self, rows: Tensor) -> Tensor:
        """The embedding read backwards."""
        return self.norm(rows) @ self.embedding.weight.t()

    def decode(self, tokens: Tensor, sound: Tensor) -> Tensor:
        """Logits after each of whole sequences, as they are trained."""
        count = tokens.shape[1]
        mask = torch.full((count, count), _BLOCKED).triu(1)
        rows = self.embedding(tokens) + self.positions[:count]
        for block in self.decoder:
            rows, *_ = _attend(block, rows, sound, mask)
        return self.logits(rows)


def _sinusoids(length: int, channels: int) -> Tensor:
    rates = torch.exp(-torch.log(torch.tensor(10_000.0)) * torch.linspace(0, 1, channels // 2))
    angles = torch.arange(length)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)


def _attend(
    block: Block, rows: Tensor, sound: Tensor, mask: Tensor | None
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """A decoder layer: its rows and the four caches that come of it."""
    seen = block.own_norm(rows)
    keys, values = block.own.key(seen), block.own.value(seen)
    rows = rows + block.own(seen, keys, values, mask)
    heard_keys, heard_values = block.sound.key(sound), block.sound.value(sound)
    rows = rows + block.sound(block.sound_norm(rows), heard_keys, heard_values)
    rows = rows + block.inner(block.inner_norm(rows))
    return rows, keys, values, heard_keys, heard_values


class Part(nn.Module):
    """One graph: a function of the network's weights."""

    def __init__(self, network: Whisper) -> None:
        super().__init__()
        self.network = network


class Encoder(Part):
    """Sound to features."""

    def forward(self, mel: Tensor) -> Tensor:
        """See ``Whisper.encode``."""
        return self.network.encode(mel)


class LanguageDecoder(Part):
    """Logits after a single token, from which the language is told."""

    def forward(self, tokens: Tensor, sound: Tensor) -> Tensor:
        """[1, 1, vocabulary]."""
        return self.network.decode(tokens, sound)


class MainDecoder(Part):
    """The prompt, and the caches after it."""

    def forward(
        self, tokens: Tensor, sound: Tensor, position: Tensor, mask: Tensor
    ) -> tuple[Tensor, ...]:
        """Rows, then own keys, own values, keys and values of the sound, layer by layer."""
        rows = self.network.embedding(tokens) + position
        caches = []
        for block in self.network.decoder:
            rows, *made = _attend(block, rows, sound, mask.permute(0, 2, 1, 3))
            caches.append(made)
        return rows, *(cache for kind in zip(*caches, strict=True) for cache in kind)


class PostDecoder(nn.Module):
    """Logits of the prompt's end, and how likely it is that nobody speaks."""

    def __init__(self, network: Whisper, no_speech: int) -> None:
        super().__init__()
        self.network, self.no_speech = network, no_speech

    def forward(self, first: Tensor, last: Tensor) -> tuple[Tensor, Tensor]:
        """Rows [beam, 1, state] of the start token and of the last one."""
        logits = self.network.logits(torch.cat([first, last], 1))
        return logits[:, 1], functional.softmax(logits[:, 0], -1)[:, self.no_speech]


class LoopDecoder(nn.Module):
    """One more token for each beam; the caches move up by one row.

    ``rearranges``: each beam first goes on from the beam that an index names.
    """

    def __init__(self, network: Whisper, rearranges: bool) -> None:
        super().__init__()
        self.network, self.rearranges = network, rearranges

    def forward(
        self, tokens: Tensor, position: Tensor, mask: Tensor, *rest: Tensor
    ) -> tuple[Tensor, ...]:
        """Logits [beam, vocabulary], then own keys and own values."""
        index, caches = (rest[0], rest[1:]) if self.rearranges else (None, rest)
        layers = len(self.network.decoder)
        own_keys, own_values, keys, values = (
            caches[kind * layers : (kind + 1) * layers] for kind in range(4)
        )
        rows = self.network.embedding(tokens) + position
        mask = mask.permute(0, 2, 1, 3)
        made: tuple[list[Tensor], list[Tensor]] = ([], [])
        for number, block in enumerate(self.network.decoder):
            seen = block.own_norm(rows)
            news = (block.own.key(seen), block.own.value(seen))
            olds = (own_keys[number], own_values[number])
            for side, (old, new) in enumerate(zip(olds, news, strict=True)):
                if index is not None:
                    old = torch.index_select(old, 0, index)
                made[side].append(torch.cat([old[:, 1:], new], 1))
            rows = rows + block.own(seen, made[0][-1], made[1][-1], mask)
            rows = rows + block.sound(block.sound_norm(rows), keys[number], values[number])
            rows = rows + block.inner(block.inner_norm(rows))
        return self.network.logits(rows)[:, -1], *made[0], *made[1]


class Rearrange(nn.Module):
    """The separate form of what ``LoopDecoder`` can do by itself."""

    def forward(self, cache: Tensor, index: Tensor) -> Tensor:
        """The cache's beams in another order."""
        return torch.index_select(cache, 0, index)


def names(kind: str, layers: int) -> list[str]:
    """The vendor's names for one kind of cache, such as ``self_attn_kcache_in``."""
    return [f"{kind}.{layer}" for layer in range(layers)]
