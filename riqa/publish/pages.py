"""Rendering: a staged site becomes HTML through Jupyter Book."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from riqa.publish.content import read_json, tree_digests, write_json
from riqa.publish.provenance import versions


class PagesError(RuntimeError):
    """The book could not be rendered; the message lists the warnings and says where the whole log is."""


def site_digest(site: Path) -> str:
    """Digest what decides the rendered pages: the staged site and the package versions."""
    content = {name: digest for name, digest in tree_digests(site).items() if "__pycache__" not in name}
    return hashlib.sha256(json.dumps([content, versions()]).encode()).hexdigest()


def is_rendered(site: Path, html: Path) -> bool:
    """Tell whether the HTML was made from exactly this site."""
    stamp = read_json(_stamp(html))
    return (html / "index.html").is_file() and bool(stamp) and stamp["site"] == site_digest(site)


def _stamp(html: Path) -> Path:
    """Return the file beside the HTML that records what it was made from."""
    return html.with_name(f"{html.name}.json")


def start_render(site: Path, log: Path, strict: bool = True) -> subprocess.Popen:
    """Start Jupyter Book on a staged site, in a process group of its own.

    Args:
        site: The staged site.
        log: Where its output goes.
        strict: Whether any warning, a broken link among them, is an error.

    Returns:
        The process; hand it to `finish_render` when it has ended.
    """
    program = "from jupyter_book.cli.main import main; main()"
    command = [
        sys.executable,
        "-c",
        program,
        "build",
        ".",
        "--path-output",
        "../render",
        "--keep-going",
    ]
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("w") as stream:
        return subprocess.Popen(
            command + (["-W", "-n"] if strict else []),
            cwd=site,
            stdout=stream,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=os.environ | {"NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1"},
            start_new_session=True,
        )


def finish_render(status: int, site: Path, html: Path, log: Path) -> None:
    """Publish what Jupyter Book rendered, or say why it could not.

    The HTML folder is exchanged as a whole, so the last good book stays readable until the new one is
    complete.

    Args:
        status: The exit status of the process of `start_render`.
        site: The staged site.
        html: Where the rendered book goes.
        log: The log of the process.

    Raises:
        PagesError: If it failed.
    """
    render = site.parent / "render"
    rendered = render / "_build" / "html"
    if status or not (rendered / "index.html").is_file():
        # Pages with warnings are not read again by a later run, which would then pass: forget them all.
        shutil.rmtree(render, ignore_errors=True)
        raise PagesError(f"the pages could not be rendered\n{_problems(log)}\n  log       {log}")
    fresh, old = html.with_name(f".{html.name}.new"), html.with_name(f".{html.name}.old")
    for leftover in (fresh, old):
        shutil.rmtree(leftover, ignore_errors=True)
    shutil.copytree(rendered, fresh)
    if html.exists():
        html.rename(old)
    fresh.rename(html)
    shutil.rmtree(old, ignore_errors=True)
    write_json(_stamp(html), {"site": site_digest(site)})


def _problems(log: Path, most: int = 20) -> str:
    """Return the lines of a log that say what is wrong, without colours and repetitions."""
    text = re.sub(r"\x1b\[[0-9;]*m", "", log.read_text(errors="replace"))
    lines = [line.strip() for line in text.splitlines()]
    told = list(dict.fromkeys(line for line in lines if re.search(r"WARNING|ERROR|Error:", line)))
    return "\n".join(f"  {line}" for line in (told[:most] or lines[-most:]))


def render_state(log: Path) -> str:
    """Return the last progress line of Jupyter Book's log (``reading sources... [ 50%]``)."""
    try:
        text = re.sub(r"\x1b\[[0-9;]*[mK]", "", log.read_text(errors="replace")[-4000:])
    except OSError:
        return ""
    steps = re.findall(r"((?:reading sources|writing output|copying [a-z ]+)\.\.\. ?\[ *\d+%\])", text)
    return " ".join(steps[-1].split()) if steps else ""
