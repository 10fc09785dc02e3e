"""What one chapter warns of is on its page and on every later one."""

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from riqa.publish.stage import stage_notebook
from riqa.publish.warnings import read_warnings, warning_block, write_warnings

FACTS = {
    "profile": "toy", "data": "toys", "seeds": [0], "date": "2026-01-01", "seconds": 1, "peak_memory_mb": 100,
    "hardware": {}, "versions": {"riqa": "1"}, "code": "x",
}  # fmt: skip


def test_warnings_are_kept_and_a_chapter_without_any_has_none(tmp_path):
    assert read_warnings(tmp_path) == []
    write_warnings(tmp_path, ["the light is odd", "so is the focus"])
    assert read_warnings(tmp_path) == ["the light is odd", "so is the focus"]


def test_a_warning_stands_under_the_title(tmp_path, monkeypatch):
    monkeypatch.setattr("riqa.publish.stage.provenance_block", lambda facts: "PROVENANCE\n")
    cells = [
        new_markdown_cell("# A title\n\nProse."),
        new_code_cell("x: int = 1  # a number, count", metadata={"tags": ["parameters"]}),
    ]
    notebook = new_notebook(cells=cells, metadata={"riqa": FACTS})
    nbformat.write(notebook, tmp_path / "chapter.ipynb")
    page, _ = stage_notebook(tmp_path / "chapter.ipynb", tmp_path / "chapter.ipynb", ["the light is odd"])
    text = nbformat.reads(page.decode(), as_version=4).cells[0].source
    places = [text.index(part) for part in ("# A title", "PROVENANCE", "- The light is odd.", "Prose.")]
    assert places == sorted(places)
    page, _ = stage_notebook(tmp_path / "chapter.ipynb", tmp_path / "chapter.ipynb")
    assert "admonition" not in nbformat.reads(page.decode(), as_version=4).cells[0].source
    assert warning_block([]) == ""
