"""A checkpoint as the engine's `Generator`: shares from the mask head, sounds from the token decoder and the codec."""

from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from recomposer_studio.codec.build import build_codec
from recomposer_studio.codec.inference import one_thread
from recomposer_studio.codec.interface import Codec
from recomposer_studio.editing.generator import MaskRequest, SoundRequest
from recomposer_studio.errors import Cancelled, InputError
from recomposer_studio.model.checkpoint import Checkpoint, damage_told, fill, load_checkpoint
from recomposer_studio.model.conditioning import EVENT_VECTOR, TextVectors, event_vector
from recomposer_studio.model.critic import Critic
from recomposer_studio.model.decoder import (
    EXEMPLAR_FRAMES,
    DecoderConfig,
    Prompt,
    TokenDecoder,
    generate_candidates,
    scene_features,
)
from recomposer_studio.model.listener import Listener, build_listener
from recomposer_studio.model.mask import MaskNet, build_mask, held_back, mask_features, predict_share
from recomposer_studio.model.whole_clip import generate_clip
from recomposer_studio.project.recipe import Decoding
from recomposer_studio.roll.event import Action, Event, EventRoll
from recomposer_studio.roll.labels import LabelTable

_EXEMPLAR_PEAK = 0.7
"""Peak of every sound that the decoder was trained on."""


MOST_CANDIDATE_FRAMES = 8000
"""Token frames of all candidates for a box together: eight candidates up to 20 s, one from 80 s on. What they remember while they are
decoded side by side grows with this; a minute of eight took 0.4 GB."""


