import json

import nbformat
import pytest
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from riqa.errors import InputError
from riqa.publish.layout import Build
from riqa.publish.parameters import Parameter, parse_legal
from riqa.publish.profiles import Profile, read_profile
from riqa.publish.stage import (
    MEASURED,
    STATUS_PAGE,
    configuration,
    duration,
    included_sources,
    parameter_table,
    stage_book,
    stage_notebook,
    status_page,
    write_site,
)
from tests.publish.test_measured import RESULT

FACTS = {
    "profile": "toy",
    "data": "nothing",
    "seeds": [0, [1, 2]],
    "hardware": {"processor": "Abacus", "cores": 2, "memory_gb": 8},
    "versions": {"python": "3.11.1", "riqa": "0.1.0", "torch": "2.0"},
    "code": "abc",
    "date": "2026-01-02",
    "seconds": 65.2,
    "peak_memory_mb": 1234,
    "workers": 1,
}


@pytest.fixture
def executed(toy):
    """An executed notebook of the first toy chapter, as papermill and the runner leave it."""
    streams = [
        new_output("stream", name="stderr", text="100%|###| 3/3 [00:01]"),
        new_output("stream", name="stdout", text="5"),
    ]
    cells = [
        new_markdown_cell("# Title\n\nText.", id="title"),
        new_code_cell("n: int = 3  # numbers | count", metadata={"tags": ["parameters"]}, id="given"),
        new_code_cell("n = 4", metadata={"tags": ["injected-parameters"]}, id="injected"),
        new_code_cell("print(n)", outputs=streams, metadata={"papermill": {"start_time": "now"}}, id="use"),
    ]
    metadata = {"papermill": {"parameters": {"n": 4}, "start_time": "now"}, "riqa": FACTS}
    path = Build(toy, "toy").executed("01_make_data")
    path.parent.mkdir(parents=True)
    nbformat.write(new_notebook(cells=cells, metadata=metadata), path)
    return path


def staged(toy, executed):
    content, facts = stage_notebook(toy / "notebooks" / "01_make_data.ipynb", executed)
    assert facts == FACTS
    return nbformat.reads(content.decode(), as_version=4)


def test_a_page_tells_where_its_numbers_come_from_under_its_title(toy, executed):
    lines = staged(toy, executed).cells[0].source.splitlines()
    assert lines[0] == "# Title"
    told = lines[3]
    assert told.startswith("**Profile toy** on nothing. Seeds: 0, 1, 2. Ran on 2026-01-02 in 1 min 5 s")
    for fact in ("1.2 GB", "Abacus, 2 cores, 8 GB", "riqa 0.1.0 at abc", "python 3.11.1, torch 2.0"):
        assert fact in told
    assert lines[-1] == "Text."


def test_a_table_of_parameters_stands_before_their_hidden_cell(toy, executed):
    cells = staged(toy, executed).cells
    assert "| `n` | int | `3` | `4` |" in cells[1].source
    assert "| `pause` | float | `0.0` | *default* | sleep, s |" in cells[1].source
    assert cells[2].metadata["tags"] == ["parameters", "remove-cell"]
    assert cells[3].metadata["tags"] == ["injected-parameters", "remove-cell"]


def test_progress_bars_and_time_stamps_are_left_out(toy, executed):
    notebook = staged(toy, executed)
    assert [output.text for output in notebook.cells[4].outputs] == ["5"]
    assert "papermill" not in json.dumps(notebook)


def test_the_table_says_what_is_legal():
    declared = {
        "a": Parameter("a", "int", 3, "count", parse_legal("at least 1", "int")),
        "b": Parameter("b", "str", "x", "name"),
    }
    rows = parameter_table(declared, {"a": 4}).splitlines()
    assert rows[2] == "| parameter | type | default | this run | meaning | legal |"
    assert rows[4] == "| `a` | int | `3` | `4` | count | at least 1 |"
    assert rows[5] == "| `b` | str | `'x'` | *default* | name | any |"


