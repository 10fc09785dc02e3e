"""A toy repository: the real Snakefile, configuration and extensions, with chapters that take no time."""

import shutil
from pathlib import Path

import nbformat
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from riqa.files import read_json

REPOSITORY = Path(__file__).parents[2]
MAKE = "value = n\ntime.sleep(pause)"
ENDING = 'Path(out, "results.json").write_text(json.dumps([{"name": "value", "value": value}]))'

KERNEL = {"name": "python3", "display_name": "Python 3", "language": "python"}

# name: (needs, parameters, code that sets `value`)
CHAPTERS = {
    "01_make_data": ([], "n: int = 3  # numbers, count\npause: float = 0.0  # sleep, s", MAKE),
    "02_scale_data": (["01_make_data"], "scale: float = 2.0  # factor", "value = scale * value"),
    "03_shift_data": (["01_make_data"], "shift: int = 1  # added", "value = value + shift"),
    "04_sum_data": (
        ["02_scale_data", "03_shift_data"],
        "seeds: list[int] = [0, 1]  # random seeds; 1 or more, each at least 0",
        "value = value + seeds[0]",
    ),
}


def write_chapter(root: Path, name: str, parameters: str, code: str, needs: list[str]) -> None:
    """Write one toy notebook."""
    read = "\n".join(
        f'value = json.loads(Path(work, "{need}", "results.json").read_text())[0]["value"]' for need in needs
    )
    paths = 'work: str = ""  # all artifacts, folder\nout: str = ""  # own artifacts, folder'
    cells = [
        new_markdown_cell(f"# Chapter {name[:2]}\n\nA formula: $a^2$.", id="title"),
        new_code_cell(f"{parameters}\n{paths}", metadata={"tags": ["parameters"]}, id="given"),
        new_code_cell(f"import json\nimport time\nfrom pathlib import Path\n{read}", id="read"),
        new_code_cell(code, id="compute"),
        new_code_cell(f"print(value)\n{ENDING}", id="write"),
    ]
    notebook = new_notebook(cells=cells, metadata={"kernelspec": KERNEL})
    nbformat.write(notebook, root / "notebooks" / f"{name}.ipynb")


def make_repository(root: Path) -> Path:
    """Make a toy repository in an empty folder and return it."""
    (root / "notebooks").mkdir(parents=True)
    (root / "profiles").mkdir()
    for name in ("Snakefile", "_config.yml"):
        shutil.copy(REPOSITORY / name, root / name)
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("_ext", "_static"):
        shutil.copytree(REPOSITORY / "book" / name, root / "book" / name, ignore=ignore)
    (root / "book" / "references.bib").write_text("@misc{toy, title={Toy}, author={Nobody}, year={2026}}\n")
    (root / "book" / "preface.md").write_text("# Toy\n\nSee {doc}`/notebooks/04_sum_data`.\n")
    for name, (needs, parameters, code) in CHAPTERS.items():
        write_chapter(root, name, parameters, code, needs)
    listed = {name: {"needs": needs, "threads": 1} for name, (needs, _, _) in CHAPTERS.items()}
    (root / "notebooks" / "chapters.yaml").write_text(yaml.safe_dump(listed))
    pages = [{"file": f"notebooks/{name}"} for name in CHAPTERS] + [{"file": "book/build_status"}]
    (root / "_toc.yml").write_text(
        yaml.safe_dump({"format": "jb-book", "root": "book/preface", "chapters": pages})
    )
    write_profile(root, "toy", parameters={"n": 4})
    return root


def write_profile(root: Path, name: str, **content: object) -> None:
    """Write one profile; keys that are not given get harmless values."""
    profile = {"description": "A toy.", "data": "none", "parameters": {}, "chapters": {}} | content
    (root / "profiles" / f"{name}.yaml").write_text(yaml.safe_dump(profile))


def rewrite(run, code: str) -> None:
    """Let a run's chapter compute something else."""
    write_chapter(run.root, run.chapter, "n: int = 3  # count", code, [])


def value(run):
    """Return what a run's chapter has computed."""
    return read_json(run.out / "results.json")[0]["value"]
