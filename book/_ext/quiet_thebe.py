"""Leave out the scripts of sphinx-thebe, which the theme adds even when live code is off.

Its second declaration of THEBE_JS_URL is an error on every page.
"""


def drop(app, pagename, templatename, context, doctree):
    """Remove the scripts from one page."""
    kept = []
    for script in context.get("script_files", []):
        body = getattr(script, "attributes", {}).get("body") or ""
        name = str(getattr(script, "filename", script) or "")
        if "THEBE_JS_URL" not in body and "sphinx-thebe" not in name:
            kept.append(script)
    context["script_files"] = kept


def setup(app):
    """Connect to Sphinx, after the extensions that add scripts."""
    app.connect("html-page-context", drop, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
