"""Staging: executed notebooks and prose become the source tree that Jupyter Book reads.

A file is written only when its bytes differ, because Sphinx reads a page again when its file's time changes.
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import yaml
from nbformat.v4 import new_markdown_cell

from riqa.errors import InputError
from riqa.files import read_json, write_whole
from riqa.publish.layout import Build
from riqa.publish.measured import fill_in
from riqa.publish.parameters import Parameter, declared_parameters
from riqa.publish.profiles import Profile
from riqa.publish.progress import duration
from riqa.publish.provenance import machine
from riqa.publish.roles import Numbers, read_numbers, resolve_cells

_INCLUDED = re.compile(r"\{literalinclude\} (\S+)")
STATUS_PAGE = "book/build_status.md"
MEASURED = "benchmarks/measured"
FRONT = "<!-- front -->"


def stage_book(
    build: Build, profile: Profile, chapters: Mapping[str, Path], repository_url: str = ""
) -> list[str]:
    """Stage the whole book of a profile that was built, and return the staged files that were written.

    `chapters` are the source notebooks by name. Buttons lead to the repository where its address is known.
    Raises an InputError if a page shows the result of a benchmark that is missing or cannot be read, or
    quotes a number that does not exist.
    """
    pages: dict[str, bytes] = {}
    numbers = read_numbers(build.work / name for name in chapters)
    front = ""  # what a chapter leaves for the first screen
    for folder in (build.work / name for name in chapters):
        if (folder / "front.md").is_file():
            front = (folder / "front.md").read_text(encoding="utf-8")
            pages["book/front.png"] = (folder / "front.png").read_bytes()
    for path in sorted((build.root / "book").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts and not path.name.startswith("."):
            content = path.read_bytes()
            if path.suffix == ".md":
                text = fill_in(content.decode(), build.root / MEASURED).replace(FRONT, front)
                content = Numbers(numbers, path.stem, {}).resolve(text, hover=True).encode()
            pages[path.relative_to(build.root).as_posix()] = content
    for path in sorted((build.root / MEASURED).glob("*.png")):
        pages[f"book/measured/{path.name}"] = path.read_bytes()
    pages["_config.yml"] = configuration(build.root, repository_url).encode()
    pages["_toc.yml"] = (build.root / "_toc.yml").read_bytes()
    facts: dict[str, dict[str, Any]] = {}
    warnings: list[str] = []  # of the chapters so far, which every later page repeats
    for name, source in chapters.items():
        warnings += read_json(build.work / name / "warnings.json") or []
        content, facts[name] = stage_notebook(source, build.executed(name), warnings, numbers)
        pages[f"notebooks/{name}.ipynb"] = content
        pages |= included_sources(build.root, source)
    pages[STATUS_PAGE] = status_page(profile, facts).encode()
    return write_site(build.site, pages)


def included_sources(root: Path, notebook: Path) -> dict[str, bytes]:
    """Return the files of the module that a notebook's page shows, by their place in the site.

    Raises an InputError if the prose includes a file that is not in the repository.
    """
    found, root = {}, root.resolve()
    for cell in nbformat.read(notebook, as_version=4).cells:
        for asked in _INCLUDED.findall(cell.source) if cell.cell_type == "markdown" else ():
            path = (notebook.parent / asked).resolve()
            if not path.is_file() or not path.is_relative_to(root):
                raise InputError(f"{notebook}: its page includes {asked}, which is no file of the repository")
            found[path.relative_to(root).as_posix()] = path.read_bytes()
    return found


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


def configuration(root: Path, repository_url: str = "") -> str:
    """Return the book's configuration, with buttons to the repository and to Binder when it is published."""
    source = (root / "_config.yml").read_text()
    if not repository_url:
        return source
    config = yaml.safe_load(source)
    config["repository"] = {"url": repository_url, "branch": "main"}
    config.setdefault("html", {})["use_repository_button"] = True
    config.setdefault("launch_buttons", {})["binderhub_url"] = "https://mybinder.org"
    return yaml.safe_dump(config, sort_keys=False)


