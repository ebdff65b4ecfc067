"""The mask head: which share of the power in every band and frame belongs to the event asked about.

It answers for one event and one channel at a time and corrects spectral repair's answer: `sigmoid(logit(repair) + correction)` with a
last layer that starts at zero. Untrained it *is* spectral repair; training can only lead away from it.
"""

from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from recomposer_studio.audio.bands import BANDS
from recomposer_studio.codec.inference import one_thread
from recomposer_studio.editing.generator import BoxView
from recomposer_studio.editing.repair import CONTEXT_S, GUARD_S
from recomposer_studio.errors import InputError
from recomposer_studio.model.checkpoint import Checkpoint, dataclass_from_json, fill
from recomposer_studio.model.conditioning import TEXT, Conditioning, Words
from recomposer_studio.model.encoder import EncoderConfig, SceneEncoder, zero_linear
from recomposer_studio.model.listener import HEARD, LISTENER_PLANES, Listener
from recomposer_studio.model.refiner import Refiner, RefinerConfig
from recomposer_studio.roll.event import Action

PLANES = 4
"""Values per band and frame in the input."""
MASK_FEATURES = PLANES * BANDS + 2
"""Input features per frame: the planes, then the activity of the event asked about and that of the others."""
LOWEST, HIGHEST = 1e-3, 1.0 - 1e-10
"""Repair shares are clipped to this range, in double precision: a logit must be finite. Enhance by 16 dB turns the lower bound into 0.2 dB; the
upper one is -100 dB, because the rest of a loud event must not stand out of a background that is silent in its upper bands."""

_UNSURE, _SURE = 3e-3, 1.0 - 1e-4
"""Shares beyond these look alike to the network."""
_ENOUGH_FRAMES = 10
_LEAST_SPREAD = 0.3
_MOST_BESIDE = 16
_STEADY_SPREADS = 3.0
_LEVEL_UNIT, _EXCESS_UNIT, _FARTHEST = 3.0, 2.0, 5.0
_OTHERS, _NOTHING = 0.7, 1e-30
_FloatArray = NDArray[np.float64]
_BoolArray = NDArray[np.bool_]


def surroundings(view: BoxView) -> _BoolArray:
    """Frames that tell about the background of a box, (frames,): within a second of it, outside it, not another event's.

    Where fewer than 0.1 s are left, the other events' frames count too, and at last every frame of the window.
    """
    times, inside = np.arange(len(view.active)), np.flatnonzero(view.active)
    if len(inside) == 0:
        return np.ones(len(times), np.bool_)
    reach, guard = round(CONTEXT_S / view.hop_s), round(GUARD_S / view.hop_s)
    near = (times >= inside[0] - guard - reach) & (times <= inside[-1] + guard + reach)
    near &= (times < inside[0] - guard) | (times > inside[-1] + guard)
    for frames in (near & ~view.busy & ~view.others_active.any(axis=0), near & ~view.busy, near):
        if frames.sum() >= _ENOUGH_FRAMES:
            return frames
    return np.ones(len(times), np.bool_)


def clipped(repair: _FloatArray) -> _FloatArray:
    """Spectral repair's share as the mask head takes it: between `LOWEST` and `HIGHEST`."""
    return np.clip(repair, LOWEST, HIGHEST)


def held_back(share: _FloatArray, view: BoxView) -> _FloatArray:
    """A mask head's share, but where a box is no louder than before and after it no more than repair's.

    What goes on steadily through a box is not the event, however much it sounds like it: a beep on the left is to be deleted, the whistle of a
    machine on the right stays. The background is taken to be at least its mean level around the box less three of its spreads, in every band.

    Args:
        share: the network's answer, (bands, frames).
        view: what it was asked about.

    Returns:
        (bands, frames), nowhere above `share`.
    """
    frames = surroundings(view)
    if (frames & view.active).any():  # there is nothing around the box to compare with
        return share
    log_power = np.log(np.maximum(view.power, 1e-12))
    around = log_power[:, frames]
    least = around.mean(axis=1, keepdims=True) - _STEADY_SPREADS * around.std(axis=1, keepdims=True)
    most = 1.0 - np.exp(-np.maximum(log_power - least, 0.0))
    return np.minimum(share, np.maximum(most, np.where(view.active, clipped(view.repair), 0.0)))


