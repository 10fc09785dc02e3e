"""The recipe of CONTRIBUTING.md for a chapter, followed: a notebook, a file in riqa/studies, a line in chapters.yaml."""

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from riqa import results
from tests.book.builds import copy_smoke, run_riqa

pytestmark = pytest.mark.book

NAME = "99_ask_the_undecided"
STUDY = '''"""How often is a model undecided?"""

from riqa.results import tidy


def undecided(predictions, below=0.5):
    """Return the share of images whose most probable class has less than a share of the probability."""
    p = predictions.filter(like="p_overall").max(axis=1)
    own = predictions.assign(value=p < below).groupby(["dataset", "model"], sort=False)["value"].mean()
    return tidy(own.reset_index(), metric="undecided", method="count", n=len(predictions))
'''
PARAMETERS = """work: str = "_build/quick/work"  # folder with every chapter's artifacts, path
out: str = "_build/quick/work/99_ask_the_undecided"  # folder for this chapter's artifacts, path
below: float = 0.5  # probability below which a model is undecided, share; above 0, below 1"""
CODE = """from riqa import results
from riqa.predictions import read_predictions
from riqa.show import table, wide
from riqa.studies.undecided import undecided

answered = read_predictions(work, ["05_train_multi_task"])
found = undecided(answered[answered["dataset"] == answered["trained_on"]], below)
results.write(out, [found], chapter="99_ask_the_undecided")
table(wide(found, ["set"], "model"), "How often models are undecided")"""
PROSE = """# Ask the undecided

The Student is undecided about {result}`dataset=first model=multi_task metric=undecided method=count :.1%` of images, below {parameter}`below:g`."""


def test_a_notebook_a_study_and_a_line_make_a_chapter(smoke, tmp_path):
    copy_smoke(tmp_path)
    (tmp_path / "riqa" / "studies" / "undecided.py").write_text(STUDY)
    cells = [
        new_markdown_cell(PROSE),
        new_code_cell(PARAMETERS, metadata={"tags": ["parameters"]}),
        new_code_cell(CODE),
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), tmp_path / "notebooks" / f"{NAME}.ipynb")
    with (tmp_path / "notebooks" / "chapters.yaml").open("a") as file:
        file.write(f"{NAME}: {{needs: [05_train_multi_task], threads: 1}}\n")
    run_riqa(tmp_path, "riqa run 99 --profile smoke -p below=0.6 --out run")
    found = results.read(tmp_path / "run" / "artifacts")
    assert found["value"].between(0, 1).all()
    page = (tmp_path / "run" / "html" / "notebooks" / f"{NAME}.html").read_text()
    keys = {"dataset": "phantom_grades", "model": "multi_task", "metric": "undecided"}
    row = results.find(found, method="count", **keys)
    assert f"{100 * row['value']:.1f}\N{NO-BREAK SPACE}%" in page
    assert "below 0.6" in page
    assert "How often models are undecided" in page
