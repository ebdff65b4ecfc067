"""How an event roll reaches a network: a text vector per event x its activity, summed per frame.

As in the paper, `matmul((embedding, event), (event, frame)) -> (embedding, frame)`. There are two streams, because a mask answers for one
event at a time: the event that is asked about, and all others of its group (kept ones too) summed.
"""

from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

TEXT = 64
"""Length of a text vector."""
EVENT_VECTOR = 2 * TEXT
"""Length of an event's vector: the text vector of its action word, then that of its label."""
TEXT_UNIT = TEXT**0.5
"""Text vectors have length 1; times this their entries are about 1, as a linear layer likes them."""


class TextVectors(Protocol):
    """What conditioning asks of the label table."""

    def vector(self, text: str) -> NDArray[np.float32]:
        """Vector of any text, shape (64,)."""


def event_vector(texts: TextVectors, action: str, label: str) -> NDArray[np.float32]:
    """The vector of an event, shape (128,) float32: its action word, then its label."""
    words = (texts.vector(action), texts.vector(label))
    return np.concatenate(words).astype(np.float32)


class Words(nn.Module):
    """What is asked for, action and label, as one vector for the whole window: a sound is known by its class in every frame and layer."""

    def __init__(self, length: int) -> None:
        """Args: length: of the vector."""
        super().__init__()
        self.enter = nn.Linear(EVENT_VECTOR, length)

    def forward(self, query: Tensor) -> Tensor:
        """Event vectors (batch, 128) -> (batch, length)."""
        return functional.gelu(self.enter(TEXT_UNIT * query))


class Conditioning(nn.Module):
    """Turns event vectors and their activity into one embedding per frame."""

    def __init__(self, width: int) -> None:
        """Args: width: length of the embedding per frame."""
        super().__init__()
        self.queried = nn.Linear(EVENT_VECTOR, width)
        self.others = nn.Linear(EVENT_VECTOR, width)

    def forward(self, query: Tensor, query_active: Tensor, others: Tensor, others_active: Tensor) -> Tensor:
        """The embedding of every frame.

        Args:
            query: vector of the event asked about, (batch, 128).
            query_active: its activity, (batch, frames) in [0, 1].
            others: vectors of the other events, (batch, events, 128); any number of events, zero too.
            others_active: their activity, (batch, events, frames); rows of padding are zero.

        Returns:
            (batch, width, frames), zero where nothing is active.
        """
        asked = self.queried(TEXT_UNIT * query)[:, :, None] * query_active[:, None, :]
        if others.shape[1] == 0:
            return asked
        return asked + torch.matmul(self.others(TEXT_UNIT * others).transpose(1, 2), others_active)
