"""Where a page of the documentation is, for messages: at the public address, if there is one, else in this
installation.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path


def page(name: str) -> str:
    """The address of the page `name`, such as `upstream`, or the path of its file."""
    try:
        links = metadata("iiszoo").get_all("Project-URL") or []
    except PackageNotFoundError:  # a checkout on Python's path
        links = []
    for link in links:
        label, _, address = link.partition(", ")
        if label == "Documentation":
            return f"{address}/{name}.md"
    return str(file(name))


def file(name: str) -> Path:
    """A page's file: a wheel has those that messages name inside the package, a checkout has all in docs/."""
    package = Path(__file__).parent
    places = (package / "docs" / f"{name}.md", package.parent / "docs" / f"{name}.md")
    return next((path for path in places if path.is_file()), places[0])
