"""Pages: a staged site becomes HTML through Jupyter Book, and a small web server shows it on this machine."""

import hashlib
import json
import os
import re
import shutil
import sys
from collections.abc import Callable
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from riqa.errors import BuildError, InputError
from riqa.files import read_json, tree_digests, write_json
from riqa.publish.layout import Build
from riqa.publish.processes import attend
from riqa.publish.provenance import versions

_COLOURS = re.compile(r"\x1b\[[0-9;]*[mK]")
_STEPS = re.compile(r"((?:reading sources|writing output|copying [a-z ]+)\.\.\. ?\[ *\d+%\])")


def site_digest(site: Path) -> str:
    """Digest what decides the rendered pages: the staged site and the package versions."""
    content = {name: digest for name, digest in tree_digests(site).items() if "__pycache__" not in name}
    return hashlib.sha256(json.dumps([content, versions()]).encode()).hexdigest()


def is_rendered(build: Build) -> bool:
    """Tell whether the HTML was made from exactly the site that is staged."""
    stamp = read_json(build.stamp)
    return (build.html / "index.html").is_file() and bool(stamp) and stamp["site"] == site_digest(build.site)


def render(build: Build, show: Callable[[str], object] = lambda told: None, strict: bool = True) -> None:
    """Render the staged site into a folder, which is exchanged as a whole.

    So the last good book stays readable until the new one is complete. A file records what it was made from.
    `show` is told now and then how far it is (`reading sources... [ 50%]`). Raises a BuildError if it fails;
    where `strict`, any warning is an error, a broken link among them.
    """
    program = "from jupyter_book.cli.main import main; main()"
    command = [sys.executable, "-c", program, "build", ".", "--path-output", "../render", "--keep-going"]
    command += ["-W", "-n"] if strict else []
    how = {"cwd": build.site, "env": os.environ | {"NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"}}
    log, html, made = build.pages_log, build.html, build.site.with_name("render")
    status = attend(command, log, lambda: show(render_state(log)), build.child, **how)
    rendered = made / "_build" / "html"
    if status or not (rendered / "index.html").is_file():
        # Pages with warnings are not read again by a later run, which would then pass: forget them all.
        shutil.rmtree(made, ignore_errors=True)
        raise BuildError(f"the pages could not be rendered\n{_problems(log)}\n  log       {log}")
    fresh, old = html.with_name(f".{html.name}.new"), html.with_name(f".{html.name}.old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.copytree(rendered, fresh)
    if (static := build.site / "book" / "_static").is_dir():  # Sphinx leaves it where no page has changed
        shutil.copytree(static, fresh / "_static", dirs_exist_ok=True)
    if html.exists():
        html.rename(old)
    fresh.rename(html)
    shutil.rmtree(old, ignore_errors=True)
    write_json(build.stamp, {"site": site_digest(build.site)})


def _problems(log: Path) -> str:
    """Return the lines of a log that say what is wrong, without colours and repetitions."""
    lines = [line.strip() for line in _COLOURS.sub("", log.read_text(errors="replace")).splitlines()]
    told = list(dict.fromkeys(line for line in lines if re.search(r"WARNING|ERROR|Error:", line)))
    return "\n".join(f"  {line}" for line in (told[:20] or lines[-20:]))


def render_state(log: Path) -> str:
    """Return the last progress line of Jupyter Book's log."""
    steps = _STEPS.findall(_COLOURS.sub("", log.read_text(errors="replace")[-4000:]))
    return " ".join(steps[-1].split()) if steps else ""


class _Quiet(SimpleHTTPRequestHandler):
    """Serves files without a line for each request."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def server(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """Open a server on a folder; port 0 takes a free one. Raises an InputError if the port is taken."""
    try:
        return ThreadingHTTPServer(("127.0.0.1", port), partial(_Quiet, directory=str(folder)))
    except OSError as error:
        raise InputError(f"port {port} cannot be used ({error.strerror}); give another by --port") from None


def serve_book(build: Build, port: int) -> None:
    """Serve a built book until Ctrl-C; an InputError if there is none, or the port is taken."""
    if not (build.html / "index.html").is_file():
        advice = f"run make book PROFILE={build.profile} first"
        raise InputError(f"profile {build.profile} has no book yet; {advice}")
    with server(build.html, port) as opened:
        print(f"The book is at http://localhost:{opened.server_address[1]} until Ctrl-C", flush=True)
        try:
            opened.serve_forever()
        except KeyboardInterrupt:
            print("stopped")