def level_planes(log_power: _FloatArray, mean: _FloatArray) -> tuple[_FloatArray, _FloatArray]:
    """The first two planes of `mask_features`, which a listener hears too, each (bands, frames).

    Args:
        log_power: natural logarithm of band power, (bands, frames).
        mean: its mean over the surroundings, (bands, 1).
    """
    level, excess = (log_power - mean.mean()) / _LEVEL_UNIT, (log_power - mean) / _EXCESS_UNIT
    return np.clip(level, -_FARTHEST, _FARTHEST), np.clip(excess, -_FARTHEST, _FARTHEST)


def moved_planes(planes: Tensor, by: Tensor) -> Tensor:
    """`level_planes` after the log power has changed by so many nepers of power; planes (batch, 2, bands, frames), by (batch, bands, frames)."""
    return (planes + torch.stack([by / _LEVEL_UNIT, by / _EXCESS_UNIT], dim=1)).clamp(-_FARTHEST, _FARTHEST)


def mask_features(view: BoxView) -> NDArray[np.float32]:
    """What the mask head sees of a window.

    Levels are natural logarithms of power relative to the surroundings, so loudness does not matter. Four planes of (bands, frames): relative
    to the mean level of the surroundings over all bands; relative to their mean in the band; that in units of their spread in the band; the logit
    of repair's share. Then two rows: the frames of the box, and those of the other events' boxes.

    Returns:
        (258, frames) float32.
    """
    log_power = np.log(np.maximum(view.power, 1e-12))
    around = log_power[:, surroundings(view)]
    mean = around.mean(axis=1, keepdims=True)
    spread = np.maximum(around.std(axis=1, keepdims=True), _LEAST_SPREAD)
    share = np.clip(view.repair, _UNSURE, _SURE)
    planes = (
        *level_planes(log_power, mean),
        np.clip((log_power - mean) / spread / 4.0, -_FARTHEST, _FARTHEST),
        np.log(share / (1.0 - share)) / 4.0,
    )
    activity = np.stack([view.active, view.others_active.any(axis=0)])
    return np.concatenate([*planes, activity]).astype(np.float32)


@dataclass(frozen=True)
class MaskConfig:
    """Shape of a `MaskNet`.

    Attributes:
        encoder: the scene encoder; it takes `MASK_FEATURES`. Without dropout: the network learns its training scenes too little, not too well.
        refiner: the convolutions over bands and frames after it; checkpoints of the first kind have none.
        words: length of the vector of what is asked for that modulates every block; 0 in checkpoints of the first kinds.
        beside: networks of the same shape whose corrections are averaged with this one's: trained apart, they err differently.
        delete_slack: by how much at most a correction that leaves more of an event to be deleted than repair would is lessened (`lessened`), in
            logits; chosen on validation scenes. By so much for a class that was not learnt.
        hears: it is told a listener's answer; checkpoints of the first kinds have no listener.
    """

    encoder: EncoderConfig = field(default_factory=lambda: EncoderConfig(features=MASK_FEATURES, dropout=0.0))
    refiner: RefinerConfig = field(default_factory=RefinerConfig.none)
    words: int = 0
    beside: int = 0
    delete_slack: float = 0.0
    hears: bool = False

    def __post_init__(self) -> None:
        """Checks the number of networks: each is built before its weights are looked at.

        Raises:
            ValueError: nobody trains so many, or the slack is negative.
        """
        if not isinstance(self.beside, int) or not 0 <= self.beside <= _MOST_BESIDE:
            raise ValueError("beside is out of range")
        if not self.delete_slack >= 0.0:
            raise ValueError("delete_slack is negative")

    def slack(self, action: Action) -> float:
        """What a correction below 0 for an event of this action is lessened by at most."""
        return self.delete_slack if action is Action.DELETE else 0.0