class TorchGenerator:
    """A loaded checkpoint. Every request goes through the networks by itself, on one thread, in float32.

    The text of a label is the class it is taken for, as reports name it; a label that resembles no class keeps its own vector.
    """

    def __init__(self, checkpoint: Checkpoint, device: str = "cpu", labels: LabelTable | None = None) -> None:
        """Builds the networks that the checkpoint holds.

        Args:
            checkpoint: weights and configuration.
            device: where the mask head runs, `cpu` or `cuda`. Tokens are decoded one after another, which the processor does best.
            labels: the label table; None takes the shipped one.

        Raises:
            InputError: configuration and weights do not fit each other.
        """
        self._checkpoint = checkpoint
        self._device = device
        self._given_labels = labels
        self._mask: MaskNet | None = None
        self._listener: Listener | None = None
        self._codec: Codec | None = None
        self._decoder: TokenDecoder | None = None
        self._critic: Critic | None = None
        with damage_told(checkpoint.folder):
            # Once without memory, to compare the sizes that the configuration asks for with those of the weights.
            with torch.device("meta"):
                self._build("meta")
            self._build(device)

    def _build(self, device: str) -> None:
        checkpoint = self._checkpoint
        configs, tensors = checkpoint.configs, checkpoint.tensors
        if "mask" in configs:
            self._mask = build_mask(checkpoint)
            self._listener = build_listener(checkpoint)
            if device != "meta":
                self._mask.to(device)
                if self._listener is not None:
                    self._listener.to(device)
        if "codec" in configs:
            self._codec = build_codec(configs["codec"], tensors["codec"])
        if self._codec is not None and "decoder" in configs:
            self._decoder = TokenDecoder(DecoderConfig.from_json(configs["decoder"]), self._codec.codebooks)
            fill(self._decoder, tensors["decoder"], checkpoint.folder)
        if "critic" in configs:
            self._critic = Critic.from_tensors(configs["critic"], tensors["critic"])

    @property
    def name(self) -> str:
        """The checkpoint's name."""
        return self._checkpoint.name

    @property
    def digest(self) -> str:
        """SHA-256 of the configuration, which holds the hash of every weight file; in hex."""
        return self._checkpoint.digest

    @property
    def device(self) -> str:
        """Where the mask head runs: `cpu` or `cuda`."""
        return self._device

    @property
    def classes(self) -> frozenset[str]:
        """Class names that the checkpoint was trained on."""
        return self._checkpoint.classes

    @property
    def better_than_repair(self) -> frozenset[Action]:
        """Actions in which the checkpoint beat spectral repair on validation scenes."""
        return self._checkpoint.better_than_repair

    @property
    def rate_hz(self) -> int:
        """Sample rate of generated sounds."""
        return self._checkpoint.rate_hz if self._codec is None else self._codec.rate_hz

    @property
    def can_insert(self) -> bool:
        """Whether the checkpoint can make sounds: it holds a codec and a token decoder."""
        return self._decoder is not None

    @property
    def takes_exemplars(self) -> bool:
        """Whether an insert may be told a sound that it is to resemble."""
        return self._decoder is not None and self._decoder.config.exemplar

    @property
    def makes_mixtures(self) -> bool:
        """Whether it can generate whole clips."""
        return self._decoder is not None and self._decoder.config.mixture

    @cached_property
    def _labels(self) -> LabelTable:
        return self._given_labels or LabelTable.load()

    def share(self, request: MaskRequest) -> NDArray[np.float64]:
        """Share of the power that belongs to the event, (bands, frames) in [0, 1], zero outside its box.

        Raises:
            InputError: the checkpoint holds no mask head.
        """
        if self._mask is None:
            raise InputError(f"the checkpoint '{self.name}' cannot separate sounds; use another one or spectral repair")
        others = [self._vector(other) for other in request.others]
        share = predict_share(
            self._mask,
            mask_features(request),
            request.repair,
            self._vector(request.event),
            np.array(others, np.float32).reshape(len(others), EVENT_VECTOR),
            request.others_active,
            self._mask.config.slack(request.event.action),
            self._listener,
            not self.classes or self._class_name(request.event) in self.classes,
        )
        return held_back(share, request)

    def sound(self, request: SoundRequest) -> NDArray[np.float32]:
        """A mono sound of `duration_s` at `rate_hz`, shape (samples,), peak at most 1.

        It is the one of the `candidates` that the critic prefers.

        Raises:
            InputError: the checkpoint holds no codec or no token decoder, or takes no exemplars and is given one.
            Cancelled: `request.cancelled()` returned true.
        """
        waves = self.candidates(request)
        best = 0
        if self._critic is not None and len(waves) > 1:
            class_name = self._class_name(request.event)
            best = int(np.argmax([self._critic.score(wave, self.rate_hz, class_name) for wave in waves]))
        return waves[best] / max(1.0, float(np.abs(waves[best]).max(initial=0.0)))

    def candidates(self, request: SoundRequest) -> list[NDArray[np.float32]]:
        """The sounds that `sound` chooses from, (samples,) each, as loud as they were decoded.

        With a critic that knows the class there are `decoding.candidates`, fewer where the box is long; otherwise one.

        Raises:
            InputError: the checkpoint holds no codec or no token decoder, or takes no exemplars and is given one.
            Cancelled: `request.cancelled()` returned true.
        """
        if self._codec is None or self._decoder is None:
            raise InputError(f"the checkpoint '{self.name}' cannot insert sounds; use one that holds a token decoder")
        samples = round(request.duration_s * self._codec.rate_hz)
        frames = max(1, -(-samples // self._codec.hop))
        prompt = Prompt(
            scene_features(request.power, request.hop_s, request.box_start_s, frames),
            self._vector(request.event),
            frames,
            self._exemplar(request, self._codec),
        )
        class_name = self._class_name(request.event)
        # A box shorter than half a sample holds nothing to be judged.
        judged = self._critic is not None and class_name in self._critic.classes and samples > 0
        count = min(request.decoding.candidates, max(1, MOST_CANDIDATE_FRAMES // frames)) if judged else 1
        seeds = [candidate_seed(request.seed, number) for number in range(count)]
        waves = []
        with one_thread():
            for tokens in generate_candidates(self._decoder, (prompt,), request.decoding, seeds, request.cancelled):
                if request.cancelled():
                    raise Cancelled
                waves.append(np.asarray(self._codec.decode(tokens, request.seed), np.float32)[:samples])
        return waves

    def whole_clip(
        self, samples: NDArray[np.floating], rate_hz: int, roll: EventRoll, seed: int, decoding: Decoding | None = None
    ) -> NDArray[np.float32]:
        """The paper's mode: a clip generated anew with all its edits, for comparison with those that leave the rest alone.

        Args:
            samples: mono, (samples,).
            rate_hz: their rate.
            roll: the edits, and kept events.
            seed: of the draws.
            decoding: sampling settings; None for the usual ones without guidance, which takes a clip away from what is to stay.

        Returns:
            As many samples at the same rate.

        Raises:
            InputError: the checkpoint makes no mixtures.
        """
        if self._codec is None or self._decoder is None or not self.makes_mixtures:
            raise InputError(
                f"the checkpoint '{self.name}' cannot generate whole clips; use one that was trained for it"
            )
        rows = [(event, self._vector(event)) for event in roll.events if not event.muted]
        return generate_clip(
            self._decoder, self._codec, samples, rate_hz, rows, seed, decoding or Decoding(guidance=1.0)
        )

    def _exemplar(self, request: SoundRequest, codec: Codec) -> NDArray[np.int64] | None:
        if request.exemplar is None:
            return None
        if not self.takes_exemplars:
            raise InputError(
                f"event {request.event.id}: the model '{self.name}' takes no exemplars; remove the exemplar or choose another model"
            )
        heard = request.exemplar[: EXEMPLAR_FRAMES * codec.hop]
        with one_thread():
            return codec.encode(heard * (_EXEMPLAR_PEAK / max(float(np.abs(heard).max(initial=0.0)), 1e-9)))

    def _class_name(self, event: Event) -> str:
        """The class that a label is taken for, or the label itself where it resembles none."""
        match = self._labels.match(event.label)
        return match.class_name if match.known else event.label

    def _vector(self, event: Event) -> NDArray[np.float32]:
        texts: TextVectors = self._labels
        return event_vector(texts, event.action.value, self._class_name(event))


def candidate_seed(seed: int, number: int) -> int:
    """The seed of an event's candidate: the first is the event's own, the others count in the word above it."""
    return seed + (number << 64)


def load_generator(folder: str | Path, device: str = "auto") -> TorchGenerator:
    """The checkpoint in a folder, checked and ready.

    Args:
        folder: the checkpoint.
        device: `cpu`, `cuda`, or `auto` for a GPU where there is one.

    Raises:
        InputError: no checkpoint there, it is damaged, or there is no such device.
    """
    has_gpu = torch.cuda.is_available()
    if device == "cuda" and not has_gpu:
        raise InputError("there is no CUDA device here; choose the device cpu or auto")
    return TorchGenerator(load_checkpoint(folder), "cuda" if has_gpu and device != "cpu" else "cpu")
