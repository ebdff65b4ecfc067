"""The listener: which class the power in every band and moment belongs to.

A mask head sees two sounds in a box and must know which of them is called what. Learning that along with the mask is slow: every example
asks about one sound only. The listener learns it alone, from every cell of a scene at once, as a picture is divided into what it shows,
and the mask head is told its answer. Its vectors for classes are worked out from text vectors, so it has an opinion on any words.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from recomposer_studio.audio.bands import BANDS
from recomposer_studio.model.checkpoint import Checkpoint, dataclass_from_json, fill
from recomposer_studio.model.conditioning import TEXT, TEXT_UNIT

LISTENER_PLANES = 2
"""The first planes of `mask_features` are what it hears: level over the surroundings' mean, and over their mean in the band."""
SHARES = 3
"""What its answer divides every cell into: what is asked for, the background, anything else."""
HEARD = 2 * SHARES
"""Planes of its answer: the shares by what the cell is like alone, then knowing that what is asked for is in the box."""
STEP = 4
"""Frames of one of its steps."""
PAIR = 2
"""Bands of one of its cells."""

_KERNEL = 7
_DROPOUT = 0.25
_SAME = 0.999
_LEAST, _SCALE = -8.0, 3.0
"""Logarithms of shares are cut below the one, where a cell says nothing any more, and divided by the other, to be of the size of the other planes."""
_NONE = 1e-12
_PLAINER = 1.5
"""Power by which what a box holds beside the sound asked for stands out; chosen by the cross-entropy of the shares in boxes of validation pairs."""


@dataclass(frozen=True)
class ListenerConfig:
    """Shape of a `Listener`.

    Attributes:
        channels: of the convolutions: at half, then a quarter of the frames, then at a quarter and an eighth of the bands.
        width: of what is looked at along time.
        hidden: inner size of a block along time.
        dilations: of the blocks along time, in steps.
        embedding: length of a cell's vector.
        words: inner size of what turns text vectors into vectors of classes.
        classes: classes it was trained on.
    """

    channels: tuple[int, ...] = (24, 64, 112, 160)
    width: int = 384
    hidden: int = 768
    dilations: tuple[int, ...] = (1, 2, 4, 8)
    embedding: int = 96
    words: int = 128
    classes: int = 1

    def __post_init__(self) -> None:
        """Checks the number of stages.

        Raises:
            ValueError: there are not four.
        """
        if len(self.channels) != 4:
            raise ValueError("a listener has four stages")


