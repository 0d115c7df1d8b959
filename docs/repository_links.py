"""A Sphinx extension: links between pages of the repository that a site does not have as they are.

A link to the repository's README, which is the site's first page, leads there. A link to a folder becomes its name.
Links to files become downloads by themselves, and a link to nothing is an error, as everywhere.
"""

from __future__ import annotations

from pathlib import Path

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform


class RepositoryLinks(SphinxPostTransform):
    default_priority = 5  # before MyST looks for pages

    def run(self) -> None:
        for link in list(self.document.findall(pending_xref)):
            if link.get("refdomain") == "doc" and link["reftarget"] == "README":
                link["reftarget"] = self.config.root_doc
            elif link.get("reftype") == "myst" and self._is_folder(link):
                link.replace_self(nodes.inline("", "", *link.children))

    def _is_folder(self, link: pending_xref) -> bool:
        return (Path(self.env.doc2path(link["refdoc"])).parent / link["reftarget"]).is_dir()


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_post_transform(RepositoryLinks)
    return {"parallel_read_safe": True}
