"""Cells that drew a figure of which no picture is left."""

import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from riqa.publish.executed import without_figure
from riqa.publish.run import ChapterError, run_chapter
from tests.publish.toy import rewrite

PICTURE = {"image/png": "iVBORw0KGgo=", "text/plain": "<Figure size 640x480 with 1 Axes>"}
TEXT = {"text/plain": "<Figure size 640x480 with 1 Axes>"}


def lacking(source, *shown):
    outputs = [new_output("display_data", data=data) for data in shown]
    return without_figure(new_notebook(cells=[new_code_cell(source, outputs=outputs, id="cell")])) == ["cell"]


@pytest.mark.parametrize(
    ("source", "shown", "lacks"),
    [
        ("plt.show()", [PICTURE], False),
        ("%matplotlib inline\nplt.show()", [PICTURE], False),
        ("plt.show()", [], True),
        ("%matplotlib agg\nwith style:\n    plt.show()", [{"text/plain": "3"}], True),
        ("figure", [TEXT], True),
        ("plt.show()", [PICTURE, TEXT], True),
        ("plt.show()", [{"image/svg+xml": "<svg/>"}], False),
        ("if found:\n    plt.show()", [], False),
        ("for name in names:\n    plt.show()", [], False),
        ("'plt.show()'", [], False),
        ("figure = draw()", [], False),
    ],
)
def test_a_cell_lacks_the_picture_that_it_always_shows(source, shown, lacks):
    assert lacking(source, *shown) == lacks


def test_only_code_shows_figures():
    assert without_figure(new_notebook(cells=[new_markdown_cell("plt.show()")])) == []


def test_a_page_without_its_figure_does_not_count_as_done(run):
    """nteract/papermill#278: the backend was another, the figures were missing, and all seemed well."""
    draw = 'import matplotlib.pyplot as plt\nplt.switch_backend("agg")\nplt.plot([1])\nplt.show()\nvalue = 1'
    rewrite(run, draw)
    with pytest.raises(ChapterError, match="no picture is left of what its cell 'compute' drew"):
        run_chapter(run)
    assert not run.out.exists()
    assert not run.record.exists()
    rewrite(run, draw.replace('plt.switch_backend("agg")\n', ""))
    run_chapter(run)
    assert run.executed.is_file()