class MaskNet(nn.Module):
    """Features and roll of a window to the share of the event asked about."""

    def __init__(self, config: MaskConfig) -> None:
        """Args: config: shapes."""
        super().__init__()
        self.config = config
        width = config.encoder.width
        self.conditioning = Conditioning(width)
        self.encoder = SceneEncoder(config.encoder, config.words)
        self.leave = zero_linear(width, BANDS)
        planes = HEARD if config.hears else 0
        shape = (config.refiner, PLANES + 2, width, config.words, planes)
        self.refiner = Refiner(*shape) if config.refiner.channels else None
        self.words = Words(config.words) if config.words else None
        self.heard = zero_linear(HEARD * BANDS, width) if config.hears else None
        self.beside = nn.ModuleList(MaskNet(replace(config, beside=0)) for _ in range(config.beside))

    def forward(
        self,
        features: Tensor,
        repair: Tensor,
        query: Tensor,
        others: Tensor,
        others_active: Tensor,
        slack: float = 0.0,
        heard: Tensor | None = None,
        learnt: bool = True,
    ) -> Tensor:
        """The share of the event asked about.

        Args:
            features: `mask_features` of the windows, (batch, 258, frames).
            repair: spectral repair's share, `clipped`, (batch, bands, frames) float64.
            query: vectors of the events asked about, (batch, 128).
            others: vectors of the other events, (batch, events, 128).
            others_active: their activity, (batch, events, frames).
            slack: logits that a correction below 0 is lessened by at most.
            heard: `heard_by` a listener, (batch, 6, bands, frames), for a network that is told.
            learnt: whether the events asked about are of classes that it learnt.

        Returns:
            (batch, bands, frames) float64 in [0, 1]; exactly 0 outside the box.
        """
        inputs = (features, query, others, others_active, heard)
        correction = self.correction(*inputs)
        for other in self.beside:
            correction = correction + cast(MaskNet, other).correction(*inputs)
        correction = correction.double() / (1 + len(self.beside))
        if slack:
            # Features are cut: what lies 65 dB over the surroundings weighs no more than that.
            power = torch.exp(_LEVEL_UNIT * features[:, :BANDS].double()) * features[:, None, PLANES * BANDS]
            correction = lessened(repair, correction, power, slack, learnt)
        return corrected(repair, correction) * features[:, None, PLANES * BANDS]

    def correction(
        self, features: Tensor, query: Tensor, others: Tensor, others_active: Tensor, heard: Tensor | None = None
    ) -> Tensor:
        """What this network alone adds to the logit of repair's share, (batch, bands, frames); arguments as in `forward`."""
        active = features[:, PLANES * BANDS]
        roll = self.conditioning(query, active, others, others_active)
        if self.heard is not None and heard is not None:
            roll = roll + self.heard(heard.flatten(1, 2).transpose(1, 2)).transpose(1, 2)
        words = None if self.words is None else self.words(query)
        state = self.encoder(features, roll, words).transpose(1, 2)
        correction = self.leave(state).transpose(1, 2)
        if self.refiner is not None:
            planes, activity = features.split([PLANES * BANDS, 2], dim=1)
            planes = planes.unflatten(1, (PLANES, BANDS))
            activity = activity[:, :, None, :].expand(-1, -1, BANDS, -1)
            seen = torch.cat([planes, activity], dim=1)
            correction = correction + self.refiner(seen, state, correction, words, heard)
        return correction


def heard_by(listener: Listener | None, features: Tensor, query: Tensor, doubt: Tensor | None = None) -> Tensor | None:
    """What a listener makes of the windows, as a mask head is told it; arguments as in `MaskNet.forward` and `Listener.heard`."""
    if listener is None:
        return None
    planes = features[:, : LISTENER_PLANES * BANDS].unflatten(1, (LISTENER_PLANES, BANDS))
    return listener.heard(planes, query[:, -TEXT:], features[:, PLANES * BANDS], doubt)


