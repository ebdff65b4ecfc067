"""The codec that a checkpoint names."""

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from recomposer_studio.codec.interface import Codec
from recomposer_studio.codec.mel_rvq import MelRvqCodec, MelRvqConfig
from recomposer_studio.errors import InputError


def build_codec(config: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> Codec:
    """A codec from its part of a checkpoint's configuration and the tensors of its weight file.

    Raises:
        InputError: a codec that this version does not know, or weights that do not fit.
    """
    if config.get("kind") != "mel_rvq":
        raise InputError(
            f"the checkpoint asks for the codec {config.get('kind')!r}, unknown here; update Recomposer Studio"
        )
    return MelRvqCodec.from_tensors(MelRvqConfig.from_json(config), tensors)
