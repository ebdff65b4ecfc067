"""The built-in tagger's network: log-mel to scores of patches (distilled) and to the activity of every class in time (from scenes)."""

from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from recomposer_studio.tagging.builtin import EXTRA_COLUMNS
from recomposer_studio.tagging.front_end import BANDS

MEL_CENTRE, MEL_SCALE = -3.0, 2.5
"""Log-mel is brought to about zero mean and unit spread: silence is -6.9, a loud scene about 1."""
KERNEL = 7
BOX_LIMIT, BOX_DROPOUT = 5.0, 0.4


@dataclass(frozen=True)
class TaggerConfig:
    """Size of the network.

    Attributes:
        channels: of the convolutions after each halving of the bands.
        width: size of a frame's feature and of the embedding.
        hidden: inner size of a temporal block.
        dilations: of the temporal blocks, in steps of 40 ms.
        patch_classes: classes of the patch scores.
        classes: classes of the activity.
        teacher_width: size of the teacher's embedding, which is learnt beside the scores and not exported.
        names_hidden: inner size of what names boxes.
    """

    channels: tuple[int, int, int, int] = (24, 48, 96, 160)
    width: int = 256
    hidden: int = 384
    dilations: tuple[int, ...] = (1, 2, 4, 8)
    patch_classes: int = 521
    classes: int = 160
    teacher_width: int = 1024
    names_hidden: int = 128

    def as_json(self) -> dict[str, object]:
        """For the page beside the weights."""
        return asdict(self)


class Stage(nn.Module):
    """A convolution that halves, and one around which the signal may pass."""

    def __init__(self, into: int, out: int, stride: tuple[int, int]) -> None:
        super().__init__()
        self.down = nn.Conv2d(into, out, 3, stride, 1, bias=False)
        self.down_norm = nn.BatchNorm2d(out)
        self.along = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.along_norm = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, into, steps, bands) to (batch, out, ...), halved as `stride` says."""
        x = functional.relu(self.down_norm(self.down(x)))
        return functional.relu(x + self.along_norm(self.along(x)))


class Block(nn.Module):
    """Looks along time: a depthwise convolution with gaps, then a small perceptron, added to what came in."""

    def __init__(self, width: int, hidden: int, dilation: int) -> None:
        super().__init__()
        self.along = nn.Conv1d(
            width, width, KERNEL, padding=dilation * (KERNEL // 2), dilation=dilation, groups=width, bias=False
        )
        self.norm = nn.BatchNorm1d(width)
        self.up = nn.Conv1d(width, hidden, 1)
        self.down = nn.Conv1d(hidden, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, width, steps) to the same."""
        return x + self.down(functional.relu(self.up(self.norm(self.along(x)))))


class TaggerNet(nn.Module):
    """The network.

    The stem halves time and bands, the first stage again; the later stages halve the bands alone, so that a step stays 40 ms.
    What a step looks like in all remaining bands becomes its feature. The mean feature of a patch is its embedding, from which
    the 521 scores follow; temporal blocks see 1.8 s either way, and the mean of the whole window, before they tell the activity.
    Means and maxima of the features in a box tell, beside the activity, what its sound is called.
    """

    def __init__(self, config: TaggerConfig) -> None:
        super().__init__()
        self.config = config
        first, *others = config.channels
        self.stem = nn.Conv2d(1, first, 3, 2, 1, bias=False)
        self.stem_norm = nn.BatchNorm2d(first)
        stages, into = [], first
        for number, out in enumerate(others):
            stages.append(Stage(into, out, (2, 2) if number == 0 else (1, 2)))
            into = out
        self.stages = nn.ModuleList(stages)
        bands = BANDS >> (1 + len(others))
        self.feature = nn.Conv1d(into * bands, config.width, 1, bias=False)
        self.feature_norm = nn.BatchNorm1d(config.width)
        self.scores = nn.Linear(config.width, config.patch_classes)
        self.teacher = nn.Linear(config.width, config.teacher_width)
        self.around = nn.Conv1d(config.width, config.width, 1)
        self.blocks = nn.ModuleList(Block(config.width, config.hidden, d) for d in config.dilations)
        self.last_norm = nn.BatchNorm1d(config.width)
        self.activity = nn.Conv1d(config.width, config.classes + EXTRA_COLUMNS, 1)
        self.box_norm = nn.BatchNorm1d(2 * config.width, affine=False)
        self.box = nn.Linear(2 * config.width, config.names_hidden)
        self.names = nn.Linear(config.names_hidden, config.classes)
        self.dropout = nn.Dropout(0.2)
        nn.init.constant_(self.scores.bias, -6.0)
        assert self.activity.bias is not None
        nn.init.constant_(self.activity.bias, -5.0)

    def features(self, log_mel: Tensor) -> Tensor:
        """(batch, frames, 64) to (batch, width, frames / 4)."""
        x = ((log_mel - MEL_CENTRE) / MEL_SCALE)[:, None].contiguous(memory_format=torch.channels_last)
        x = functional.relu(self.stem_norm(self.stem(x)))
        for stage in self.stages:
            x = stage(x)
        flat = x.permute(0, 1, 3, 2).flatten(1, 2)
        return functional.relu(self.feature_norm(self.feature(flat)))

    def embeddings(self, features: Tensor, steps: int) -> Tensor:
        """Mean features of runs of `steps`: (batch, width, n * steps) to (batch, n, width)."""
        return features.unflatten(2, (-1, steps)).mean(3).transpose(1, 2)

    def activities(self, features: Tensor) -> Tensor:
        """Logits (batch, frames / 4, classes + 2): the classes, any event at all, and an event's onset."""
        x = self.dropout(features)
        x = x + self.around(x.mean(2, keepdim=True))
        for block in self.blocks:
            x = block(x)
        return self.activity(self.dropout(functional.relu(self.last_norm(x)))).transpose(1, 2)

    def named(self, pooled: Tensor) -> Tensor:
        """Logits (n, classes) for boxes (n, 2 width): means and maxima of their features."""
        x = functional.hardtanh(self.box_norm(pooled), -BOX_LIMIT, BOX_LIMIT)
        x = functional.relu(self.box(functional.dropout(x, BOX_DROPOUT, self.training)))
        return self.names(functional.dropout(x, BOX_DROPOUT, self.training))