def lessened(repair: Tensor, correction: Tensor, power: Tensor, slack: float, learnt: bool = True) -> Tensor:
    """Corrections, those that leave more than repair would lessened as far as the box holds one event alone.

    A network has to tell events from each other and hedges; repair takes one that is alone whole. Where the network takes nearly all that repair
    takes there is nothing else to spare; where it takes less than `_OTHERS` of that power, it has found something, and its word counts. Unless it
    is asked about a class that it never learnt: such a sound it takes for another one, so that its word counts less in any box.

    Args:
        repair: spectral repair's share, (..., bands, frames), float64.
        correction: of its logit, likewise.
        power: of the input inside the box, in any unit, and 0 outside, likewise.
        slack: logits by which corrections are lessened where the event is alone.
        learnt: whether the network learnt the class of the event.
    """
    taken = (power * torch.minimum(corrected(repair, correction), repair)).sum(dim=(-2, -1))
    alone = (taken / (power * repair).sum(dim=(-2, -1)).clamp(min=_NOTHING) - _OTHERS) / (1.0 - _OTHERS)
    by = slack * (alone.clamp(0.0, 1.0) if learnt else torch.ones_like(alone))[..., None, None]
    return correction.clamp(min=0.0) + (correction + by).clamp(max=0.0)


def corrected(repair: Tensor, correction: Tensor) -> Tensor:
    """`sigmoid(logit(repair) + correction)`, written so that a correction of zero gives repair's very bits."""
    logit = torch.logit(repair)
    return (repair + (torch.sigmoid(logit + correction) - torch.sigmoid(logit))).clamp(0.0, 1.0)


def build_mask(checkpoint: Checkpoint) -> MaskNet:
    """The checkpoint's mask head, in evaluation mode.

    Raises:
        InputError: configuration and weights do not fit each other.
    """
    config = dataclass_from_json(MaskConfig, checkpoint.configs["mask"], checkpoint.folder)
    if config.encoder.features != MASK_FEATURES:
        raise InputError(f"{checkpoint.folder}: its mask head expects another input; update Recomposer Studio")
    if config.hears and "listener" not in checkpoint.configs:
        raise InputError(
            f"{checkpoint.folder}: its mask head wants a listener and there is none; get the checkpoint again"
        )
    net = MaskNet(config)
    fill(net, checkpoint.tensors["mask"], checkpoint.folder)
    return net


def predict_share(
    net: MaskNet,
    features: NDArray[np.float32],
    repair: _FloatArray,
    query: NDArray[np.float32],
    others: NDArray[np.float32],
    others_active: _BoolArray,
    slack: float = 0.0,
    listener: Listener | None = None,
    learnt: bool = True,
) -> _FloatArray:
    """One event in one channel, alone and on one thread: the same bytes in any company.

    Args:
        net: the network, in evaluation mode.
        features: `mask_features`, (258, frames).
        repair: spectral repair's share, (bands, frames).
        query: vector of the event, (128,).
        others: vectors of the other events, (events, 128).
        others_active: their activity, (events, frames).
        slack: what a correction below 0 is lessened by at most, `MaskConfig.slack`.
        listener: what a network that is told is told by.
        learnt: whether the network learnt the class of the event.

    Returns:
        (bands, frames) in [0, 1], zero outside the box.
    """
    arrays = (features, clipped(repair), query, others, others_active.astype(np.float32))
    with one_thread():
        device = next(net.parameters()).device
        inputs = tuple(torch.from_numpy(np.ascontiguousarray(a))[None].to(device) for a in arrays)
        share = net(*inputs, slack, heard_by(listener, inputs[0], inputs[2]), learnt)[0]
    return share.cpu().numpy()
