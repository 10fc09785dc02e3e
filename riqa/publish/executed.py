"""What an executed notebook shows: where it failed, and whether its figures are there."""

import ast
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def failure_block(chapter: str, error: Any, root: Path, notebook: Path, log: Path) -> str:
    """Turn papermill's error into a block that names the cell.

    Args:
        chapter: The chapter's name.
        error: What papermill raised.
        root: The repository.
        notebook: The source notebook.
        log: The notebook as far as it ran.
    """
    source = json.loads(notebook.read_text())["cells"]
    failed = [cell for cell in json.loads(log.read_text())["cells"] if _outputs(cell, "error")]
    identity = failed[0].get("id") if failed else None
    numbers = [n for n, cell in enumerate(source, start=1) if cell.get("id") == identity]
    first_line = next((line for line in error.source.splitlines() if line.strip()), "")
    frames = re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(error.traceback))
    pointed = re.search(r"^-+> +(\d+) (.*)$", frames, flags=re.MULTILINE)  # the first is the cell's own
    line = f"  line {pointed[1]:<4} {pointed[2].strip()}\n" if pointed else ""
    message = " ".join(error.evalue.split())
    where = f"cell {numbers[0]} of {len(source)}" if numbers else "the cell with the given parameters"
    return (
        f"{chapter} failed in {where}\n"
        f"  notebook  {os.path.relpath(notebook, root)}\n"
        f"  cell      {first_line}\n"
        f"{line}"
        f"  error     {error.ename}: {message}\n"
        f"  kept      {os.path.relpath(log, root)} (as far as it ran, with the traceback)"
    )


def without_figure(document: dict[str, Any]) -> list[str]:
    """List the identities of cells that drew a figure of which no picture is left.

    Such a cell calls ``plt.show()`` without a condition and shows no picture, or one of its outputs names a
    figure and holds none.
    """
    return [c["id"] for c in document["cells"] if c["cell_type"] == "code" and _lacks_picture(c)]


def _lacks_picture(cell: dict[str, Any]) -> bool:
    """Tell whether a cell shows a figure and no picture of it is left."""
    source, data = "".join(cell["source"]), [one.get("data", {}) for one in cell["outputs"]]
    pictures = [any(kind.startswith("image/") for kind in shown) for shown in data]
    texts = ["".join(shown.get("text/plain", "")) for shown in data]
    spoken_of = [text.startswith(("<Figure", "Figure(")) for text in texts]
    if any(figure and not picture for figure, picture in zip(spoken_of, pictures, strict=True)):
        return True
    return "plt.show()" in source and not any(pictures) and "plt.show()" in _always_run(source)


def _always_run(source: str) -> list[str]:
    """Return the statements of a cell that run whenever it does."""
    code = "\n".join("" if line.lstrip().startswith(("%", "!")) else line for line in source.splitlines())
    return [ast.unparse(statement) for statement in _flat(ast.parse(code).body)]


def _flat(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Go through statements, and into ``with``; what stands in ``if`` or in a loop may not run."""
    for statement in body:
        yield statement
        if isinstance(statement, ast.With):
            yield from _flat(statement.body)


def _outputs(cell: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    """Return a cell's outputs of one kind."""
    return [output for output in cell.get("outputs", []) if output.get("output_type") == kind]