def test_a_bar_in_a_value_does_not_break_the_table():
    table = parameter_table({"a": Parameter("a", "str", "x|y", "text")}, {})
    assert r"`'x\|y'`" in table


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.4, "0 s"), (59.4, "59 s"), (60, "1 min 0 s"), (3599, "59 min 59 s"), (4800, "1 h 20 min")],
)
def test_duration(seconds, text):
    assert duration(seconds) == text


def test_the_status_page_lists_every_chapter_and_the_profile():
    profile = Profile("toy", "A toy.", "none", {"n": 4}, {"02": {"scale": 2.0}})
    page = status_page(profile, {"01_a": FACTS, "02_b": {**FACTS, "seconds": 5}})
    assert "| {doc}`/notebooks/01_a` | 1 min 5 s | 1.2 GB | 1 | 2026-01-02 | abc |" in page
    assert "one after the other: 1 min 10 s" in page
    assert "| torch | 2.0 |" in page
    assert page.count("Abacus") == 1
    assert yaml.safe_load(page.split("```yaml")[1].split("```")[0])["parameters"] == {"n": 4}


def test_staging_again_touches_nothing(toy, executed):
    build = Build(toy, "toy")
    sources = {"01_make_data": toy / "notebooks" / "01_make_data.ipynb"}
    profile = read_profile(toy, "toy")
    first = stage_book(build, profile, sources)
    assert {
        "_config.yml",
        "_toc.yml",
        STATUS_PAGE,
        "book/_ext/glue_deps.py",
        "notebooks/01_make_data.ipynb",
    } <= set(first)
    assert stage_book(build, profile, sources) == []
    (toy / "book" / "preface.md").write_text("# New\n")
    assert stage_book(build, profile, sources) == ["book/preface.md"]


def test_a_page_that_asks_for_a_benchmark_is_staged_with_its_table(toy, executed):
    build, profile = Build(toy, "toy"), read_profile(toy, "toy")
    sources = {"01_make_data": toy / "notebooks" / "01_make_data.ipynb"}
    (toy / "book" / "cost.md").write_text("# Cost\n\n<!-- measured: toy -->\n")
    with pytest.raises(InputError, match=r"benchmarks/measured/toy.json is missing"):
        stage_book(build, profile, sources)
    (toy / MEASURED).mkdir(parents=True)
    (toy / MEASURED / "toy.json").write_text(json.dumps(RESULT))
    assert "book/cost.md" in stage_book(build, profile, sources)
    assert "Measured on 2026-01-02 on Abacus" in (build.site / "book" / "cost.md").read_text()


def test_a_page_that_is_gone_leaves_the_site(tmp_path):
    write_site(tmp_path, {"a/b.md": b"1", "c.md": b"2"})
    assert write_site(tmp_path, {"c.md": b"2"}) == ["a/b.md"]
    assert not (tmp_path / "a" / "b.md").exists()


def test_buttons_lead_to_the_repository_only_where_it_is_known(toy):
    assert "repository" not in yaml.safe_load(configuration(toy))
    config = yaml.safe_load(configuration(toy, "https://example.org/riqa"))
    assert config["repository"] == {"url": "https://example.org/riqa", "branch": "main"}
    assert config["html"]["use_repository_button"] is True
    assert config["launch_buttons"]["thebe"] is False


def test_the_module_files_that_a_page_shows_are_staged_along(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "module.py").write_text("x = 1\n")
    notebook = tmp_path / "notebooks" / "01_a.ipynb"
    text = "```{literalinclude} ../module.py\n:pyobject: x\n```"
    nbformat.write(new_notebook(cells=[new_markdown_cell(text), new_code_cell(text)]), notebook)
    assert included_sources(tmp_path, notebook) == {"module.py": b"x = 1\n"}
    for wrong in ("../none.py", "../../outside.py"):
        (tmp_path.parent / "outside.py").touch()
        cells = [new_markdown_cell(text.replace("../module.py", wrong))]
        nbformat.write(new_notebook(cells=cells), notebook)
        with pytest.raises(InputError, match=wrong):
            included_sources(tmp_path, notebook)
