"""Conditioning: text vectors x activation, summed per frame."""

import numpy as np
import torch

from recomposer_studio.model.conditioning import EVENT_VECTOR, Conditioning, event_vector
from recomposer_studio.roll.labels import LabelTable


def _net() -> Conditioning:
    torch.manual_seed(0)
    return Conditioning(12).eval()


def _events(count: int) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(1)
    return torch.randn(1, count, EVENT_VECTOR), (torch.rand(1, count, 20) > 0.5).float()


def test_an_event_vector_is_its_action_word_then_its_label() -> None:
    table = LabelTable.load()
    vector = event_vector(table, "delete", "Bark")
    assert vector.shape == (EVENT_VECTOR,) and vector.dtype == np.float32
    np.testing.assert_array_equal(vector[:64], table.vector("delete"))
    np.testing.assert_array_equal(vector[64:], table.vector("Bark"))


def test_embedding_is_linear_times_activation_summed_per_frame() -> None:
    net = _net()
    query, active = torch.randn(1, EVENT_VECTOR), (torch.rand(1, 20) > 0.5).float()
    others, others_active = _events(3)
    out = net(query, active, others, others_active)
    expected = net.queried(8.0 * query)[0][:, None] * active[0]
    for vector, frames in zip(others[0], others_active[0], strict=True):
        expected = expected + net.others(8.0 * vector)[:, None] * frames
    torch.testing.assert_close(out[0], expected)


def test_nothing_active_gives_zero_and_no_others_are_allowed() -> None:
    net = _net()
    query = torch.randn(1, EVENT_VECTOR)
    out = net(query, torch.zeros(1, 20), torch.zeros(1, 0, EVENT_VECTOR), torch.zeros(1, 0, 20))
    assert out.shape == (1, 12, 20) and not out.any()


def test_padding_events_change_nothing() -> None:
    net = _net()
    query, active = torch.randn(1, EVENT_VECTOR), torch.ones(1, 20)
    others, others_active = _events(2)
    padded = torch.cat([others, torch.randn(1, 1, EVENT_VECTOR)], dim=1)
    padded_active = torch.cat([others_active, torch.zeros(1, 1, 20)], dim=1)
    torch.testing.assert_close(net(query, active, padded, padded_active), net(query, active, others, others_active))


def test_the_event_asked_about_is_told_from_the_others() -> None:
    net = _net()
    vectors, active = torch.randn(2, EVENT_VECTOR), torch.ones(1, 20)
    one = net(vectors[:1], active, vectors[None, 1:], active[None])
    other = net(vectors[1:], active, vectors[None, :1], active[None])
    assert not torch.allclose(one, other)
