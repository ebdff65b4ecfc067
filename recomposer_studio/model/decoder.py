"""The token decoder: codec tokens of a sound, frame by frame, level by level (RQ-transformer, Lee et al. 2022).

A causal *temporal* transformer runs over the frames of the box and a small *depth* transformer over the levels of a
frame. Instead of learned embeddings of every code, the networks read the codebooks' own vectors (log band powers of
what has been said so far), which needs far fewer examples. Only the box's frames are decoded; what surrounds it
arrives through the scene encoder.

An *exemplar*, another sound of the kind, is a prompt: its tokens stand before the box, seen from every frame of it, and its mean
and spread are told to every frame at once. With the output *mixture* the box is a whole clip and the tokens are those of the clip
after all edits, as in the paper.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
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
from recomposer_studio.model.encoder import EncoderConfig, SceneEncoder, zero_linear
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


EXEMPLAR_FRAMES = 75
"""Token frames of the longest exemplar (1.5 s); longer ones are cut."""
MIXTURE_LEVEL = -11.0
"""Mean log band power that a clip is brought to before its mixture is put into tokens, which know absolute levels."""
_QUIETEST = 1e-8
_LEAST_SPREAD = 1e-6


class Output(IntEnum):
    """What the tokens stand for: the sound of one event, or the whole clip after its edits."""

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
        exemplar: whether it takes exemplars; the first checkpoints do not.
        mixture: whether it makes whole clips; the first checkpoints do not.
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
    exemplar: bool = False
    mixture: bool = False

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
        event: `conditioning.event_vector`, (128,) float32; zeros for a mixture.
        frames: token frames of the box.
        exemplar: codes of another sound of the kind, (levels, at most EXEMPLAR_FRAMES), or None.
        output: what is made; the fields below are those of a mixture.
        others: vectors of all events of a mixture, (events, 128).
        others_active: their activity, (events, frames + 2 * CONTEXT_FRAMES).
    """

    scene: NDArray[np.float32]
    event: NDArray[np.float32]
    frames: int
    exemplar: NDArray[np.integer] | None = None
    output: Output = Output.EVENT
    others: NDArray[np.float32] = field(default_factory=lambda: np.zeros((0, EVENT_VECTOR), np.float32))
    others_active: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Given:
    """What is known of several boxes before decoding.

    Attributes:
        scene: (batch, 129, frames + 2 * CONTEXT_FRAMES).
        event: (batch, 128); zeros stand for "no roll".
        others: events of mixtures, (batch, events, 128).
        others_active: their activity, (batch, events, frames + 2 * CONTEXT_FRAMES).
        output: `Output` of every box, (batch,) int64.
        exemplar: codes of the exemplars, (batch, exemplar frames, levels) int64, each at the end of its row; no frames: there are none.
        present: which of these frames are there, (batch, exemplar frames) bool.
    """

    scene: Tensor
    event: Tensor
    others: Tensor
    others_active: Tensor
    output: Tensor
    exemplar: Tensor
    present: Tensor

    @staticmethod
    def of(prompt: Prompt, levels: int) -> "Given":
        """A prompt as a batch of one; `levels` are the codec's."""
        frames = prompt.scene.shape[1]
        active = np.zeros((0, frames), np.float32) if prompt.others_active is None else prompt.others_active
        exemplar = np.zeros((levels, 0), np.int64) if prompt.exemplar is None else prompt.exemplar.astype(np.int64)
        return Given(
            torch.from_numpy(prompt.scene)[None],
            torch.from_numpy(prompt.event)[None],
            torch.from_numpy(prompt.others)[None],
            torch.from_numpy(active)[None],
            torch.tensor([int(prompt.output)]),
            torch.from_numpy(np.ascontiguousarray(exemplar.T))[None],
            torch.ones(1, exemplar.shape[1], dtype=torch.bool),
        )

    @staticmethod
    def together(prompts: Sequence[Prompt], levels: int) -> "Given":
        """Prompts of one length, with as many events and exemplar frames each, as a batch."""
        each = [Given.of(prompt, levels) for prompt in prompts]
        return Given(*(torch.cat([getattr(one, part.name) for one in each]) for part in fields(Given)))

    def and_without_roll(self) -> "Given":
        """Every box twice: as it is, and without roll and exemplar."""
        return Given(
            self.scene.repeat(2, 1, 1),
            torch.cat([self.event, torch.zeros_like(self.event)]),
            torch.cat([self.others, torch.zeros_like(self.others)]),
            torch.cat([self.others_active, torch.zeros_like(self.others_active)]),
            self.output.repeat(2),
            self.exemplar.repeat(2, 1, 1),
            torch.cat([self.present, torch.zeros_like(self.present)]),
        )


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
    levels = np.log(np.asarray(power, np.float64)[:, _where(power, hop_s, box_start_s, frames)] + 1e-12)
    return _features(levels - levels.mean(), (steps >= 0) & (steps < frames))


