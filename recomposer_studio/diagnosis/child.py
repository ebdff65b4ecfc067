"""Asked by `machine.ask` in a process of its own: `python -m recomposer_studio.diagnosis.child audio|gpu`."""

import json
import sys
from typing import Any


def audio() -> dict[str, Any]:
    """PortAudio, its outputs and the default one."""
    try:
        import sounddevice
    except OSError as error:
        return {"missing": "portaudio", "problem": str(error)}
    facts: dict[str, Any] = {"portaudio": sounddevice.get_portaudio_version()[1]}
    try:
        devices = [device for device in sounddevice.query_devices() if device["max_output_channels"] > 0]
        facts["outputs"] = [str(device["name"]) for device in devices]
        default = sounddevice.query_devices(kind="output")
    except (sounddevice.PortAudioError, ValueError) as error:
        return facts | {"outputs": facts.get("outputs", []), "problem": str(error)}
    host = sounddevice.query_hostapis(default["hostapi"])["name"]
    rate_hz = round(float(default["default_samplerate"]))
    return facts | {"default": f"{default['name']} ({host}, {default['max_output_channels']} channels, {rate_hz} Hz)"}


def gpu() -> dict[str, Any]:
    """What torch and ONNX Runtime find to compute on."""
    facts: dict[str, Any] = {}
    try:
        import torch

        facts["torch"] = torch.__version__
        facts["torch_cuda"] = torch.version.cuda
        facts["cuda"] = [torch.cuda.get_device_name(number) for number in range(torch.cuda.device_count())]
        if torch.cuda.is_available():
            # A driver that is too old shows itself only at the first piece of work.
            torch.ones(2, device="cuda").sum().item()
    except Exception as error:  # a broken driver raises whatever it likes
        facts["problem"] = f"torch: {error}".splitlines()[0]
    try:
        import onnxruntime

        facts["onnxruntime"] = onnxruntime.__version__
        facts["providers"] = list(onnxruntime.get_available_providers())
    except Exception as error:
        facts.setdefault("problem", f"onnxruntime: {error}".splitlines()[0])
    return facts


if __name__ == "__main__":
    print(json.dumps({"audio": audio, "gpu": gpu}[sys.argv[1]]()))
