"""A toy repository: the real Snakefile, configuration and extensions, with chapters that take no time."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import nbformat
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from riqa.files import read_json

REPOSITORY = Path(__file__).parents[2]
KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}
PATHS = 'work: str = ""  # all artifacts, folder\nout: str = ""  # own artifacts, folder'
READ = 'value = json.loads(Path(work, "{}", "results.json").read_text())[0]["value"]\n'
ENDING = 'rows = [{"name": "value", "value": value, "seeds": averaged}]\n'
ENDING += 'print(value)\nPath(out, "results.json").write_text(json.dumps(rows))'

# name: (needs, parameters, code that sets `value`, and may set the seeds that were `averaged`)
CHAPTERS = {
    "01_make_data": (
        [],
        "n: int = 3  # numbers, count\npause: float = 0.0  # sleep, s",
        "value = n\ntime.sleep(pause)",
    ),
    "02_scale_data": (["01_make_data"], "scale: float = 2.0  # factor", "value = scale * value"),
    "03_shift_data": (["01_make_data"], "shift: int = 1  # added", "value = value + shift"),
    "04_sum_data": (
        ["02_scale_data", "03_shift_data"],
        "seeds: list[int] = [0, 1]  # random seeds; 1 or more, each at least 0",
        "value = value + seeds[0]",
    ),
}


def write_chapter(root: Path, name: str, code: str = "", parameters: str = "") -> None:
    """Write one toy notebook, as `CHAPTERS` says where nothing else is given."""
    needs, usual_parameters, usual_code = CHAPTERS[name]
    read = "import json\nimport time\nfrom pathlib import Path\naveraged = []\n"
    tags = {"tags": ["parameters"]}
    cells = [
        new_markdown_cell(f"# Chapter {name[:2]}\n\nA formula: $a^2$.", id="title"),
        new_code_cell(f"{parameters or usual_parameters}\n{PATHS}", metadata=tags, id="given"),
        new_code_cell(read + "".join(map(READ.format, needs)), id="read"),
        new_code_cell(code or usual_code, id="compute"),
        new_code_cell(ENDING, id="write"),
    ]
    notebook = new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
    nbformat.write(notebook, root / "notebooks" / f"{name}.ipynb")


def make_repository(root: Path) -> Path:
    """Make a toy repository in an empty folder and return it."""
    for name in ("notebooks", "profiles", "book"):
        (root / name).mkdir(parents=True)
    for name in ("Snakefile", "_config.yml"):
        shutil.copy(REPOSITORY / name, root / name)
    for name in ("_ext", "_static"):
        ignore = shutil.ignore_patterns("__pycache__")
        shutil.copytree(REPOSITORY / "book" / name, root / "book" / name, ignore=ignore)
    (root / "book" / "references.bib").write_text("@misc{toy, title={Toy}, author={Nobody}, year={2026}}\n")
    (root / "book" / "preface.md").write_text("# Toy\n\nSee {doc}`/notebooks/04_sum_data`.\n")
    for name in CHAPTERS:
        write_chapter(root, name)
    listed = {name: {"needs": needs, "threads": 1} for name, (needs, _, _) in CHAPTERS.items()}
    pages = [{"file": f"notebooks/{name}"} for name in CHAPTERS] + [{"file": "book/build_status"}]
    contents = {"format": "jb-book", "root": "book/preface", "chapters": pages}
    (root / "notebooks" / "chapters.yaml").write_text(yaml.safe_dump(listed))
    (root / "_toc.yml").write_text(yaml.safe_dump(contents))
    write_profile(root, "toy", parameters={"n": 4})
    return root


def write_profile(root: Path, name: str, **content: object) -> None:
    """Write one profile; keys that are not given get harmless values."""
    profile = {"description": "A toy.", "data": "none", "parameters": {}, "chapters": {}} | content
    (root / "profiles" / f"{name}.yaml").write_text(yaml.safe_dump(profile))


def until(holds: Callable[[], object], seconds: float = 300, every: float = 0.1) -> None:
    """Wait until something holds; a busy machine takes its time."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never did"
        time.sleep(every)


def value(folder: Path) -> object:
    """Return what a chapter with these artifacts has computed."""
    return read_json(folder / "results.json")[0]["value"]
