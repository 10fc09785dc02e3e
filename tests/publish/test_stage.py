import json
import platform
import subprocess

import nbformat
import pytest
import torch
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from riqa.errors import InputError
from riqa.files import write_json
from riqa.publish.layout import Build
from riqa.publish.parameters import Parameter, parse_legal
from riqa.publish.profiles import Profile, read_profile
from riqa.publish.provenance import code_version, hardware, versions
from riqa.publish.stage import (
    MEASURED,
    STATUS_PAGE,
    configuration,
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
    "seeds": [0, 1, 2],
    "hardware": {"processor": "Abacus", "cores": 2, "memory_gb": 8},
    "versions": {"python": "3.11.1", "riqa": "0.1.0", "torch": "2.0"},
    "code": "abc",
    "date": "2026-01-02",
    "seconds": 65.2,
    "peak_memory_mb": 1234,
    "workers": 1,
}


@pytest.fixture
def stage(toy):
    """Stage the toy book of the first chapter, executed as papermill and the runner leave it."""
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
    build, name = Build(toy, "toy"), "01_make_data"
    build.executed(name).parent.mkdir(parents=True)
    nbformat.write(new_notebook(cells=cells, metadata=metadata), build.executed(name))
    write_json(build.work / name / "warnings.json", ["the light is odd", "so is the focus"])
    sources = {name: toy / "notebooks" / f"{name}.ipynb"}
    return lambda: stage_book(build, read_profile(toy, "toy"), sources)


def test_a_page_tells_its_origin_and_parameters_and_no_progress(toy, stage):
    stage()
    notebook = nbformat.read(Build(toy, "toy").site / "notebooks" / "01_make_data.ipynb", as_version=4)
    title, table, given, injected, use = notebook.cells
    lines = title.source.splitlines()
    assert lines[:3] == ["# Title", "", "```{div} riqa-provenance"]
    assert lines[3] == (
        "**Profile toy** on nothing. Seeds: 0, 1, 2. Ran on 2026-01-02 in 1 min 5 s (peak memory 1.2 GB) "
        "on Abacus, 2 cores, 8 GB; riqa 0.1.0 at abc; python 3.11.1, torch 2.0."
    )
    warned = ["```{admonition} What these numbers are based on", ":class: warning"]
    assert lines[4:10] == ["```", *warned, "- The light is odd.", "- So is the focus.", "```"]
    assert lines[-1] == "Text."
    assert "| `n` | int | `3` | `4` |" in table.source
    assert "| `pause` | float | `0.0` | *default* | sleep, s |" in table.source
    assert given.metadata["tags"] == ["parameters", "remove-cell"]
    assert injected.metadata["tags"] == ["injected-parameters", "remove-cell"]
    assert [output.text for output in use.outputs] == ["5"]
    assert "papermill" not in json.dumps(notebook)


def test_a_page_without_warnings_has_no_box(toy, stage):
    name = "01_make_data"
    page, facts = stage_notebook(toy / "notebooks" / f"{name}.ipynb", Build(toy, "toy").executed(name))
    assert facts == FACTS
    assert b"admonition" not in page


def test_the_table_says_what_is_legal_and_no_bar_in_a_value_breaks_it():
    declared = {
        "a": Parameter("a", "int", 3, "count", parse_legal("at least 1", "int")),
        "b": Parameter("b", "str", "x|y", "name"),
    }
    rows = parameter_table(declared, {"a": 4}).splitlines()
    assert rows[2] == "| parameter | type | default | this run | meaning | legal |"
    assert rows[4] == "| `a` | int | `3` | `4` | count | at least 1 |"
    assert rows[5] == r"| `b` | str | `'x\|y'` | *default* | name | any |"


def test_the_status_page_lists_every_chapter_and_the_profile():
    profile = Profile("toy", "A toy.", "none", {"n": 4}, {"02": {"scale": 2.0}})
    page = status_page(profile, {"01_a": FACTS, "02_b": {**FACTS, "seconds": 5}})
    assert "| {doc}`/notebooks/01_a` | 1 min 5 s | 1.2 GB | 1 | 2026-01-02 | abc |" in page
    assert "one after the other: 1 min 10 s" in page
    assert "| torch | 2.0 |" in page
    assert page.count("Abacus") == 1
    assert yaml.safe_load(page.split("```yaml")[1].split("```")[0])["parameters"] == {"n": 4}


def test_staging_again_touches_nothing(toy, stage):
    pages = {"_config.yml", "_toc.yml", STATUS_PAGE, "book/_ext/glue_deps.py", "notebooks/01_make_data.ipynb"}
    assert pages <= set(stage())
    assert stage() == []
    (toy / "book" / "preface.md").write_text("# New\n")
    assert stage() == ["book/preface.md"]


def test_a_page_that_asks_for_a_benchmark_is_staged_with_its_table(toy, stage):
    (toy / "book" / "cost.md").write_text("# Cost\n\n<!-- measured: toy -->\n")
    with pytest.raises(InputError, match=r"benchmarks/measured/toy.json is missing"):
        stage()
    write_json(toy / MEASURED / "toy.json", RESULT)
    assert "book/cost.md" in stage()
    assert "Measured on 2026-01-02 on Abacus" in (Build(toy, "toy").site / "book" / "cost.md").read_text()


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
    (tmp_path.parent / "outside.py").touch()
    for wrong in ("../none.py", "../../outside.py"):
        cells = [new_markdown_cell(text.replace("../module.py", wrong))]
        nbformat.write(new_notebook(cells=cells), notebook)
        with pytest.raises(InputError, match=wrong):
            included_sources(tmp_path, notebook)


# Where numbers come from


def test_versions_are_those_of_the_packages_and_hardware_is_counted():
    found, machine = versions(), hardware()
    assert found["python"] == platform.python_version()
    assert found["torch"].split("+")[0] == torch.__version__.split("+")[0]
    assert machine["processor"]
    assert min(machine["cores"], machine["memory_gb"]) >= 1


def test_code_version_is_the_commit_and_tells_local_changes(tmp_path):
    assert code_version(tmp_path) == "unknown"
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    (tmp_path / "riqa").mkdir()
    (tmp_path / "riqa" / "x.py").write_text("1")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "x"]):
        subprocess.run(git + command, check=True)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True).stdout
    assert code_version(tmp_path) == commit[:10]
    (tmp_path / "riqa" / "x.py").write_text("2")
    assert code_version(tmp_path) == f"{commit[:10]} with local changes"
