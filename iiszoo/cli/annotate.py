"""`iiszoo annotate`: a page to click in."""

from __future__ import annotations

import os
import sys
import threading
import webbrowser
from importlib.util import find_spec
from pathlib import Path

import click

from iiszoo import units
from iiszoo.builtin import models
from iiszoo.cli.compute_options import runtime_option
from iiszoo.cli.interpreter import python_option, python_timeout_option
from iiszoo.cli.output import echo, warn_of_broken_plugins
from iiszoo.cli.run_options import device_option
from iiszoo.errors import BadOption

_directory = click.Path(path_type=Path, file_okay=False)


@click.command("annotate")
@click.argument("directory", metavar="DIR", type=click.Path(path_type=Path))
@click.option(
    "--model",
    "-m",
    help=f"A model id, a family name, or module:function.  [default: the last one, or {models.DEFAULT}]",
)
@runtime_option
@click.option("--labels", default="", metavar="LABEL,...", help="What objects can be.  [default: object]")
@click.option("--out", type=_directory, help="Where the results go.  [default: DIR/annotations]")
@click.option(
    "--initial",
    metavar="WHAT",
    help="Masks to correct: masks:DIR, files named after their image (STEM or STEM__OBJECT); or coco:FILE.",
)
@device_option
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on; others can reach 0.0.0.0.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port to listen on.  [default: any free one]")
@click.option("--browser/--no-browser", default=True, help="Open the page in the browser.")
@python_option
@python_timeout_option
def command(
    directory: Path,
    model: str | None,
    runtime: str | None,
    labels: str,
    out: Path | None,
    initial: str | None,
    device: str,
    host: str,
    port: int,
    browser: bool,
    python: str | None,
    python_timeout: float,
) -> None:
    """Annotate the images in DIR by clicks, in the browser.

    Every accepted object is written at once; the same command goes on where the last one stopped. The results are
    binary masks, COCO's annotations.json, and sessions.jsonl, which tells how each mask was made.
    """
    lacking = [name for name in ("starlette", "uvicorn", "websockets") if find_spec(name) is None]
    if lacking:
        raise BadOption(f'the page needs {" and ".join(lacking)}: pip install "iiszoo[annotate]"')
    if python is not None and model is None:
        raise BadOption("--python needs --model, the model that runs there")
    if runtime is not None and model is None:
        raise BadOption("--runtime needs --model, the model that it is for")
    sys.path.append(os.getcwd())  # so that module:function finds a module of the working directory
    from iiszoo.annotate.start import start

    names = labels.split(",") if labels else []
    started = start(
        directory,
        out or directory / "annotations",
        model=model,
        runtime=runtime,
        labels=names,
        initial=initial,
        device=device,
        host=host,
        port=port,
        python=python,
        python_timeout=python_timeout,
        say=echo,
    )
    for fault in started.work.faults:
        echo(f"left out: {fault}", err=True)
    warn_of_broken_plugins()

    def ready() -> None:
        """Cheap: Ctrl-C is the server's own only when this has returned."""
        count = units.number_of(len(started.work.images), "image")
        echo(f"annotating {count} of {directory} with {started.models.first}")
        echo(f"open {started.gate.address}", bold=True)
        echo("Ctrl-C ends it; every accepted object is saved at once")
        if browser and _has_screen():
            threading.Thread(target=webbrowser.open, args=(started.gate.address,), daemon=True).start()

    try:
        started.run(ready)
    except KeyboardInterrupt:
        echo(f"stopped; the work is in {started.work.out}, and the same command goes on from here", err=True)
        click.get_current_context().exit(130)


def _has_screen() -> bool:
    """Without one, `webbrowser` may start a browser that takes over the terminal."""
    return sys.platform in ("darwin", "win32") or bool({"DISPLAY", "WAYLAND_DISPLAY"} & os.environ.keys())
