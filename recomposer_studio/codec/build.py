"""The codec that a checkpoint names."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from recomposer_studio.codec.interface import Codec
from recomposer_studio.codec.mel_rvq import MelRvqCodec, MelRvqConfig
from recomposer_studio.codec.published import PublishedCodec, PublishedConfig
from recomposer_studio.codec.waveform import WaveformCodec
from recomposer_studio.codec.waveform_network import WaveformConfig
from recomposer_studio.errors import InputError


def build_codec(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Codec:
    """A codec from its part of a checkpoint's configuration and the tensors of its weight file.

    Raises:
        InputError: a codec that this version does not know, a library that it needs and is not there, or weights that do not fit.
    """
    match config.get("kind"):
        case "mel_rvq":
            return MelRvqCodec.from_tensors(MelRvqConfig.from_json(config), tensors)
        case "waveform":
            return WaveformCodec.from_tensors(WaveformConfig.from_json(config), tensors)
        case "transformers":
            return PublishedCodec.from_tensors(PublishedConfig.from_json(config), tensors)
        case kind:
            raise InputError(f"the checkpoint asks for the codec {kind!r}, unknown here; update Recomposer Studio")
