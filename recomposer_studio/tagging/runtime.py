"""Opens networks in ONNX Runtime; what stands in the way is told in one sentence."""

import os
from typing import Any, Literal

from recomposer_studio.errors import InputError

Device = Literal["auto", "cpu", "cuda"]


def open_session(model: bytes, what: str, again: str, device: Device, threads: int | None) -> Any:
    """An ONNX Runtime session.

    Args:
        model: the ONNX file's bytes.
        what: what the network is called in messages.
        again: what to do when it is damaged.
        device: "auto" takes CUDA where ONNX Runtime offers it.
        threads: threads on the CPU; None for one per core.

    Raises:
        InputError: ONNX Runtime is not installed or has no CUDA, or the file is no network.
    """
    try:
        import onnxruntime
    except ImportError:
        raise InputError(
            f"{what} needs the package onnxruntime; install recomposer-studio with the extra 'cpu' or 'gpu'."
        ) from None
    cuda = on_cuda(device)
    if device == "cuda" and not cuda:
        raise InputError(
            "ONNX Runtime offers no CUDA here; install recomposer-studio with the extra 'gpu', or choose the device cpu."
        )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only; warnings about the machine are nothing a person could act on
    options.intra_op_num_threads = threads or _processors()
    try:
        return onnxruntime.InferenceSession(
            model, options, providers=[*(["CUDAExecutionProvider"] if cuda else []), "CPUExecutionProvider"]
        )
    except Exception as error:  # ONNX Runtime has a class of its own for every kind of fault
        raise InputError(f"the tagger's network is damaged; {again}") from error


def _processors() -> int:
    """Processors that this process may use, 0 where the system does not tell: more threads than those only wait for each other."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0


def on_cuda(device: Device) -> bool:
    """Whether a network would run on CUDA; False also without ONNX Runtime."""
    try:
        import onnxruntime
    except ImportError:
        return False
    return device != "cpu" and "CUDAExecutionProvider" in onnxruntime.get_available_providers()
