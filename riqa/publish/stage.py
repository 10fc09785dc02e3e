"""Staging: executed notebooks and prose become the source tree that Jupyter Book reads.

A file is written only when its bytes differ, because Sphinx reads a page again when its file's time changes.
"""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import nbformat
import pandas as pd
import yaml
from nbformat.v4 import new_markdown_cell

from riqa.errors import InputError
from riqa.publish.content import read_json, write_if_changed
from riqa.publish.layout import Build
from riqa.publish.measured import fill_in
from riqa.publish.parameters import Parameter, declared_parameters
from riqa.publish.profiles import Profile
from riqa.publish.provenance import machine
from riqa.publish.roles import Numbers, read_numbers, resolve_cells
from riqa.publish.warnings import read_warnings, warning_block

_INCLUDED = re.compile(r"\{literalinclude\} (\S+)")
STATUS_PAGE = "book/build_status.md"
MEASURED = "benchmarks/measured"
FRONT = "<!-- front -->"


def stage_book(
    build: Build, profile: Profile, chapters: Mapping[str, Path], repository_url: str = ""
) -> list[str]:
    """Stage the whole book of a profile.

    Args:
        build: Where its executed notebooks are, and where its site goes.
        profile: The profile that was built.
        chapters: Source notebook by chapter name; each has run.
        repository_url: Where the repository is published; buttons that lead there appear only when it is
            known.

    Returns:
        The staged files that were written, relative to the site.

    Raises:
        InputError: If a page shows the result of a benchmark that is missing or cannot be read, or quotes a
            number that does not exist.
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
    warnings: list[str] = []  # of the chapters so far, in reading order
    for name, source in chapters.items():
        warnings += read_warnings(build.work / name)
        content, facts[name] = stage_notebook(source, build.executed(name), warnings, numbers)
        pages[f"notebooks/{name}.ipynb"] = content
        pages |= included_sources(build.root, source)
    pages[STATUS_PAGE] = status_page(profile, facts).encode()
    return write_site(build.site, pages)


def included_sources(root: Path, notebook: Path) -> dict[str, bytes]:
    """Return the files of the module that a notebook's page shows, by their place in the site.

    Raises:
        InputError: If the prose includes a file that is not in the repository.
    """
    cells = nbformat.read(notebook, as_version=4).cells
    found = {}
    for asked in _INCLUDED.findall("\n".join(c.source for c in cells if c.cell_type == "markdown")):
        path = (notebook.parent / asked).resolve()
        if not path.is_file() or not path.is_relative_to(root.resolve()):
            raise InputError(f"{notebook}: its page includes {asked}, which is no file of the repository")
        found[path.relative_to(root.resolve()).as_posix()] = path.read_bytes()
    return found


def write_site(site: Path, pages: Mapping[str, bytes]) -> list[str]:
    """Make a site folder hold exactly these files, touching only those that differ.

    Returns:
        The files that were written or removed, relative to the site.
    """
    touched = [name for name, content in sorted(pages.items()) if write_if_changed(site / name, content)]
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
    """Turn an executed notebook into a page.

    The provenance goes under the title and a table of the parameters before their cell; what papermill added,
    time stamps and what was printed to standard error (progress bars) are left out.

    Args:
        source: The source notebook, which declares the parameters.
        executed: The executed notebook.
        warnings: Those of this chapter and of those before it, shown under the provenance.
        numbers: What its prose may quote, see `riqa.publish.roles.read_numbers`.

    Returns:
        The page (a notebook) and the facts of its run.
    """
    notebook = nbformat.read(executed, as_version=4)
    given = notebook.metadata.pop("papermill", {}).get("parameters", {})
    facts = notebook.metadata.pop("riqa", {})
    declared = declared_parameters(source)
    values = {name: given.get(name, item.default) for name, item in declared.items()}
    resolve_cells(
        notebook.cells, Numbers(pd.DataFrame() if numbers is None else numbers, source.stem, values)
    )
    cells = []
    for cell in notebook.cells:
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code":
            cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        if "injected-parameters" in tags:
            cell.metadata["tags"] = [*tags, "remove-cell"]
        if "parameters" in tags:
            table = new_markdown_cell(parameter_table(declared, given))
            table["id"] = "parameter-table"
            cells.append(table)
            cell.metadata["tags"] = [*tags, "remove-cell"]
        cells.append(cell)
    notebook.cells = cells
    _insert_provenance(notebook, facts, warning_block(warnings))
    return (nbformat.writes(notebook) + "\n").encode(), json.loads(json.dumps(facts))


def _insert_provenance(notebook: Any, facts: Mapping[str, Any], warning: str) -> None:
    """Put the provenance, and a warning if there is one, right under the page's title."""
    if not facts or not notebook.cells or notebook.cells[0].cell_type != "markdown":
        return
    title, _, rest = notebook.cells[0].source.partition("\n")
    notebook.cells[0].source = f"{title}\n\n{provenance_block(facts)}{warning}\n{rest}"


