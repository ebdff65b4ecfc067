"""Checkpoints: what is written comes back, and nothing harmed is ever loaded."""

import hashlib
import json
import pickle
from dataclasses import asdict
from pathlib import Path

import pytest
import torch

from recomposer_studio.errors import InputError
from recomposer_studio.model import checkpoint as module
from recomposer_studio.model.checkpoint import dataclass_from_json, fill, load_checkpoint, write_facts, write_part
from recomposer_studio.model.encoder import EncoderConfig
from recomposer_studio.model.mask import MaskConfig, build_mask
from recomposer_studio.roll.event import Action
from tests.model.tiny import TINY_MASK, random_mask, write_tiny

_MASK = ("mask",)


def _edit(folder: Path, **changes: object) -> None:
    path = folder / "config.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document.update(changes)
    path.write_text(json.dumps(document), encoding="utf-8")


def test_what_is_written_comes_back(tmp_path: Path) -> None:
    checkpoint = load_checkpoint(write_tiny(tmp_path / "small"))
    assert (checkpoint.name, checkpoint.rate_hz) == ("tiny", 32000)
    assert checkpoint.classes == {"Bark", "Door"}
    assert checkpoint.better_than_repair == {Action.DELETE, Action.ENHANCE}
    assert set(checkpoint.tensors) == {"mask", "codec", "decoder"}
    weights = random_mask(0).state_dict()
    assert checkpoint.tensors["mask"].keys() == weights.keys()
    assert all(torch.equal(weights[name], tensor) for name, tensor in checkpoint.tensors["mask"].items())
    assert build_mask(checkpoint).config == TINY_MASK
    assert not list((tmp_path / "small").glob("*.part"))


def test_the_digest_follows_the_weights_and_the_configuration(tmp_path: Path) -> None:
    first = load_checkpoint(write_tiny(tmp_path / "a", _MASK, seed=1)).digest
    assert first == load_checkpoint(write_tiny(tmp_path / "b", _MASK, seed=1)).digest
    assert first != load_checkpoint(write_tiny(tmp_path / "c", _MASK, seed=2)).digest
    write_facts(tmp_path / "a", better_than_repair=[])
    assert first != load_checkpoint(tmp_path / "a").digest


def test_parts_are_written_one_by_one_and_replaced(tmp_path: Path) -> None:
    write_part(tmp_path / "one", "mask", {"a": 1}, {"w": torch.zeros(2)})
    write_facts(tmp_path / "one", classes=["B", "A"])
    write_part(tmp_path / "one", "codec", {"b": 2}, {"v": torch.ones(3)})
    write_part(tmp_path / "one", "mask", {"a": 3}, {"w": torch.ones(2)})
    checkpoint = load_checkpoint(tmp_path / "one")
    assert (
        checkpoint.name == "one" and checkpoint.classes == {"A", "B"} and checkpoint.better_than_repair == frozenset()
    )
    assert checkpoint.configs == {"mask": {"a": 3}, "codec": {"b": 2}}
    assert torch.equal(checkpoint.tensors["mask"]["w"], torch.ones(2))
    with pytest.raises(ValueError, match="no part"):
        write_part(tmp_path / "one", "vocoder", {}, {})


def test_large_parts_are_cut_into_several_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARD_BYTES", 2**16 + 1000)
    tensors = {f"w{n}": torch.full((100,), float(n)) for n in range(5)}
    write_part(tmp_path, "decoder", {}, tensors)
    assert len(list(tmp_path.glob("decoder-*-of-3.safetensors"))) == 3
    assert all(path.stat().st_size < module.SHARD_BYTES for path in tmp_path.glob("*.safetensors"))
    back = load_checkpoint(tmp_path).tensors["decoder"]
    assert all(torch.equal(back[name], tensor) for name, tensor in tensors.items())
    monkeypatch.undo()
    write_part(tmp_path, "decoder", {}, tensors)
    assert [path.name for path in tmp_path.glob("*.safetensors")] == ["decoder.safetensors"]


@pytest.mark.parametrize("at", [0, 8, 200, -1])
def test_one_wrong_byte_is_found(tmp_path: Path, at: int) -> None:
    path = write_tiny(tmp_path, _MASK) / "mask.safetensors"
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(InputError, match=r"mask\.safetensors.*is damaged"):
        load_checkpoint(tmp_path)


def test_a_truncated_or_missing_file_is_found(tmp_path: Path) -> None:
    path = write_tiny(tmp_path, _MASK) / "mask.safetensors"
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(InputError, match="is damaged"):
        load_checkpoint(tmp_path)
    path.unlink()
    with pytest.raises(InputError, match="missing"):
        load_checkpoint(tmp_path)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    write_tiny(tmp_path, _MASK)
    data = pickle.dumps({"w": [1.0]})
    (tmp_path / "mask.safetensors").write_bytes(data)
    document = json.loads((tmp_path / "config.json").read_text(encoding="utf-8"))
    document["parts"]["mask"]["files"][0]["sha256"] = hashlib.sha256(data).hexdigest()
    (tmp_path / "config.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(InputError, match="no safetensors"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format_version": 2}, "newer version|format version"),
        ({"format_version": 0}, "format version"),
        ({"parts": {"vocoder": {}}}, "'vocoder' is unknown"),
        ({"surprise": 1}, "'surprise' is unknown"),
        ({"better_than_repair": ["dance"]}, "damaged"),
        ({"parts": {"mask": {"config": {}}}}, "damaged"),
        (
            {"parts": {"mask": {"config": {}, "files": [{"file": "../x.safetensors", "sha256": ""}]}}},
            "outside its folder",
        ),
        ({"classes": None}, "damaged"),
    ],
)
def test_a_wrong_configuration_is_one_sentence(tmp_path: Path, change: dict[str, object], words: str) -> None:
    _edit(write_tiny(tmp_path, _MASK), **change)
    with pytest.raises(InputError, match=words) as caught:
        load_checkpoint(tmp_path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", "\x00"])
def test_a_configuration_that_is_none(tmp_path: Path, text: str) -> None:
    write_tiny(tmp_path, _MASK)
    (tmp_path / "config.json").write_text(text, encoding="utf-8")
    with pytest.raises(InputError):
        load_checkpoint(tmp_path)


def test_no_checkpoint_there(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"config\.json"):
        load_checkpoint(tmp_path / "nowhere")


def test_weights_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    net = random_mask(0)
    with pytest.raises(InputError, match="do not fit"):
        fill(net, {"a": torch.zeros(1)}, tmp_path)
    weights = dict(net.state_dict())
    weights["leave.bias"] = torch.zeros(3)
    with pytest.raises(InputError, match="do not fit"):
        fill(net, weights, tmp_path)


def test_dataclasses_come_back_and_unknown_fields_are_refused(tmp_path: Path) -> None:
    values = json.loads(json.dumps(asdict(TINY_MASK)))
    assert dataclass_from_json(MaskConfig, values, tmp_path) == TINY_MASK
    with pytest.raises(InputError, match="'bends' is unknown"):
        dataclass_from_json(MaskConfig, {**values, "bends": 1}, tmp_path)
    with pytest.raises(InputError, match="damaged"):
        dataclass_from_json(EncoderConfig, {"width": 3}, tmp_path)
