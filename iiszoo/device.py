"""Whether torch has a device here."""

from __future__ import annotations

from iiszoo.errors import BadOption

ON_CUDA = 20
"""How many times a model's tolerance its output on CUDA may differ: its kernels round differently, and TF32 has a short
mantissa.
"""


def check_device(device: str) -> None:
    """Raise `BadOption` unless torch has this device here."""
    import torch

    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise BadOption(f"device {device!r} is not one of torch's: cpu, cuda, cuda:0, mps") from error
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if not available.get(wanted.type, False):
        raise BadOption(f"device {device!r} is not available: torch finds no such device here; use --device cpu")
    if wanted.type == "cuda" and (wanted.index or 0) >= torch.cuda.device_count():
        raise BadOption(
            f"device {device!r} is not available: the number of CUDA devices is {torch.cuda.device_count()}"
        )
