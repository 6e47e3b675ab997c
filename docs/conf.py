"""How does the documentation become a site? Settings of Sphinx; `make site` builds it into build/site."""

from gpt_trader import __version__

project = "GPT-Trader"
author = "The GPT-Trader authors"
project_copyright = f"2026, {author}"
version = release = __version__

extensions = ["myst_parser", "sphinx_copybutton"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["generate.py"]
myst_heading_anchors = 3
suppress_warnings = ["myst.header"]  # pages are read in the repository too, where a heading may skip a level

html_theme = "furo"
html_title = f"GPT-Trader {version}"
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {"navigation_with_keys": True}
