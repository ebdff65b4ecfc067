"""The token decoder: codec tokens of a sound, frame by frame, level by level (RQ-transformer, Lee et al. 2022).

A causal *temporal* transformer runs over the frames of the box and a small *depth* transformer over the levels of a
frame. Instead of learned embeddings of every code, the networks read the codebooks' own vectors (log band powers of
what has been said so far), which needs far fewer examples. Only the box's frames are decoded; what surrounds it
arrives through the scene encoder.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from recomposer_studio.audio.bands import BANDS
from recomposer_studio.codec.inference import one_thread
from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.model.conditioning import EVENT_VECTOR, Conditioning
from recomposer_studio.model.encoder import EncoderConfig, SceneEncoder
from recomposer_studio.model.sampling import draw_code
from recomposer_studio.model.transformer import Cache, Transformer, TransformerConfig
from recomposer_studio.project.recipe import Decoding

_PAIR = 2
SCENE_FEATURES = _PAIR * BANDS + 1
"""Input features of a scene's token frame: relative log powers of two grid frames, and whether it lies in the box."""
CONTEXT_FRAMES = 25
"""Token frames on either side of the box that the scene encoder sees (0.5 s)."""
_SCENE_HOP_S = 0.01
_TIME_SCALES = (1.0, 3.0, 10.0, 30.0, 100.0)
_VECTOR_SCALE = 2.5
"""About the spread of log band powers in nepers."""
_TEXT_SCALE = 8.0
"""Brings the numbers of a unit vector of 64 to about one: unscaled, the label is hardly heard beside the sound."""


class Output(IntEnum):
    """What the tokens stand for. `MIXTURE`, the whole scene after the edit, has an embedding but is not trained."""

    EVENT = 0
    MIXTURE = 1


@dataclass(frozen=True)
class DecoderConfig:
    """Sizes of a token decoder.

    Attributes:
        levels: codebook levels of the codec.
        codebook_size: codes on every level.
        vector: length of the codebooks' vectors.
        encoder: the scene encoder.
        temporal: the stack over frames.
        depth: the stack over levels.
    """

    levels: int = 6
    codebook_size: int = 512
    vector: int = 128
    encoder: EncoderConfig = field(
        default_factory=lambda: EncoderConfig(features=SCENE_FEATURES, width=192, dilations=(1, 2, 4), dropout=0.0)
    )
    temporal: TransformerConfig = field(default_factory=TransformerConfig)
    depth: TransformerConfig = field(
        default_factory=lambda: TransformerConfig(width=192, layers=2, expansion=3, window=None, rotary=False)
    )

    def as_json(self) -> dict[str, Any]:
        """The configuration as plain values."""
        return asdict(self)

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> "DecoderConfig":
        """The inverse of `as_json`.

        Raises:
            InputError: unknown, missing or senseless values.
        """
        try:
            encoder = {**values["encoder"], "dilations": tuple(values["encoder"]["dilations"])}
            parts = {
                "encoder": EncoderConfig(**encoder),
                "temporal": TransformerConfig(**values["temporal"]),
                "depth": TransformerConfig(**values["depth"]),
            }
            config = DecoderConfig(**{**values, **parts})
        except (KeyError, TypeError) as error:
            raise InputError(f"the decoder's configuration is damaged ({error}); get the checkpoint again") from error
        for stack in (config.temporal, config.depth):
            if stack.heads < 1 or stack.width % (2 * stack.heads):
                raise InputError("the decoder's configuration holds impossible sizes; get the checkpoint again")
        return config


@dataclass(frozen=True)
class Prompt:
    """What a sound is generated from.

    Attributes:
        scene: `scene_features`, (129, frames + 2 * CONTEXT_FRAMES) float32.
        event: `conditioning.event_vector`, (128,) float32.
        frames: token frames of the box.
    """

    scene: NDArray[np.float32]
    event: NDArray[np.float32]
    frames: int


def scene_features(power: NDArray[np.floating], hop_s: float, box_start_s: float, frames: int) -> NDArray[np.float32]:
    """What the scene encoder sees of a window: relative log powers, so loudness does not matter, and the box.

    Args:
        power: band power of the window, (bands, window frames).
        hop_s: seconds from frame to frame of the window.
        box_start_s: start of the box from the window's first frame.
        frames: token frames of the box.

    Returns:
        (129, frames + 2 * CONTEXT_FRAMES) float32; what lies outside the window repeats its first and last frame.
    """
    steps = np.arange(-CONTEXT_FRAMES, frames + CONTEXT_FRAMES)
    times_s = box_start_s + np.arange(_PAIR * steps[0], _PAIR * (steps[-1] + 1)) * _SCENE_HOP_S
    where = np.clip(np.rint(times_s / hop_s).astype(np.int64), 0, power.shape[1] - 1)
    levels = np.log(np.asarray(power, np.float64)[:, where] + 1e-12)
    relative = np.clip((levels - levels.mean()) / 3.0, -4.0, 4.0)
    pairs = relative.reshape(BANDS, -1, _PAIR).transpose(2, 0, 1).reshape(_PAIR * BANDS, -1)
    return np.concatenate([pairs, ((steps >= 0) & (steps < frames))[None]]).astype(np.float32)


