"""Staging: executed notebooks and prose become the source tree that Jupyter Book reads.

A file is written only when its bytes differ, because Sphinx reads a page again when its file's time changes.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import yaml
from nbformat.v4 import new_markdown_cell

from riqa.errors import InputError
from riqa.files import read_json, write_whole
from riqa.publish.chapters import read_chapters
from riqa.publish.layout import Build
from riqa.publish.measured import fill_in
from riqa.publish.parameters import declared_parameters
from riqa.publish.plan import all_values
from riqa.publish.profiles import Profile
from riqa.publish.roles import Numbers, read_numbers, resolve_cells
from riqa.publish.wording import fill

_INCLUDED = re.compile(r"\{literalinclude\} (\S+)")
STATUS_PAGE = "book/build_status.md"
MEASURED = "benchmarks/measured"
FRONT = "<!-- front -->"


def stage_book(
    build: Build, profile: Profile, chapters: Collection[str], repository_url: str = ""
) -> list[str]:
    """Stage the whole book of a profile that was built, and return the staged files that were written.

    Buttons lead to the repository where its address is known. Raises an InputError if a page shows the result
    of a benchmark or a file that is missing or cannot be read, or quotes a number that does not exist.
    """
    root, pages = build.root, common_files(build.root, repository_url)
    numbers, front = read_numbers(map(build.out, chapters)), ""
    listed = read_chapters(root)
    left_out = {name: _title(listed[name].notebook) for name in listed.keys() - set(chapters)}
    for folder in map(build.out, chapters):
        if (folder / "front.md").is_file():  # what a chapter leaves for the first screen
            front = (folder / "front.md").read_text(encoding="utf-8")
            pages["book/front.png"] = (folder / "front.png").read_bytes()
        for path in (folder / "static").glob("*"):  # and for scripts of pages
            pages[f"book/_static/{path.name}"] = path.read_bytes()
    for path in _book_files(root, "*.md"):
        text = fill_in(path.read_text(encoding="utf-8"), root / MEASURED).replace(FRONT, front)
        text = Numbers(numbers, path.stem, {}, left_out).resolve(text, hover=True)
        pages[path.relative_to(root).as_posix()] = text.encode()
    pages |= {f"book/measured/{path.name}": path.read_bytes() for path in (root / MEASURED).glob("*.png")}
    pages["_toc.yml"] = contents(root / "_toc.yml", chapters)
    facts: dict[str, dict[str, Any]] = {}
    warnings: dict[str, list[str]] = {}  # all that follows from a chapter repeats its warnings
    for name in chapters:
        told = [warning for need in listed[name].needs for warning in warnings[need]]
        told += read_json(build.out(name) / "warnings.json") or []
        warnings[name] = list(dict.fromkeys(told))
        files, facts[name] = stage_chapter(build, name, numbers, warnings[name], left_out)
        pages |= files
    pages[STATUS_PAGE] = f"{_status_page(profile, facts)}\n".encode()
    return write_site(build.site, pages)


def contents(path: Path, chapters: Collection[str]) -> bytes:
    """Return the table of contents without chapters that are not built, and parts without any."""

    def built(entries: Sequence[dict]) -> list[dict]:
        pages = [(Path(one["file"]), one) for one in entries]
        made = [one for page, one in pages if page.parent.name != "notebooks" or page.name in chapters]
        return [one | ({"sections": built(one["sections"])} if "sections" in one else {}) for one in made]

    contents = yaml.safe_load(path.read_text())
    if "parts" in contents:
        parts = [part | {"chapters": built(part["chapters"])} for part in contents["parts"]]
        contents["parts"] = [part for part in parts if part["chapters"]]
    return yaml.safe_dump(contents, sort_keys=False).encode()


def common_files(root: Path, repository_url: str = "") -> dict[str, bytes]:
    """Return what every site holds, by place: extensions, styles, the bibliography and the configuration.

    Where the address of the repository is known, buttons lead there and to Binder.
    """
    config = root / "_config.yml"
    paths = [config, *(path for path in _book_files(root) if path.suffix != ".md")]
    files = {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}
    if repository_url:
        content = yaml.safe_load(config.read_text())
        content["repository"] = {"url": repository_url, "branch": "main"}
        content.setdefault("html", {})["use_repository_button"] = True
        content.setdefault("launch_buttons", {})["binderhub_url"] = "https://mybinder.org"
        files[config.name] = yaml.safe_dump(content, sort_keys=False).encode()
    return files


def _book_files(root: Path, pattern: str = "*") -> list[Path]:
    """List what lies in the book's folder, without caches and hidden files."""
    found = [path for path in sorted((root / "book").rglob(pattern)) if path.is_file()]
    return [path for path in found if "__pycache__" not in path.parts and not path.name.startswith(".")]