class Normed(nn.Module):
    """A convolution and, while it is trained, the norm after it; for use the norm is worked into the convolution."""

    def __init__(self, convolution: nn.Conv1d | nn.Conv2d, trained: bool) -> None:
        """Args: convolution: with a bias; trained: without a norm."""
        super().__init__()
        channels = convolution.out_channels
        self.convolution = convolution
        self.norm: nn.Module = nn.Identity()
        if not trained:
            self.norm = nn.BatchNorm2d(channels) if isinstance(convolution, nn.Conv2d) else nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Any input of the convolution."""
        return self.norm(self.convolution(x))

    def settle(self) -> None:
        """Works the norm into the convolution."""
        if isinstance(self.norm, nn.BatchNorm1d | nn.BatchNorm2d):
            self.convolution = fuse_conv_bn_eval(self.convolution, self.norm)
            self.norm = nn.Identity()


class _Stage(nn.Module):
    """A convolution that halves, and one around which the signal may pass."""

    def __init__(self, into: int, out: int, stride: tuple[int, int], trained: bool) -> None:
        super().__init__()
        self.down = Normed(nn.Conv2d(into, out, 3, stride, 1), trained)
        self.along = Normed(nn.Conv2d(out, out, 3, 1, 1), trained)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.down(x))
        return functional.relu(x + self.along(x))


class _Along(nn.Module):
    """Looks along time: a depthwise convolution with gaps, then a small perceptron, added to what came in."""

    def __init__(self, width: int, hidden: int, dilation: int, trained: bool) -> None:
        super().__init__()
        margin = dilation * (_KERNEL // 2)
        self.along = Normed(nn.Conv1d(width, width, _KERNEL, padding=margin, dilation=dilation, groups=width), trained)
        self.up = nn.Conv1d(width, hidden, 1)
        self.down = nn.Conv1d(hidden, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.down(functional.relu(self.up(self.along(x))))


class Listener(nn.Module):
    """A U-Net over bands with blocks along time at its narrowest, one vector per cell of two bands and 40 ms."""

    def __init__(self, config: ListenerConfig, trained: bool = True) -> None:
        """Builds it.

        Args:
            config: shapes.
            trained: as it is used, without norms; False for training.
        """
        super().__init__()
        self.config = config
        first, second, third, fourth = config.channels
        narrow = BANDS // 8
        self.stem = Normed(nn.Conv2d(LISTENER_PLANES, first, 3, 2, 1), trained)
        self.stages = nn.ModuleList(
            (
                _Stage(first, second, (1, 2), trained),
                _Stage(second, third, (2, 1), trained),
                _Stage(third, fourth, (2, 1), trained),
            )
        )
        self.feature = Normed(nn.Conv1d(narrow * fourth, config.width, 1), trained)
        self.blocks = nn.ModuleList(_Along(config.width, config.hidden, d, trained) for d in config.dilations)
        self.last = Normed(nn.Conv1d(config.width, config.width, 1), trained)
        self.back = nn.Conv1d(config.width, narrow * fourth, 1)
        self.widen = nn.Conv2d(fourth, 2 * third, 1)
        self.wide = Normed(nn.Conv2d(third, third, 3, 1, 1), trained)
        self.widen_again = nn.Conv2d(third, 2 * config.embedding, 1)
        self.beside = nn.Conv2d(second, config.embedding, 1)
        self.widest = Normed(nn.Conv2d(config.embedding, config.embedding, 3, 1, 1), trained)
        self.leave = nn.Conv2d(config.embedding, config.embedding, 1)
        self.dropout = nn.Dropout(_DROPOUT)
        self.text = nn.Linear(TEXT, config.words)
        self.key = nn.Linear(config.words, config.embedding + 1)
        self.background = nn.Parameter(torch.cat([torch.zeros(config.embedding), torch.tensor([2.0])]))
        self.known: Tensor
        self.register_buffer("known", torch.zeros(config.classes, TEXT))

    def forward(self, planes: Tensor) -> Tensor:
        """Vectors of the cells.

        Args:
            planes: (batch, 2, bands, frames), frames a multiple of four.

        Returns:
            (batch, embedding, bands / 2, frames / 4).
        """
        x = functional.relu(self.stem(planes.contiguous(memory_format=torch.channels_last)))
        seen = []
        for stage in self.stages:
            x = stage(x)
            seen.append(x)
        fine, middle, coarse = seen
        batch, channels, bands, steps = coarse.shape
        state = self.dropout(functional.relu(self.feature(coarse.reshape(batch, channels * bands, steps))))
        for block in self.blocks:
            state = block(state)
        state = self.dropout(functional.relu(self.last(state)))
        x = functional.relu(coarse + self.back(state).view(batch, channels, bands, steps))
        x = functional.relu(middle + _unfolded(self.widen(x)))
        x = functional.relu(x + self.wide(x))
        x = _unfolded(self.widen_again(x)) + self.beside(fine)
        x = functional.relu(x + self.widest(functional.relu(x)))
        return self.leave(x)

    def keys(self, texts: Tensor) -> Tensor:
        """Vectors of classes, with their bias last: (n, 64) text vectors to (n, embedding + 1)."""
        return self.key(functional.gelu(self.text(TEXT_UNIT * texts)))

    def logits(self, cells: Tensor, keys: Tensor) -> Tensor:
        """How much every cell speaks for each of n classes, and last for the background.

        Args:
            cells: (batch, embedding, bands / 2, steps).
            keys: (n, embedding + 1).

        Returns:
            (batch, bands / 2, steps, n + 1).
        """
        keys = torch.cat([keys, self.background[None]])
        return torch.einsum("beft,ne->bftn", cells, keys[:, :-1]) + keys[:, -1]

    def heard(self, planes: Tensor, label: Tensor, active: Tensor, doubt: Tensor | None = None) -> Tensor:
        """What a mask head is told: how likely the power in a band and frame is the asked sound's, the background's, another's.

        The asked class stands against all others it knows; one that it does not know joins them. Told twice: by the cell alone, then given
        the box (`_parts`). Alone, among all classes a cell is rarely sure of one; but the row says that the asked one is there, and the box what
        else is.

        Args:
            planes: (batch, 2, bands, frames); any number of frames.
            label: text vectors of the labels asked about, (batch, 64).
            active: frames of the box, (batch, frames).
            doubt: added to the evidence for what is asked for and for every known class, (batch, 1 + classes): noise, for training a mask head on
                recordings that the listener has learnt, and of which it is too sure.

        Returns:
            (batch, 6, bands, frames): logarithms of the shares, cut below and scaled.
        """
        frames = planes.shape[-1]
        active = functional.pad(active, (0, -frames % STEP)).unflatten(1, (-1, STEP)).amax(dim=2)
        cells = self(functional.pad(planes, (0, -frames % STEP)))
        with torch.autocast(planes.device.type, enabled=False):  # half a float does not know a class again
            shares = self._shares(cells.float(), label.float(), active.float(), doubt)
        told = [s.log().clamp(min=_LEAST) / _SCALE for s in shares]
        return torch.cat(told, dim=1).repeat_interleave(PAIR, dim=2).repeat_interleave(STEP, dim=3)[..., :frames]

    def _shares(self, cells: Tensor, label: Tensor, active: Tensor, doubt: Tensor | None) -> tuple[Tensor, Tensor]:
        """Shares of what is asked for, the background and anything else in every cell, by the cell alone and given the box."""
        known = functional.normalize(self.known.float(), dim=1)
        same = functional.normalize(label, dim=1) @ known.T > _SAME
        asked, classes = self.keys(label)[:, None], self.keys(self.known).expand(len(label), -1, -1)
        keys = torch.cat([asked, self.background.expand(len(label), 1, -1), classes], dim=1)
        bias = torch.cat([keys[:, :2, -1], keys[:, 2:, -1].masked_fill(same, -torch.inf)], dim=1)
        if doubt is not None:
            bias = bias + torch.cat([doubt[:, :1], torch.zeros_like(doubt[:, :1]), doubt[:, 1:]], dim=1)
        speak = torch.einsum("beft,bne->bftn", cells, keys[..., :-1]).add_(bias[:, None, None]).softmax(dim=-1)
        parts = _parts(speak, active)
        return _three(speak, torch.ones_like(parts)), _three(speak, parts)

    def settled(self) -> "Listener":
        """The same network as it is used: every norm worked into its convolution."""
        out = Listener(self.config, trained=False)
        out.load_state_dict(self.state_dict())
        out.eval()
        for module in out.modules():
            if isinstance(module, Normed):
                module.settle()
        return out


def _three(speak: Tensor, parts: Tensor) -> Tensor:
    """Shares of the first class, the second, and all others, where there is so much of each: (batch, bands, steps, n) to (batch, 3, bands, steps)."""
    own, background = (speak[..., n] * parts[:, n, None, None] for n in range(2))
    three = torch.stack([own, background, torch.einsum("bftn,bn->bft", speak[..., 2:], parts[:, 2:])], dim=1)
    return three / three.sum(dim=1, keepdim=True)


def _parts(speak: Tensor, active: Tensor) -> Tensor:
    """How much of a box every class may make up, from what its cells say.

    The listener learns to say which of the few sounds that are there holds a cell (`training.listener.cross_entropies`), but not which are there. The
    row says it of one; of the others, those count that the box speaks for. What is asked for, the background, and all others together may make up
    as much as each other: which of them it is in a cell, the cell says.

    Args:
        speak: how much every cell speaks for what is asked for, the background, all others, (batch, bands, steps, n); sums to 1.
        active: steps of the box, (batch, steps).

    Returns:
        (batch, n), above 0: 1 for what is asked for, 1 for the background, and the others', which sum to 1.
    """
    weight = active[:, None, :].expand(speak.shape[:3])
    mean = torch.einsum("bft,bftn->bn", weight / weight.sum(dim=(1, 2), keepdim=True).clamp(min=1.0), speak)
    others = mean[:, 2:].clamp(min=_NONE) ** _PLAINER
    return torch.cat([torch.ones_like(mean[:, :2]), others / others.sum(dim=1, keepdim=True)], dim=1)


def _unfolded(x: Tensor) -> Tensor:
    """(batch, 2 channels, bands, steps) to (batch, channels, 2 bands, steps)."""
    return x.unflatten(1, (-1, 2)).movedim(2, 3).flatten(2, 3)


def build_listener(checkpoint: Checkpoint) -> Listener | None:
    """The checkpoint's listener, in evaluation mode; None where it has none.

    Raises:
        InputError: configuration and weights do not fit each other.
    """
    if "listener" not in checkpoint.configs:
        return None
    config = dataclass_from_json(ListenerConfig, checkpoint.configs["listener"], checkpoint.folder)
    listener = Listener(config)
    fill(listener, checkpoint.tensors["listener"], checkpoint.folder)
    return listener.requires_grad_(False)
