"""The page that reports of runs can be written to (`iiszoo.engine.report.page`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from iiszoo.cli.output import echo

page_root_option = click.option(
    "--root",
    type=click.Path(path_type=Path, file_okay=False),
    help="The dataset's directory, or one that contains datasets under their ids: the source of the page's pictures.",
)


def write_page(path: Path, *contents: Any, for_machines: bool, **more: Any) -> None:
    """Write the page of `iiszoo.engine.report.page.render(*contents, **more)`, and say where it is: on stderr if stdout
    is `for_machines`.
    """
    from iiszoo.engine.report import page

    page.write(path, page.render(*contents, **more))
    echo(f"page written to {path.resolve()}", err=for_machines)
