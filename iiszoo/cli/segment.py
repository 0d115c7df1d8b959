"""`iiszoo segment`: one image, some clicks, a mask."""

from __future__ import annotations

import io
import os
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from iiszoo import units
from iiszoo.builtin.models import DEFAULT
from iiszoo.cli.compute_options import runtime_option
from iiszoo.cli.foreign_output import foreign_output
from iiszoo.cli.output import echo, json_option, print_json
from iiszoo.errors import BadOption
from iiszoo.files import replace_bytes
from iiszoo.models.runtime import RUNTIME

if TYPE_CHECKING:
    from iiszoo.engine.segment import Segmentation

_Clicks = tuple[tuple[int, int], ...]


def _clicks(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> _Clicks:
    """`ROW,COL` as pairs of numbers."""
    found = []
    for value in values:
        row, comma, col = (part.strip() for part in value.partition(","))
        if not comma or not (row.isdecimal() and col.isdecimal()):
            raise click.BadParameter(f"{value!r} is not ROW,COL in whole pixels, such as 120,80", ctx, param)
        found.append((int(row), int(col)))
    return tuple(found)


_file = click.Path(path_type=Path, dir_okay=False)


@click.command("segment")
@click.argument("image", type=_file)
@click.option("--at", "positive", multiple=True, callback=_clicks, metavar="ROW,COL", help="A click on the object.")
@click.option("--not", "negative", multiple=True, callback=_clicks, metavar="ROW,COL", help="A click beside it.")
@click.option("--model", "-m", default=DEFAULT, show_default=True, help="A model id, a family name, module:function.")
@click.option("--checkpoint", type=_file, help="Your own weights for the model.")
@runtime_option
@click.option("--initial", type=_file, metavar="MASK", help="A mask to correct: a picture, or probabilities as .npy.")
@click.option("--device", default="cpu", show_default=True, help="Device of the model: cpu, cuda, cuda:1, mps.")
@click.option("--out", type=_file, help="The mask, 255 on the object: a PNG.  [default: IMAGE-mask.png, here]")
@click.option("--overlay", is_flag=True, help="Also draw mask and clicks on the image: OUT-overlay.png.")
@json_option
def command(
    image: Path,
    positive: _Clicks,
    negative: _Clicks,
    model: str,
    checkpoint: Path | None,
    runtime: str | None,
    initial: Path | None,
    device: str,
    out: Path | None,
    overlay: bool,
    as_json: bool,
) -> None:
    """Segment the object that clicks show in IMAGE, and save its mask.

    A click is ROW,COL, in pixels from the top left corner. All clicks are given to the model at once.
    """
    sys.path.append(os.getcwd())  # so that module:function finds a module of the working directory
    out = Path(f"{image.stem}-mask.png") if out is None else out
    if out.suffix.lower() != ".png":
        raise BadOption(f"--out {out} must end in .png: other formats may change the mask's values")
    if out.exists() and image.exists() and out.samefile(image):
        raise BadOption(f"--out {out} is the image itself; give another name")
    from iiszoo.data.image_input import to_rgb
    from iiszoo.engine.segment import segment
    from iiszoo.loading import load_model
    from iiszoo.model_reference import with_flags

    pixels = to_rgb(image)
    began = time.perf_counter()
    with foreign_output():
        loaded = load_model(model, checkpoint, device, **with_flags(model, {RUNTIME: runtime}))
        ready = time.perf_counter()
        found = segment(pixels, positive, negative, model=loaded, previous=initial)
    seconds = time.perf_counter() - ready
    files = {"mask": out, **({"overlay": out.with_name(f"{out.stem}-overlay.png")} if overlay else {})}
    _write(found, pixels, positive, negative, files)
    facts: dict[str, Any] = {
        **{kind: str(file) for kind, file in files.items()},
        "model": found.model,
        "object_pixels": int(found.mask.sum()),
        "image_pixels": found.mask.size,
        "seconds": {"loading": ready - began, "answer": seconds},
    }
    if as_json:
        print_json(facts)
        return
    share = facts["object_pixels"] / facts["image_pixels"]
    echo(f"{out}: {units.number_of(facts['object_pixels'], 'pixel')}, {share:.1%} of the image")
    if overlay:
        echo(files["overlay"])
    echo(f"{found.model} loaded in {units.time(ready - began)}, answered in {units.time(seconds)} on {_place(device)}")


def _write(found: Segmentation, pixels: Any, positive: _Clicks, negative: _Clicks, files: dict[str, Path]) -> None:
    from PIL import Image

    from iiszoo.data.drawing import drawn

    pictures = {"mask": found.mask.astype("uint8") * 255}
    if "overlay" in files:
        pictures["overlay"] = drawn(pixels, found.mask, positive, negative)
    for kind, file in files.items():
        content = io.BytesIO()
        Image.fromarray(pictures[kind]).save(content, format="PNG")
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_bytes(file, content.getvalue())


def _place(device: str) -> str:
    import torch

    return device if device != "cpu" else f"cpu, {units.number_of(torch.get_num_threads(), 'thread')}"
