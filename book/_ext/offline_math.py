"""Serve MathJax from the book itself, so that formulas render without a network.

The package ``sphinx-mathjax-offline`` holds all of MathJax 3; only the small part that pages need is copied.
"""

import importlib.util
import shutil
from pathlib import Path

PARTS = ("tex-mml-chtml.js", "output/chtml/fonts")


def copy(app, exception):
    """Copy MathJax into the built site."""
    if exception or app.builder.format != "html":
        return
    package = importlib.util.find_spec("sphinx-mathjax-offline").submodule_search_locations[0]
    source = Path(package) / "static" / "mathjax"
    target = Path(app.outdir) / "_static" / "mathjax"
    for part in PARTS:
        (target / part).parent.mkdir(parents=True, exist_ok=True)
        if (source / part).is_dir():
            shutil.copytree(source / part, target / part, dirs_exist_ok=True)
        else:
            shutil.copyfile(source / part, target / part)


def setup(app):
    """Connect to Sphinx."""
    app.config.mathjax_path = "mathjax/tex-mml-chtml.js"
    app.connect("build-finished", copy)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
