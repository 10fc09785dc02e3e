"""Read a page again when a page that it glues numbers from has changed.

Sphinx does not know that ``{glue:text}`key``` on one page depends on another page's notebook, and would keep
the old number. This extension notes who glues from whom, and reports the dependents as outdated.
"""

from myst_nb.ext.glue.utils import PendingGlueReference


def collect(app, doctree):
    """Note the pages that a page glues from."""
    sources = {node.refdoc for node in doctree.findall(PendingGlueReference)}
    app.env.glue_deps = {**getattr(app.env, "glue_deps", {}), app.env.docname: sources}


def outdated(app, env, added, changed, removed):
    """Report the pages whose sources are read again."""
    touched = set(added) | set(changed) | set(removed)
    return [page for page, sources in getattr(env, "glue_deps", {}).items() if sources & touched]


def purge(app, env, docname):
    """Forget a page that is read again or gone."""
    getattr(env, "glue_deps", {}).pop(docname, None)


def merge(app, env, docnames, other):
    """Take over what a parallel reader noted."""
    noted = getattr(other, "glue_deps", {})
    env.glue_deps = {**getattr(env, "glue_deps", {}), **{d: noted[d] for d in docnames if d in noted}}


def setup(app):
    """Connect to Sphinx."""
    app.connect("doctree-read", collect)
    app.connect("env-get-outdated", outdated)
    app.connect("env-purge-doc", purge)
    app.connect("env-merge-info", merge)
    return {"parallel_read_safe": True, "parallel_write_safe": True, "env_version": 1}
