"""How Sphinx builds the site: `make docs` writes it to build/site."""

from importlib import metadata

project = "orsched"
author = "the orsched authors"
release = metadata.version("orsched")
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
myst_heading_anchors = 4
templates_path = ["templates"]
exclude_patterns = ["templates"]
html_theme = "furo"
html_title = f"orsched {release}"
autosummary_generate = True
autosummary_ignore_module_all = False
autodoc_typehints = "none"  # the docstrings name types and shapes
napoleon_google_docstring = False
napoleon_use_rtype = False
default_role = "code"  # single backquotes of docstrings
suppress_warnings = [
    "misc.highlighting_failure",  # console blocks show output
    "myst.xref_missing",  # pages also link to files of the repository
]
