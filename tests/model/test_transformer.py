"""The causal stack: nothing from the future, nothing beyond the window, the cache changes nothing."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recomposer_studio.codec.inference import one_thread
from recomposer_studio.model.transformer import Cache, Transformer, TransformerConfig

_ROTARY = TransformerConfig(width=16, layers=2, heads=2, expansion=2, window=5)
_PLAIN = TransformerConfig(width=16, layers=2, heads=2, expansion=2, window=None, rotary=False)


def _stack(config: TransformerConfig) -> Transformer:
    torch.manual_seed(0)
    stack = Transformer(config).eval()
    with torch.no_grad():
        for weight in stack.parameters():
            weight.add_(0.3 * torch.randn_like(weight))
    return stack


@pytest.mark.parametrize("config", [_ROTARY, _PLAIN], ids=["rotary", "plain"])
@settings(max_examples=30, deadline=None)
@given(length=st.integers(1, 24))
def test_with_a_cache_every_position_has_the_same_state(config: TransformerConfig, length: int) -> None:
    stack = _stack(config)
    x = torch.randn(2, length, 16, generator=torch.Generator().manual_seed(length))
    with one_thread():
        whole = stack(x)
        cache = Cache(config, 2, length)
        steps = torch.cat([stack(x[:, n : n + 1], cache) for n in range(length)], dim=1)
    assert cache.used == length
    torch.testing.assert_close(steps, whole, atol=2e-5, rtol=1e-5)


@pytest.mark.parametrize("config", [_ROTARY, _PLAIN], ids=["rotary", "plain"])
def test_a_change_reaches_no_earlier_position_and_not_beyond_the_windows(config: TransformerConfig) -> None:
    stack = _stack(config)
    x = torch.randn(1, 30, 16)
    other = x.clone()
    other[:, 10] += 1.0
    with one_thread():
        # Equal rows may differ in the last bits where the other rows do; a real change is larger.
        changed = ((stack(x) - stack(other)).abs() > 1e-5).any(2)[0]
    assert not changed[:10].any()
    assert changed[10]
    last = 30 if config.window is None else 10 + config.layers * (config.window - 1) + 1
    assert changed[last - 1]
    assert not changed[last:].any()


def test_rotary_positions_tell_the_order() -> None:
    stack = _stack(_ROTARY)
    x = torch.randn(1, 4, 16)
    swapped = x[:, [1, 0, 2, 3]]
    with one_thread():
        assert (stack(x)[:, 3] - stack(swapped)[:, 3]).abs().max() > 1e-4
