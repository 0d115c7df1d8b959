"""Where the code of a model, plugin or clone failed, and its traceback as text. Standard library only; nothing raises.

An exception passes through many frames: iiszoo's, torch's, Python's. `place_of` names the one that its author wants to
see: the last line of the foreign code itself.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath
from typing import NamedTuple

from iiszoo.file_names import printable

TRACEBACK_LIMIT = 20_000
"""Characters of a traceback that are kept, from its end."""
_LINE_LIMIT = 1_000
"""Characters of one of its lines: an exception's text may be a megabyte long."""
_PATH_LIMIT = 200
_CHAIN = 20
"""Causes of causes that are followed."""

LIBRARIES = frozenset({
    "PIL", "click", "cv2", "filelock", "ftfy", "gdown", "jinja2", "lightning_fabric", "mmcv", "mmengine", "mmseg",
    "numba", "numpy", "onnx", "onnxruntime", "platformdirs", "pluggy", "pycocotools", "pytorch_lightning", "ray",
    "regex", "rich", "safetensors", "scipy", "segmentation_models_pytorch", "skimage", "starlette", "tifffile", "timm",
    "tomli", "torch", "torchmetrics", "torchvision", "uvicorn", "websockets",
})  # fmt: skip
"""The modules of what iiszoo depends on: a fault that shows in them was made by the code that called them."""
_BUILT_IN = ("iiszoo.models", "iiszoo.clicking", "iiszoo.data")
"""Where iiszoo's own models, robots and datasets are."""
_INSTALLED = {"site-packages", "dist-packages"}


class Frame(NamedTuple):
    """A line of a traceback; `module` is the name of the module that it is in, "" for a file that Python cannot
    compile.
    """

    file: str
    line: int
    function: str
    module: str

    def __str__(self) -> str:
        function = f", in {_shown(self.function, 80)}" if self.function else ""
        return f"{_shown(_near(self.file), _PATH_LIMIT)}:{self.line}{function}"


class RemoteTraceback(Exception):
    """The traceback of another process, as text: the cause of the error that reports it here. `frames` are its lines,
    outermost first.
    """

    def __init__(self, text: str, frames: Sequence[Frame] = ()) -> None:
        super().__init__(text)
        self.text, self.frames = text, tuple(frames)

    def __str__(self) -> str:
        return f"\n{self.text}"


def place_of(error: BaseException) -> str:
    """`mine/network.py:41, in forward`: the last line of the code of a model, plugin or clone that `error` came from.
    "" if it came from none, but from iiszoo or Python.
    """
    frame = _at_fault(_frames(error))
    return "" if frame is None else str(frame)


def traceback_of(error: BaseException) -> str:
    """The traceback of what foreign code raised, if iiszoo has turned that into `error`; else that of `error` itself.

    At most `TRACEBACK_LIMIT` characters, without characters that steer a terminal.
    """
    shown = _blamed(error) or error
    if isinstance(shown, RemoteTraceback):
        return bounded(shown.text)
    try:
        return bounded("".join(traceback.format_exception(shown)))
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  the attributes of an exception may raise anything
        return f"{type(shown).__name__}, whose traceback cannot be read"


def foreign_traceback(error: BaseException) -> str | None:
    """As `traceback_of`; None unless `error` reports what a model, plugin or clone raised, and names the place."""
    return None if _blamed(error) is None else traceback_of(error)


def as_text(error: BaseException) -> RemoteTraceback:
    """What another process needs to report `error` as this one would."""
    return RemoteTraceback(traceback_of(error), _frames(_blamed(error) or error))


def bounded(text: str) -> str:
    """A traceback's text, cut to `TRACEBACK_LIMIT` characters from its end, and every line to a legible length."""
    lines = [_shown(line.replace("\t", "    "), _LINE_LIMIT) for line in text.strip().split("\n")]
    return "\n".join(lines)[-TRACEBACK_LIMIT:]


