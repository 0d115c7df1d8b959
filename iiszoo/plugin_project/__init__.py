"""`iiszoo new`: writes a complete, working project of a plugin, to start one's own from."""

from __future__ import annotations

import re
from pathlib import Path

import jinja2

import iiszoo
from iiszoo import hookspecs, plugins
from iiszoo.errors import BadOption

_TEMPLATE = Path(__file__).parent / "template"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")

_PLACES = {
    "pyproject.toml": "pyproject.toml",
    "README.md": "README.md",
    "gitignore": ".gitignore",
    "workflow.yml": ".github/workflows/test.yml",
    "package.py": "{package}/__init__.py",
    "cards.py": "{package}/cards.py",
    "model.py": "{package}/model.py",
    "test_model.py": "tests/test_model.py",
}
"""The path of each file of the template."""


def write(name: str, place: Path) -> list[Path]:
    """Write the project of a plugin whose family is `name` to the directory `place`; returns its files.

    Raises `BadOption` if the name cannot be used or is taken, or if `place` is not empty: nothing is ever overwritten.
    """
    _check_name(name)
    package = f"iiszoo_{name.replace('-', '_')}"
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATE), keep_trailing_newline=True, undefined=jinja2.StrictUndefined
    )
    values = {
        "name": name,
        "package": package,
        "distribution": f"iiszoo-{name}",
        "api_version": hookspecs.API_VERSION,
        "iiszoo_version": iiszoo.__version__,
    }
    texts = {
        place / to.format(package=package): templates.get_template(f"{source}.jinja").render(values)
        for source, to in _PLACES.items()
    }
    try:
        if place.exists() and any(place.iterdir()):
            raise BadOption(f"{place} is not empty, and nothing is overwritten; give another --dir")
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, "utf-8")
    except OSError as error:
        raise BadOption(f"{place} cannot be written: {error.strerror or error}; give another --dir") from error
    return list(texts)


def _check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise BadOption(
            f"{name!r} cannot name a plugin: it becomes a model's family and part of a module's name, so use words "
            "of lower-case letters and digits, joined by '-', such as my-model"
        )
    for plugin in plugins.installed():
        if name == plugin.name or ("model", name) in plugin.claims():
            raise BadOption(f"the name {name!r} is taken by the plugin {plugin.label}; choose another")