def clock(frames: int) -> Tensor:
    """Position, frames that remain and the box's length as decaying exponentials of several speeds, (frames, 15)."""
    position = torch.arange(frames, dtype=torch.float32)[:, None]
    scales = torch.tensor(_TIME_SCALES)
    length = torch.full_like(position, frames)
    return torch.cat([torch.exp(-t / scales) for t in (position, frames - 1 - position, length)], dim=1)


class TokenDecoder(nn.Module):
    """Scene, event and the tokens so far to logits of the next code."""

    codebooks: Tensor

    def __init__(self, config: DecoderConfig, codebooks: Tensor) -> None:
        """A network for a codec.

        Args:
            config: sizes.
            codebooks: the codec's, (levels, codes, vector); they are not stored with the decoder's weights.

        Raises:
            InputError: the codec is not the one that the configuration asks for.
        """
        super().__init__()
        if tuple(codebooks.shape) != (config.levels, config.codebook_size, config.vector):
            raise InputError("the checkpoint's decoder and codec do not fit each other; get the checkpoint again")
        self.config = config
        width, deep = config.temporal.width, config.depth.width
        self.register_buffer("codebooks", codebooks.detach().float() / _VECTOR_SCALE, persistent=False)
        self.conditioning = Conditioning(config.encoder.width)
        self.encoder = SceneEncoder(config.encoder)
        self.scene = nn.Linear(config.encoder.width, width)
        self.roll = nn.Sequential(nn.Linear(EVENT_VECTOR, 2 * width), nn.GELU(), nn.Linear(2 * width, width))
        self.clock = nn.Linear(3 * len(_TIME_SCALES), width)
        self.output = nn.Embedding(len(Output), width)
        self.first = nn.Parameter(torch.zeros(width))
        self.said = nn.Linear(config.vector, width)
        self.said_code = nn.Embedding(config.codebook_size, width)
        self.temporal = Transformer(config.temporal)
        self.state = nn.Linear(width, deep)
        self.partial = nn.Linear(config.vector, deep)
        self.partial_code = nn.Embedding(config.codebook_size, deep)
        self.level = nn.Embedding(config.levels, deep)
        self.depth = Transformer(config.depth)
        self.heads = nn.Parameter(torch.randn(config.levels, deep, config.codebook_size) * 0.02)
        for table in (self.output, self.said_code, self.partial_code, self.level):
            nn.init.normal_(table.weight, std=0.02)

    def context(self, scene: Tensor, event: Tensor, frames: int, output: Output = Output.EVENT) -> Tensor:
        """Everything about the frames that is known before decoding, summed.

        Args:
            scene: (batch, 129, frames + 2 * CONTEXT_FRAMES).
            event: (batch, 128); zeros stand for "no roll".
            frames: token frames of the longest box.
            output: what the tokens stand for.

        Returns:
            (batch, frames, width).
        """
        event = _TEXT_SCALE * event
        none = event.new_zeros(len(event), 0, EVENT_VECTOR)
        roll = self.conditioning(event, scene[:, -1], none, none.new_zeros(len(event), 0, scene.shape[2]))
        states = self.encoder(scene, roll)[:, :, CONTEXT_FRAMES : CONTEXT_FRAMES + frames].transpose(1, 2)
        return self.scene(states) + (self.roll(event) + self.output.weight[output])[:, None]

    def vectors(self, tokens: Tensor, levels: int) -> Tensor:
        """The codebook vectors of the first levels, summed level by level: (..., levels) to (..., levels, vector)."""
        parts = [self.codebooks[level][tokens[..., level]] for level in range(levels)]
        return torch.stack(parts, dim=-2).cumsum(-2)

    def say(self, tokens: Tensor, vectors: Tensor) -> Tensor:
        """Embedding of frames that were said, from codes (..., levels) and summed vectors (..., vector)."""
        return self.said(vectors) + self.said_code(tokens[..., 0])

    def deepen(self, states: Tensor, tokens: Tensor) -> Tensor:
        """Logits of all levels, each knowing those before it: (n, width), (n, levels) to (n, levels, codes)."""
        levels = self.config.levels
        x = self.state(states)[:, None] + self.level.weight
        partial = self.partial(self.vectors(tokens, levels - 1)) + self.partial_code(tokens[:, :1])
        x = x + functional.pad(partial, (0, 0, 1, 0))
        return torch.einsum("nlw,lwk->nlk", self.depth(x), self.heads)

    def states(self, context: Tensor, clocks: Tensor, said: Tensor) -> Tensor:
        """Temporal states of whole boxes.

        Args:
            context: `context`, (batch, frames, width).
            clocks: `clock` of every box, (batch, frames, 15).
            said: `say` of every frame, (batch, frames, width); a frame reads the one before it.

        Returns:
            (batch, frames, width).
        """
        first = self.first.expand(len(said), 1, -1)
        return self.temporal(context + self.clock(clocks) + torch.cat([first, said[:, :-1]], dim=1))

    def forward(self, prompt: Prompt, tokens: Tensor) -> Tensor:
        """Logits of all codes of a box without a cache: (frames, levels) tokens to (frames, levels, codes)."""
        scene, event = torch.from_numpy(prompt.scene)[None], torch.from_numpy(prompt.event)[None]
        said = self.say(tokens, self.vectors(tokens, self.config.levels)[..., -1, :])
        states = self.states(self.context(scene, event, prompt.frames), clock(prompt.frames)[None], said[None])
        return self.deepen(states[0], tokens)


