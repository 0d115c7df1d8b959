"""The templates of pages, by path within `iiszoo/engine`."""

from __future__ import annotations

from functools import cache

import jinja2


@cache
def template(name: str) -> jinja2.Template:
    """A template; what it prints is escaped, and an unknown name in it raises."""
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("iiszoo", "engine"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    return environment.get_template(name)
