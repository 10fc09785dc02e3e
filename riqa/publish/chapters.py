"""The chapters: which there are, what each needs, and which modules each uses."""

import ast
import json
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from pathlib import Path

import yaml

from riqa.errors import InputError
from riqa.publish.parameters import nearest


@dataclass(frozen=True)
class Chapter:
    """One notebook of the book."""

    name: str  # NN_verb_topic, the stem of the notebook's file
    notebook: Path
    needs: tuple[str, ...]  # the chapters whose artifacts it reads
    threads: int  # how many processes it can use side by side
    part: int = 1  # of the book; Part I is built by default
    phantoms: bool = False  # whether it is made for drawn photographs alone


ALL = "all"
LISTED = "notebooks/chapters.yaml"


def read_chapters(root: Path, parts: str = ALL, real: bool = False) -> dict[str, Chapter]:
    """Read `notebooks/chapters.yaml`: chapters by name in reading order, each after those that it needs.

    `parts` is "all", or the number of the last part that is wanted; `real` photographs leave out the chapters
    that need phantoms. Raises an InputError for other `parts`, or if the list is wrong or a notebook missing.
    """
    if parts != ALL and not parts.isdigit():
        raise InputError(f"parts is {parts!r}; write all, or the number of the last part to build")
    chapters: dict[str, Chapter] = {}
    for name, entry in yaml.safe_load((root / LISTED).read_text()).items():
        notebook = root / "notebooks" / f"{name}.ipynb"
        if not notebook.is_file():
            raise InputError(f"{LISTED} lists {name}, but {notebook} does not exist")
        for need in entry["needs"]:
            if need not in chapters:
                raise InputError(f"{LISTED}: {name} needs {need}, which is not listed before it")
        chapters[name] = Chapter(name, notebook, **entry | {"needs": tuple(entry["needs"])})
    return {
        name: chapter
        for name, chapter in chapters.items()
        if (parts == ALL or chapter.part <= int(parts)) and not (real and chapter.phantoms)
    }


def find_chapter(chapters: dict[str, Chapter], text: str) -> Chapter:
    """Find a chapter by its name, its number (`05` or `5`) or an unambiguous beginning.

    Raises an InputError if no chapter, or more than one, is meant.
    """
    text = Path(text).stem if text.endswith(".ipynb") else text
    if text in chapters:
        return chapters[text]
    prefix = f"{int(text):02d}_" if text.isdigit() else text
    found = [chapter for name, chapter in chapters.items() if text and name.startswith(prefix)]
    if len(found) == 1:
        return found[0]
    hint = nearest(text, chapters)
    raise InputError(f"there is no chapter {text!r}{hint}; there are {', '.join(chapters)}")


def parse_cell(source: str) -> ast.Module:
    """Parse a code cell, without its magics and shell commands."""
    lines = ["" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines()]
    return ast.parse("\n".join(lines))


@cache
def _import_graph():
    """Build the graph of who imports whom inside riqa."""
    import grimp

    try:
        return grimp.build_graph("riqa", cache_dir=None)
    except grimp.exceptions.SourceSyntaxError as error:
        raise InputError(str(error)) from None


def modules_used(notebook: Path) -> list[Path]:
    """List the files of riqa that a notebook's outcome depends on, through any chain of imports, sorted.

    A changed file of another room is not among them; tables that lie in a package, as the paper's do, are.
    """
    import riqa

    cells = json.loads(notebook.read_text())["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    imported: set[str] = set()
    for node in ast.walk(parse_cell(code)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            package = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            imported |= {package + alias.name for alias in node.names}
    graph, used = _import_graph(), set()
    for name in (name for name in imported if name.split(".")[0] == "riqa"):
        while name not in graph.modules:  # a function, or a class
            name = name.rpartition(".")[0]
        used |= {name} | graph.find_upstream_modules(name)
    # Importing riqa.data.store also runs riqa and riqa.data.
    names = {whole for name in used for whole in accumulate(name.split("."), "{}.{}".format)}
    files = set()
    for path in (Path(riqa.__file__).parents[1].joinpath(*name.split(".")) for name in names):
        files.add(path / "__init__.py" if path.is_dir() else path.with_suffix(".py"))
        files |= {*path.glob("*.csv"), *path.glob("*.yaml")}
    return sorted(files)