class Stepper:
    """Decodes a box frame by frame: each goes through the temporal stack once, each level through the depth stack once.

    With guidance a second row runs along that knows no roll; the two rows are always computed together.
    """

    def __init__(self, decoder: TokenDecoder, prompt: Prompt, guidance: float = 1.0) -> None:
        """Encodes the scene; `guidance` 1 is none."""
        self._decoder = decoder
        self._guidance = guidance
        self._rows = 1 if guidance == 1.0 else 2
        event = torch.from_numpy(prompt.event)[None]
        if self._rows == 2:
            event = torch.cat([event, torch.zeros_like(event)])
        scene = torch.from_numpy(prompt.scene)[None].expand(self._rows, -1, -1)
        self._inputs = decoder.context(scene, event, prompt.frames) + decoder.clock(clock(prompt.frames))
        self._cache = Cache(decoder.config.temporal, self._rows, prompt.frames)
        self._said = decoder.first

    @property
    def frames_done(self) -> int:
        """Frames that went through the temporal stack."""
        return self._cache.used

    def frame(self, choose: Callable[[int, Tensor], int], levels: int) -> list[int]:
        """Decodes the next frame.

        Args:
            choose: takes a level and its logits (codes,), gives the code.
            levels: how many levels to decode.

        Returns:
            The codes.
        """
        net = self._decoder
        x = self._inputs[:, self._cache.used] + self._said
        state = net.state(net.temporal(x[:, None], self._cache)[:, 0])
        cache = Cache(net.config.depth, self._rows, levels)
        codes: list[int] = []
        vector = torch.zeros(net.config.vector)
        for level in range(levels):
            x = state + net.level.weight[level]
            if level:
                x = x + net.partial(vector) + net.partial_code.weight[codes[0]]
            logits = net.depth(x[:, None], cache)[:, 0] @ net.heads[level]
            guided = logits[0] if self._rows == 1 else logits[1] + self._guidance * (logits[0] - logits[1])
            codes.append(choose(level, guided))
            vector = vector + net.codebooks[level, codes[-1]]
        self._said = net.said(vector) + net.said_code.weight[codes[0]]
        return codes


def generate_tokens(
    decoder: TokenDecoder, prompt: Prompt, decoding: Decoding, seed: int, cancelled: Callable[[], bool] = lambda: False
) -> NDArray[np.int64]:
    """Tokens of a sound, (levels, frames) int64, on one thread.

    Args:
        decoder: the network, in evaluation mode.
        prompt: scene, event and length.
        decoding: sampling settings.
        seed: the event's seed.
        cancelled: polled before every frame.

    Raises:
        Cancelled: `cancelled()` returned true.
    """
    levels = decoder.config.levels if decoding.levels == 0 else min(decoding.levels, decoder.config.levels)
    tokens = np.zeros((levels, prompt.frames), np.int64)
    with one_thread():
        stepper = Stepper(decoder, prompt, decoding.guidance)
        for frame in range(prompt.frames):
            if cancelled():
                raise Cancelled

            def choose(level: int, logits: Tensor, frame: int = frame) -> int:
                return draw_code(logits.numpy(), decoding, seed, frame, level)

            tokens[:, frame] = stepper.frame(choose, levels)
    return tokens
