"""What the metadata of a release say beyond pyproject.toml: its links, and a README whose links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hatchling.metadata.plugin.interface import MetadataHookInterface

_IMAGE = re.compile(r"!\[(?P<text>[^\]]*)\]\((?P<path>(?!\w+:|#)[^)\s]+)\)")
_LINK = re.compile(r"(?<!!)\[(?P<text>[^\]]*)\]\((?P<path>(?!\w+:|#)[^)\s]+)\)")


class PublicAddress(MetadataHookInterface):
    """`address` in pyproject.toml is where the repository is public, "" if nowhere yet. All links come from it."""

    def update(self, metadata: dict[str, Any]) -> None:
        address = self.config["address"].rstrip("/")
        readme = (Path(self.root) / "README.md").read_text("utf-8")
        metadata["readme"] = {"content-type": "text/markdown", "text": with_links(readme, address)}
        metadata["urls"] = {} if not address else {
            "Homepage": address,
            "Documentation": f"{address}/tree/main/docs",
            "Changelog": f"{address}/blob/main/CHANGELOG.md",
            "Issues": f"{address}/issues",
        }  # fmt: skip


def with_links(readme: str, address: str) -> str:
    """A package index has none of the files beside a README: its relative links become links to the repository at
    `address`, or, without an address, their text alone; relative pictures likewise, or nothing.
    """
    if not address:
        return _LINK.sub(lambda link: link["text"], _IMAGE.sub("", readme))
    readme = _IMAGE.sub(lambda image: f"![{image['text']}]({address}/raw/main/{image['path']})", readme)
    return _LINK.sub(lambda link: f"[{link['text']}]({address}/blob/main/{link['path']})", readme)