def mixture_features(power: NDArray[np.floating], hop_s: float, edited: NDArray[np.bool_]) -> NDArray[np.float32]:
    """What the scene encoder sees of a whole clip: log powers relative to the clip's mean, which its codes know too, and the edits.

    Args:
        power: band power of the clip, (bands, clip frames).
        hop_s: seconds from frame to frame of the clip.
        edited: token frames of the boxes of all edits, (frames,).

    Returns:
        (129, frames + 2 * CONTEXT_FRAMES) float32; the clip's first and last frame are repeated on either side.
    """
    levels = np.log(np.maximum(np.asarray(power, np.float64), _QUIETEST))
    around = levels[:, _where(power, hop_s, 0.0, len(edited))]
    return _features(around - levels.mean(), np.pad(edited, CONTEXT_FRAMES))


def _where(power: NDArray[np.floating], hop_s: float, start_s: float, frames: int) -> NDArray[np.int64]:
    times_s = start_s + np.arange(-_PAIR * CONTEXT_FRAMES, _PAIR * (frames + CONTEXT_FRAMES)) * _SCENE_HOP_S
    return np.clip(np.rint(times_s / hop_s).astype(np.int64), 0, power.shape[1] - 1)


def _features(relative: NDArray[np.float64], box: NDArray[np.bool_]) -> NDArray[np.float32]:
    clipped = np.clip(relative / 3.0, -4.0, 4.0)
    pairs = clipped.reshape(BANDS, -1, _PAIR).transpose(2, 0, 1).reshape(_PAIR * BANDS, -1)
    return np.concatenate([pairs, box[None]]).astype(np.float32)


def mixture_gain(power: NDArray[np.floating]) -> float:
    """Factor that brings the band power of a clip to `MIXTURE_LEVEL`: (bands, frames) to a factor on power."""
    return float(np.exp(MIXTURE_LEVEL - np.log(np.maximum(np.asarray(power, np.float64), _QUIETEST)).mean()))


def clock(frames: int) -> Tensor:
    """Position, frames that remain and the box's length as decaying exponentials of several speeds, (frames, 15)."""
    position = torch.arange(frames, dtype=torch.float32)[:, None]
    return _decays(position, torch.full_like(position, frames))


