"""Reading checkpoints, without running what is in them."""

from __future__ import annotations

import pickle
import re
from pathlib import Path
from typing import Any

from iiszoo.errors import WeightsError


def load_checkpoint(file: str | Path, *, map_location: Any = "cpu") -> Any:
    """What `torch.save` wrote to `file`: tensors and plain Python values only (`torch.load(weights_only=True)`).

    Raises `WeightsError` where the file is absent, truncated, no checkpoint, or holds objects of other classes. A
    class whose objects are harmless can be allowed with `torch.serialization.safe_globals` around the call.
    """
    import torch

    try:
        return torch.load(file, map_location=map_location, weights_only=True)
    except FileNotFoundError as error:
        raise WeightsError(f"checkpoint {file} does not exist") from error
    except pickle.UnpicklingError as error:
        foreign = re.search(r"GLOBAL ([\w.]+)", str(error))
        if foreign:
            raise WeightsError(
                f"checkpoint {file} is not loaded: it holds an object of {foreign[1]}, and only tensors and plain "
                "Python values are read from checkpoints; save its state_dict alone"
            ) from error
        raise _unreadable(file, error) from error
    except Exception as error:  # damage shows as RuntimeError, EOFError, KeyError, ... wherever the reader stumbles
        raise _unreadable(file, error) from error


def _unreadable(file: str | Path, error: Exception) -> WeightsError:
    cause = (str(error).strip() or type(error).__name__).splitlines()[0][:200]
    return WeightsError(
        f"checkpoint {file} is truncated or is no PyTorch checkpoint ({cause}); give another, or fetch it again"
    )