def _title(notebook: Path) -> str:
    return nbformat.read(notebook, as_version=4).cells[0].source.partition("\n")[0].lstrip("# ")


def stage_chapter(
    build: Build,
    name: str,
    numbers: pd.DataFrame,
    warnings: Sequence[str] = (),
    left_out: Mapping[str, str] = {},
) -> tuple[dict[str, bytes], dict[str, Any]]:
    """Turn an executed notebook into a page; return the files of the site that it needs, and its run's facts.

    The origin of its numbers goes under the title, with the warnings (sentences without a full stop) of this
    chapter and of those before it; a table of the parameters goes before their cell. What papermill added,
    time stamps and what was printed to standard error (progress bars) are left out. The prose may quote
    `numbers`, and link to chapters that are not `left_out` (name -> title). Raises an InputError if it
    includes a file that is not in the repository.
    """
    source, notebook = build.notebook(name), nbformat.read(build.executed(name), as_version=4)
    given = notebook.metadata.pop("papermill", {}).get("parameters", {})
    facts = notebook.metadata.pop("riqa")
    declared = declared_parameters(source)
    resolve_cells(notebook.cells, Numbers(numbers, name, all_values(declared, given), left_out))
    title, _, rest = notebook.cells[0].source.partition("\n")
    origin = fill("origin", **facts, warnings=warnings)
    notebook.cells[0].source = f"{title}\n\n{origin}\n{rest}"
    files = {}
    for place, cell in enumerate([*notebook.cells]):
        for added in ("papermill", "execution"):
            cell.metadata.pop(added, None)
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        elif cell.cell_type == "markdown":
            files |= _included_files(build.root, source, cell.source)
        if "parameters" in tags:
            table = fill("parameters", declared=declared, given=given)
            notebook.cells.insert(place, new_markdown_cell(table, id="parameter-table"))
        if {"parameters", "injected-parameters"} & set(tags):
            cell.metadata["tags"] = [*tags, "remove-cell"]
    files[f"notebooks/{name}.ipynb"] = (nbformat.writes(notebook) + "\n").encode()
    return files, facts


def _included_files(root: Path, notebook: Path, prose: str) -> dict[str, bytes]:
    """Return the files of the module that a cell of a notebook shows, by their place in the site."""
    found, root = {}, root.resolve()
    for asked in _INCLUDED.findall(prose):
        path = (notebook.parent / asked).resolve()
        if not path.is_file() or not path.is_relative_to(root):
            raise InputError(f"{notebook}: its page includes {asked}, which is no file of the repository")
        found[path.relative_to(root).as_posix()] = path.read_bytes()
    return found


def _status_page(profile: Profile, facts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page on how the book was built: times, memory, machine and versions."""
    told = pd.DataFrame([f["versions"] for f in facts.values()])
    versions = {package: set(numbers.dropna()) for package, numbers in told.items()}
    given = {"parameters": profile.parameters, "chapters": profile.chapters}
    parameters = yaml.safe_dump(given, sort_keys=False, default_flow_style=None).strip()
    return fill("build_status", profile=profile, facts=facts, versions=versions, parameters=parameters)


def write_site(site: Path, pages: Mapping[str, bytes]) -> list[str]:
    """Make a site folder hold exactly these files; return those that were written or removed."""
    touched = []
    for name, content in sorted(pages.items()):
        if not (site / name).is_file() or (site / name).read_bytes() != content:
            write_whole(site / name, content)
            touched.append(name)
    for path in sorted(site.rglob("*")):
        name = path.relative_to(site).as_posix()
        if path.is_file() and name not in pages and "__pycache__" not in path.parts:
            path.unlink()
            touched.append(name)
    return touched
