"""Chapters of the smoke book executed again: `python -m tests.book.again FOLDER CHAPTER ...`.

Their code runs in this process, without pages, on the artifacts of the build in the repository, and writes
into one folder per chapter below FOLDER.
"""

import json
import sys
from pathlib import Path

import matplotlib.pyplot as plt
import torch
from IPython.display import display

from riqa.publish.chapters import parse_cell
from riqa.publish.parameters import declared_parameters
from riqa.publish.plan import all_values, plan
from tests.publish.toy import REPOSITORY


def sources(notebook: Path) -> dict[str, str]:
    """Return the code of a notebook's cells by their identities, without that of its parameters."""
    return {
        cell["id"]: "".join(cell["source"])
        for cell in json.loads(notebook.read_text())["cells"]
        if cell["cell_type"] == "code" and "parameters" not in cell["metadata"].get("tags", [])
    }


def execute(code: dict[str, str], names: dict) -> None:
    """Execute cells one after the other, with what IPython gives to all; figures are drawn and closed."""
    names["display"] = display
    for identity, source in code.items():
        exec(compile(parse_cell(source), identity, "exec"), names)
        plt.close("all")


def main(folder: str, *chapters: str) -> None:
    """Execute chapters, each with random numbers as at the start of a process."""
    start = torch.initial_seed()
    jobs = {job.chapter.name: job for job in plan(REPOSITORY, "smoke")}
    for name in chapters:
        out, notebook = Path(folder) / name, jobs[name].chapter.notebook
        out.mkdir()
        torch.manual_seed(start)
        given = jobs[name].parameters | {"out": str(out)}
        execute(sources(notebook), all_values(declared_parameters(notebook), given))


if __name__ == "__main__":
    main(*sys.argv[1:])