def provenance_block(facts: Mapping[str, Any]) -> str:
    """Return the lines that name the profile, data, machine and code of a page."""
    packages = ", ".join(f"{name} {number}" for name, number in facts["versions"].items() if name != "riqa")
    seeds = ", ".join(str(seed) for seed in _flat(facts["seeds"])) or "none"
    return "\n".join(
        [
            "```{div} riqa-provenance",
            f"**Profile {facts['profile']}** on {facts['data']}. Seeds: {seeds}. "
            f"Ran on {facts['date']} in {duration(facts['seconds'])} "
            f"(peak memory {memory(facts['peak_memory_mb'])}) "
            f"on {machine(facts['hardware'])}; "
            f"riqa {facts['versions'].get('riqa', '')} at {facts['code']}; {packages}.",
            "```",
            "",
        ]
    )


def _flat(values: list[Any]) -> list[Any]:
    """Flatten a list of values and lists."""
    return [item for value in values for item in (value if isinstance(value, list) else [value])]


def parameter_table(declared: Mapping[str, Parameter], given: Mapping[str, Any]) -> str:
    """Return a table of the parameters in MyST: name, type, default, this run, meaning, legal values.

    Args:
        declared: What the notebook declares.
        given: The values of this run, where they were given.
    """
    rows = [
        f"| `{name}` | {p.type} | {_code(p.default)} "
        f"| {_code(given[name]) if name in given else '*default*'} | {p.meaning} | {p.legal.text or 'any'} |"
        for name, p in declared.items()
    ]
    head = ["| parameter | type | default | this run | meaning | legal |", "|---|---|---|---|---|---|"]
    return "\n".join([":::{dropdown} Parameters", ":class-container: riqa-parameters", *head, *rows, ":::"])


def _code(value: Any) -> str:
    """Return a value as inline code that a table cell can hold."""
    return "`" + re.sub(r"\|", r"\\|", repr(value)) + "`"


def duration(seconds: float) -> str:
    """Return a duration for people: ``42 s``, ``3 min 5 s``, ``1 h 20 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def memory(megabytes: float) -> str:
    """Return an amount of memory for people, in GB."""
    return f"{megabytes / 1000:.1f} GB"


def status_page(profile: Profile, facts: Mapping[str, Mapping[str, Any]]) -> str:
    """Return the page on how the book was built: times, memory, machine and versions."""
    rows = [
        f"| {{doc}}`/notebooks/{name}` | {duration(f['seconds'])} | {memory(f['peak_memory_mb'])} "
        f"| {f['workers']} | {f['date']} | {f['code']} |"
        for name, f in facts.items()
    ]
    total = duration(sum(f["seconds"] for f in facts.values()))
    machines = sorted({machine(f["hardware"]) for f in facts.values()})
    packages: dict[str, set[str]] = {}
    for f in facts.values():
        for package, number in f["versions"].items():
            packages.setdefault(package, set()).add(number)
    lines = [
        "# How this book was built",
        "",
        "This page is made anew with every build, from what each chapter recorded when it ran.",
        "",
        f"Profile **{profile.name}**: {profile.description}",
        "",
        "| chapter | took | peak memory | processes | ran on | code |",
        "|---|---|---|---|---|---|",
        *rows,
        "",
        f"All chapters one after the other: {total}. A chapter whose inputs, parameters and code are the",
        "same as before is not run again, so chapters of one book can have different dates.",
        "",
        "Machine: " + "; ".join(machines) + ".",
        "",
        "| package | version |",
        "|---|---|",
        *(f"| {package} | {', '.join(sorted(numbers))} |" for package, numbers in packages.items()),
        "",
        "## The profile's parameters",
        "",
        "What is not listed here keeps the default that its notebook declares.",
        "",
        "```yaml",
        yaml.safe_dump(
            {"parameters": profile.parameters, "chapters": profile.chapters},
            sort_keys=False,
            default_flow_style=None,
        ).strip(),
        "```",
        "",
    ]
    return "\n".join(lines)


def read_facts(build: Build, chapter: str) -> dict[str, Any]:
    """Return the facts of a chapter's last finished run in a profile; empty when it never finished."""
    record = read_json(build.record(chapter))
    return record["facts"] if record else {}