def _decays(position: Tensor, length: Tensor) -> Tensor:
    scales = torch.tensor(_TIME_SCALES, device=position.device)
    return torch.cat([torch.exp(-t / scales) for t in (position, length - 1 - position, length)], dim=-1)


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
        if config.exemplar:
            self.exemplar = nn.Parameter(torch.zeros(width))
            self.timbre = nn.Sequential(nn.Linear(2 * config.vector, width), nn.GELU(), zero_linear(width, width))
        if config.mixture:
            self.heard = zero_linear(_PAIR * BANDS, width)

    def context(self, given: Given, frames: int) -> Tensor:
        """Everything about the frames that is known before decoding, summed.

        Args:
            given: what is known.
            frames: token frames of the longest box.

        Returns:
            (batch, frames, width).
        """
        event, scene = _TEXT_SCALE * given.event, given.scene
        roll = self.conditioning(event, scene[:, -1], given.others, given.others_active)
        here = slice(CONTEXT_FRAMES, CONTEXT_FRAMES + frames)
        context = self.scene(self.encoder(scene, roll)[:, :, here].transpose(1, 2))
        context = context + (self.roll(event) + self.output.weight[given.output])[:, None]
        if self.config.mixture:
            heard = self.heard(scene[:, : _PAIR * BANDS, here].transpose(1, 2))
            context = context + (given.output == Output.MIXTURE)[:, None, None] * heard
        if self.config.exemplar and given.exemplar.shape[1]:
            vectors = self.vectors(given.exemplar, self.config.levels)[..., -1, :]
            there = given.present[:, :, None].to(vectors.dtype)
            count = there.sum(1).clamp(min=1.0)
            mean = (there * vectors).sum(1) / count
            # A spread of nothing has no slope.
            spread = ((there * (vectors - mean[:, None]).square()).sum(1) / count + _LEAST_SPREAD).sqrt()
            timbre = self.timbre(torch.cat([mean, spread], dim=1))
            context = context + (given.present.any(1)[:, None] * timbre)[:, None]
        return context

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

    def prompted(self, given: Given) -> Tensor:
        """The exemplars as the temporal stack reads them, (batch, exemplar frames, width)."""
        length = given.present.sum(1)[:, None, None].expand(-1, given.present.shape[1], -1).float()
        position = given.present.cumsum(1)[:, :, None].float() - 1.0
        said = self.say(given.exemplar, self.vectors(given.exemplar, self.config.levels)[..., -1, :])
        return said + self.clock(_decays(position, length)) + self.exemplar

    def states(self, given: Given, context: Tensor, clocks: Tensor, said: Tensor) -> Tensor:
        """Temporal states of whole boxes.

        Args:
            given: what is known; of it, the exemplars are read here.
            context: `context`, (batch, frames, width).
            clocks: `clock` of every box, (batch, frames, 15).
            said: `say` of every frame, (batch, frames, width); a frame reads the one before it.

        Returns:
            (batch, frames, width).
        """
        first = self.first.expand(len(said), 1, -1)
        x = context + self.clock(clocks) + torch.cat([first, said[:, :-1]], dim=1)
        length = given.exemplar.shape[1] if self.config.exemplar else 0
        if not length:
            return self.temporal(x)
        return self.temporal(torch.cat([self.prompted(given), x], dim=1), prompt=given.present)[:, length:]

    def forward(self, prompt: Prompt, tokens: Tensor) -> Tensor:
        """Logits of all codes of a box without a cache: (frames, levels) tokens to (frames, levels, codes)."""
        given = Given.of(prompt, self.config.levels)
        said = self.say(tokens, self.vectors(tokens, self.config.levels)[..., -1, :])
        states = self.states(given, self.context(given, prompt.frames), clock(prompt.frames)[None], said[None])
        return self.deepen(states[0], tokens)