def stage_notebook(
    source: Path, executed: Path, warnings: Sequence[str] = (), numbers: pd.DataFrame | None = None
) -> tuple[bytes, dict[str, Any]]:
    """Turn an executed notebook into a page; return the page (a notebook) and the facts of its run.

    The provenance goes under the title, with the warnings of this chapter and of those before it; a table of
    the parameters, which `source` declares, goes before their cell. What papermill added, time stamps and
    what was printed to standard error (progress bars) are left out. The prose may quote `numbers`.
    """
    notebook = nbformat.read(executed, as_version=4)
    given = notebook.metadata.pop("papermill", {}).get("parameters", {})
    facts = notebook.metadata.pop("riqa", {})
    declared = declared_parameters(source)
    values = {name: given.get(name, item.default) for name, item in declared.items()}
    table = pd.DataFrame() if numbers is None else numbers
    resolve_cells(notebook.cells, Numbers(table, source.stem, values))
    cells = []
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        if "parameters" in tags:
            cells.append(new_markdown_cell(parameter_table(declared, given), id="parameter-table"))
        if {"parameters", "injected-parameters"} & set(tags):
            cell.metadata["tags"] = [*tags, "remove-cell"]
        cells.append(cell)
    notebook.cells = cells
    if facts and cells and cells[0].cell_type == "markdown":
        title, _, rest = cells[0].source.partition("\n")
        cells[0].source = f"{title}\n\n{provenance_block(facts)}{_warning_block(warnings)}\n{rest}"
    return (nbformat.writes(notebook) + "\n").encode(), facts


def provenance_block(facts: Mapping[str, Any]) -> str:
    """Return the lines that name the profile, data, machine and code of a page."""
    packages = ", ".join(f"{name} {number}" for name, number in facts["versions"].items() if name != "riqa")
    seeds = ", ".join(map(str, facts["seeds"])) or "none"
    return (
        "```{div} riqa-provenance\n"
        f"**Profile {facts['profile']}** on {facts['data']}. Seeds: {seeds}. "
        f"Ran on {facts['date']} in {duration(facts['seconds'])} "
        f"(peak memory {facts['peak_memory_mb'] / 1000:.1f} GB) on {machine(facts['hardware'])}; "
        f"riqa {facts['versions'].get('riqa', '')} at {facts['code']}; {packages}.\n"
        "```\n"
    )


def _warning_block(sentences: Sequence[str]) -> str:
    """Return warnings (sentences without a full stop) as lines of MyST; empty without any."""
    if not sentences:
        return ""
    listed = "\n".join(f"- {text[0].upper()}{text[1:]}." for text in sentences)
    return f"```{{admonition}} What these numbers are based on\n:class: warning\n{listed}\n```\n"


def parameter_table(declared: Mapping[str, Parameter], given: Mapping[str, Any]) -> str:
    """Return a table of the parameters in MyST: name, type, default, this run, meaning, legal values.

    `given` holds the values of this run, where they were given.
    """

    def code(value: Any) -> str:
        return "`" + repr(value).replace("|", r"\|") + "`"

    rows = [
        f"| `{name}` | {p.type} | {code(p.default)} "
        f"| {code(given[name]) if name in given else '*default*'} | {p.meaning} | {p.legal.text or 'any'} |"
        for name, p in declared.items()
    ]
    head = ["| parameter | type | default | this run | meaning | legal |", "|---|---|---|---|---|---|"]
    return "\n".join([":::{dropdown} Parameters", ":class-container: riqa-parameters", *head, *rows, ":::"])


_STATUS = """# How this book was built

This page is made anew with every build, from what each chapter recorded when it ran.

Profile **{name}**: {description}

| chapter | took | peak memory | processes | ran on | code |
|---|---|---|---|---|---|
{rows}

All chapters one after the other: {total}. A chapter whose inputs, parameters and code are the
same as before is not run again, so chapters of one book can have different dates.

Machine: {machines}.

| package | version |
|---|---|
{packages}

## The profile's parameters

What is not listed here keeps the default that its notebook declares.

```yaml
{parameters}
```
"""


def status_page(profile: Profile, facts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page on how the book was built: times, memory, machine and versions."""
    rows = [
        f"| {{doc}}`/notebooks/{name}` | {duration(f['seconds'])} | {f['peak_memory_mb'] / 1000:.1f} GB "
        f"| {f['workers']} | {f['date']} | {f['code']} |"
        for name, f in facts.items()
    ]
    packages: dict[str, set[str]] = {}
    for package, number in (item for f in facts.values() for item in f["versions"].items()):
        packages.setdefault(package, set()).add(number)
    given = {"parameters": profile.parameters, "chapters": profile.chapters}
    return _STATUS.format(
        name=profile.name,
        description=profile.description,
        rows="\n".join(rows),
        total=duration(sum(f["seconds"] for f in facts.values())),
        machines="; ".join(sorted({machine(f["hardware"]) for f in facts.values()})),
        packages="\n".join(f"| {package} | {', '.join(sorted(n))} |" for package, n in packages.items()),
        parameters=yaml.safe_dump(given, sort_keys=False, default_flow_style=None).strip(),
    )