def _blamed(error: BaseException) -> BaseException | None:
    """The cause of an error for users that foreign code raised: the one whose place its sentence names."""
    if not _is_ours(error):
        return None
    told, cause = str(error), error.__cause__
    for _ in range(_CHAIN):
        if cause is None:
            break
        place = "" if _is_ours(cause) else place_of(cause)
        if place and place in told:
            return cause
        cause = _cause_of(cause)
    return None


def _cause_of(error: BaseException) -> BaseException | None:
    try:
        return error.__cause__
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  see above
        return None


def _is_ours(error: BaseException) -> bool:
    """Whether this is an error for users: a sentence that says everything itself."""
    return any(kind.__name__ == "IISZooError" and kind.__module__ == "iiszoo.errors" for kind in type(error).__mro__)


def _frames(error: BaseException) -> list[Frame]:
    """The lines of an error's traceback, outermost first; for code that does not compile, the line at fault is last."""
    try:
        return [*error.frames] if isinstance(error, RemoteTraceback) else [*_walked(error)]
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001  see above
        return []


def _walked(error: BaseException) -> Iterator[Frame]:
    trace = error.__traceback__
    while trace is not None:
        code, module = trace.tb_frame.f_code, trace.tb_frame.f_globals.get("__name__")
        yield Frame(code.co_filename, trace.tb_lineno or 0, code.co_name, module if isinstance(module, str) else "")
        trace = trace.tb_next
    if isinstance(error, SyntaxError):
        file, line = error.filename, error.lineno
        if isinstance(file, str) and isinstance(line, int) and not file.startswith("<"):
            yield Frame(file, line, "", "")


def _at_fault(frames: Sequence[Frame]) -> Frame | None:
    """The last frame of foreign code.

    Foreign is what is neither iiszoo's, Python's, nor one of `LIBRARIES`. The outermost such frame tells whose code it
    is; what is installed beside it is a library that it calls, unless it is of the same package. If there is none:
    iiszoo's own models, robots and datasets; then the library that was called by itself (`torch.nn:Identity`).
    """
    if frames and not frames[-1].module and not frames[-1].function:
        return frames[-1]
    foreign = [frame for frame in frames if _top(frame) not in _NOT_FOREIGN and not _generated(frame)]
    own = [frame for frame in foreign if _top(frame) == _top(foreign[0]) or not _is_installed(frame)]
    built_in = (frame for frame in reversed(frames) if frame.module.startswith(_BUILT_IN))
    library = (frame for frame in reversed(frames) if _top(frame) in LIBRARIES)
    return own[-1] if own else next(built_in, None) or next(library, None)


_NOT_FOREIGN = {"iiszoo", *LIBRARIES, *sys.stdlib_module_names} - {"__main__"}


def _top(frame: Frame) -> str:
    return frame.module.partition(".")[0]


def _generated(frame: Frame) -> bool:
    """Whether this code is in no file: made by dataclasses, torch.fx or a plain `exec`."""
    return frame.file.startswith("<") and _top(frame) != "__main__"


def _is_installed(frame: Frame) -> bool:
    return not _INSTALLED.isdisjoint(PurePath(frame.file).parts)


def _near(file: str) -> str:
    """The path relative to the working directory, if it is below that."""
    try:
        here = os.path.join(os.getcwd(), "")
    except OSError:  # it was deleted
        return file
    return file[len(here) :] if file.startswith(here) else file


def _shown(text: str, limit: int) -> str:
    """Printable and at most about `limit` characters, of which the last count more than the first."""
    if len(text) > limit:
        text = f"{text[: limit // 4]} ... {text[-(limit - limit // 4) :]}"
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in printable(text))


def frames_from(values: object) -> list[Frame]:
    """The frames that another process reports as lists `[file, line, function, module]`; others are left out."""
    kinds = (str, int, str, str)
    rows: Iterable[object] = values if isinstance(values, list) else ()
    return [Frame(*row) for row in rows if isinstance(row, list) and [*map(type, row)] == [*kinds]]