class Stepper:
    """Decodes a box frame by frame: each goes through the temporal stack once, each level through the depth stack once.

    An exemplar goes through once, before the first frame. Several candidates for the box are decoded side by side, and so are boxes of
    one length. With guidance every candidate has a second row that knows neither roll nor exemplar. The engine's boxes are computed
    one by one, so that none depends on its company.
    """

    def __init__(
        self, decoder: TokenDecoder, prompts: Sequence[Prompt], guidance: float = 1.0, candidates: int = 1
    ) -> None:
        """Encodes the scenes; `guidance` 1 is none."""
        frames, self._count = prompts[0].frames, len(prompts) * candidates
        self._decoder = decoder
        self._guidance = guidance
        self._rows = self._count if guidance == 1.0 else 2 * self._count
        given = Given.together(prompts, decoder.config.levels)
        if guidance != 1.0:
            given = given.and_without_roll()
        inputs = decoder.context(given, frames) + decoder.clock(clock(frames))
        self._inputs = inputs.repeat_interleave(candidates, dim=0)
        self._before = given.exemplar.shape[1]
        self._cache = Cache(decoder.config.temporal, self._rows, self._before + frames)
        self._said = decoder.first.expand(self._rows, -1)
        self._prompt: Tensor | None = None
        if self._before:
            self._prompt = given.present.repeat_interleave(candidates, dim=0)
            decoder.temporal(decoder.prompted(given).repeat_interleave(candidates, dim=0), self._cache, self._prompt)

    @property
    def frames_done(self) -> int:
        """Frames of the box that went through the temporal stack."""
        return self._cache.used - self._before

    def frame(self, choose: Callable[[int, Tensor], Sequence[int]], levels: int) -> NDArray[np.int64]:
        """Decodes the next frame.

        Args:
            choose: takes a level and its logits (candidates of all boxes, codes), gives every candidate's code.
            levels: how many levels to decode.

        Returns:
            The codes, (candidates of all boxes, levels).
        """
        net, count = self._decoder, self._count
        copies = self._rows // count
        x = self._inputs[:, self.frames_done] + self._said
        state = net.state(net.temporal(x[:, None], self._cache, self._prompt)[:, 0])
        cache = Cache(net.config.depth, self._rows, levels)
        codes: list[Tensor] = []
        vector = torch.zeros(count, net.config.vector)
        for level in range(levels):
            x = state + net.level.weight[level]
            if level:
                x = x + (net.partial(vector) + net.partial_code.weight[codes[0]]).repeat(copies, 1)
            logits = net.depth(x[:, None], cache)[:, 0] @ net.heads[level]
            if copies == 2:
                logits = logits[count:] + self._guidance * (logits[:count] - logits[count:])
            codes.append(torch.tensor(choose(level, logits)))
            vector = vector + net.codebooks[level, codes[-1]]
        self._said = (net.said(vector) + net.said_code.weight[codes[0]]).repeat(copies, 1)
        return torch.stack(codes, dim=1).numpy()


def generate_tokens(
    decoder: TokenDecoder, prompt: Prompt, decoding: Decoding, seed: int, cancelled: Callable[[], bool] = lambda: False
) -> NDArray[np.int64]:
    """Tokens of a sound, (levels, frames) int64; see `generate_candidates`."""
    return generate_candidates(decoder, (prompt,), decoding, (seed,), cancelled)[0]


def generate_candidates(
    decoder: TokenDecoder,
    prompts: Sequence[Prompt],
    decoding: Decoding,
    seeds: Sequence[int],
    cancelled: Callable[[], bool] = lambda: False,
) -> NDArray[np.int64]:
    """Tokens of several sounds, (seeds, levels, frames) int64, on one thread.

    Args:
        decoder: the network, in evaluation mode.
        prompts: scene, event and length; several have one length.
        decoding: sampling settings.
        seeds: of the candidates, as many for every prompt, prompt by prompt.
        cancelled: polled before every frame.

    Raises:
        Cancelled: `cancelled()` returned true.
    """
    levels = decoder.config.levels if decoding.levels == 0 else min(decoding.levels, decoder.config.levels)
    frames = prompts[0].frames
    tokens = np.zeros((len(seeds), levels, frames), np.int64)
    with one_thread():
        stepper = Stepper(decoder, prompts, decoding.guidance, len(seeds) // len(prompts))
        for frame in range(frames):
            if cancelled():
                raise Cancelled

            def choose(level: int, logits: Tensor, frame: int = frame) -> list[int]:
                rows = zip(logits.numpy(), seeds, strict=True)
                return [draw_code(row, decoding, seed, frame, level) for row, seed in rows]

            tokens[:, :, frame] = stepper.frame(choose, levels)
    return tokens
