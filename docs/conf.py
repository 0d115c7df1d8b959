"""The documentation site: `make docs` builds it from the Markdown pages of the repository, where they are.

The source directory is the repository, so that a link between two pages is the same on the site and in a repository's
browser: `sphinx-build -c docs . docs/_build/html`. Nothing is fetched.
"""

from __future__ import annotations

import sys
from pathlib import Path

import iiszoo

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(Path(__file__).parent))

project = "iiszoo"
author = "The iiszoo authors"
release = version = iiszoo.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_design", "stable_surface", "repository_links"]
root_doc = "docs/index"
include_patterns = ["docs/**.md", "plugins/*/README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"]
exclude_patterns = [".*", "docs/_build", "runs", "training", "iiszoo", "tests", "benchmarks", "**/__pycache__"]

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
highlight_language = "none"  # of code blocks that name no language: commands and what they print

autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}
toc_object_entries_show_parents = "hide"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True

html_theme = "pydata_sphinx_theme"
html_title = "iiszoo"
templates_path = ["_templates"]
html_static_path = ["_static"]
html_sidebars = {"**": ["all-pages"]}
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
html_extra_path = ["_root"]  # index.html, which leads from the root of the site to its first page
html_theme_options = {
    "logo": {"text": "iiszoo"},
    "show_prev_next": True,
    "navigation_with_keys": False,
    "navbar_center": [],
    "navbar_persistent": ["search-button-field"],
    "navbar_end": ["theme-switcher"],
    "secondary_sidebar_items": {"**": ["page-toc"], "docs/models": []},  # whose table is as wide as can be
    "footer_start": ["copyright"],
    "footer_end": [],
    "show_toc_level": 2,
}
html_context = {"default_mode": "auto"}
copyright = "the iiszoo authors"
