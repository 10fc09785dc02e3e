"""Pages as Jupyter Book reads them: origin, parameters, measurements, and files that they include."""

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
from riqa.publish.measured import fill_in
from riqa.publish.profiles import read_profile
from riqa.publish.provenance import code_version, hardware, versions
from riqa.publish.stage import MEASURED, STATUS_PAGE, common_files, contents, stage_book
from tests.publish.toy import CHAPTERS, write_chapter

NAMES = ("01_make_data", "02_scale_data")
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


def write_executed(build, name, prose="Text.", **facts):
    """Write an executed notebook as papermill and the runner leave it."""
    streams = {"stderr": "100%|###| 3/3 [00:01]", "stdout": "5"}
    outputs = [new_output("stream", name=stream, text=text) for stream, text in streams.items()]
    cells = [
        new_markdown_cell(f"# Title\n\n{prose}", id="title"),
        new_code_cell("n: int = 3  # numbers", metadata={"tags": ["parameters"]}, id="given"),
        new_code_cell("n = 4", metadata={"tags": ["injected-parameters"]}, id="injected"),
        new_code_cell("print(n)", outputs=outputs, metadata={"papermill": {"start_time": "now"}}, id="use"),
    ]
    metadata = {"papermill": {"parameters": {"n": 4}, "start_time": "now"}, "riqa": FACTS | facts}
    build.executed(name).parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(new_notebook(cells=cells, metadata=metadata), build.executed(name))


@pytest.fixture
def build(toy):
    """A toy build of which the first two chapters were executed; the second warns."""
    parameters = (
        "n: int = 3  # numbers; at least 1\npause: float = 0.0  # sleep, s\nbar: str = 'x|y'  # a name"
    )
    write_chapter(toy, NAMES[0], parameters=parameters)
    build = Build(toy, "toy")
    write_executed(build, NAMES[0])
    write_executed(build, NAMES[1], seconds=5)
    write_json(build.out(NAMES[1]) / "warnings.json", ["the light is odd", "so is the focus"])
    return build


def stage(build):
    return stage_book(build, read_profile(build.root, "toy"), NAMES)


def test_a_page_tells_its_origin_and_parameters_and_no_progress(build):
    stage(build)
    first, second = (nbformat.read(build.site / "notebooks" / f"{name}.ipynb", 4) for name in NAMES)
    title, table, given, injected, use = first.cells
    origin = (
        "# Title\n\n```{div} riqa-provenance\n"
        "**Profile toy** on nothing. Seeds: 0, 1, 2. Ran on 2026-01-02 in 1 min 5 s (peak memory 1.2 GB) "
        "on Abacus, 2 cores, 8 GB; riqa 0.1.0 at abc; python 3.11.1, torch 2.0.\n```\n"
    )
    assert title.source == f"{origin}\n\nText."
    warned = "```{admonition} What these numbers are based on\n:class: warning\n"
    warned += "- The light is odd.\n- So is the focus.\n```\n\n\nText."
    assert second.cells[0].source.endswith(f"torch 2.0.\n```\n{warned}")
    assert table.source.splitlines()[2:] == [
        "| parameter | type | default | this run | meaning | legal |",
        "|---|---|---|---|---|---|",
        "| `n` | int | `3` | `4` | numbers | at least 1 |",
        "| `pause` | float | `0.0` | *default* | sleep, s | any |",
        r"| `bar` | str | `'x\|y'` | *default* | a name | any |",
        "| `work` | str | `''` | *default* | all artifacts, folder | any |",
        "| `out` | str | `''` | *default* | own artifacts, folder | any |",
        ":::",
    ]
    assert given.metadata["tags"] == ["parameters", "remove-cell"]
    assert injected.metadata["tags"] == ["injected-parameters", "remove-cell"]
    assert [output.text for output in use.outputs] == ["5"]
    assert "papermill" not in json.dumps(first)


def test_a_warning_is_repeated_by_what_follows_from_its_chapter_and_by_nothing_else(build):
    names = tuple(CHAPTERS)  # 04 needs 02, which warns, and 03, which needs 01 alone
    for name in names[2:]:
        write_executed(build, name)
    stage_book(build, read_profile(build.root, "toy"), names)
    pages = {name: (build.site / "notebooks" / f"{name}.ipynb").read_text() for name in names}
    assert [name for name, page in pages.items() if "The light is odd." in page] == [names[1], names[3]]
    assert pages[names[3]].count("The light is odd.") == 1


def test_the_status_page_lists_every_chapter_and_the_profile(build):
    stage(build)
    page = (build.site / STATUS_PAGE).read_text()
    assert "| {doc}`/notebooks/01_make_data` | 1 min 5 s | 1.2 GB | 1 | 2026-01-02 | abc |\n| {doc}" in page
    assert "one after the other: 1 min 10 s" in page
    assert "| torch | 2.0 |" in page
    assert page.count("Abacus") == 1
    assert yaml.safe_load(page.split("```yaml")[1].split("```")[0])["parameters"] == {"n": 4}


def test_a_page_of_prose_may_speak_of_a_chapter_that_was_not_built(build):
    new = build.root / "book" / "new.md"
    new.write_text("# New\n\n{result}`chapter=03_shift_data metric=f1 :say`\n")
    stage(build)
    assert (build.site / "book" / "new.md").read_text() == "# New\n\n(chapter 03 is not part of this build)\n"
    new.write_text("{result}`chapter=05_unknown metric=f1`")
    with pytest.raises(InputError, match="05_unknown"):
        stage(build)


def test_staging_again_touches_only_what_has_changed_or_is_gone(build):
    new = build.root / "book" / "new.md"
    new.write_text("# New\n\n<!-- front -->\n")
    write_json(build.out(NAMES[0]) / "front.png", 0)
    (build.out(NAMES[0]) / "front.md").write_text("First.")
    pages = {"_config.yml", "_toc.yml", STATUS_PAGE, "book/_ext/offline_math.py", "book/front.png"}
    assert {*pages, f"notebooks/{NAMES[0]}.ipynb"} <= set(stage(build))
    assert (build.site / "book" / "new.md").read_text() == "# New\n\nFirst.\n"
    assert stage(build) == []
    (build.root / "book" / "preface.md").write_text("# Other\n")
    new.unlink()
    assert stage(build) == ["book/preface.md", "book/new.md"]
    assert not (build.site / "book" / "new.md").exists()


def test_buttons_lead_to_the_repository_only_where_it_is_known(toy):
    assert "repository" not in yaml.safe_load(common_files(toy)["_config.yml"])
    config = yaml.safe_load(common_files(toy, "https://example.org/riqa")["_config.yml"])
    assert config["repository"] == {"url": "https://example.org/riqa", "branch": "main"}
    assert config["html"]["use_repository_button"] is True
    assert config["launch_buttons"]["thebe"] is False


def test_the_files_that_a_page_shows_are_staged_along(build):
    text = "```{literalinclude} ../%s\n:pyobject: x\n```"
    write_executed(build, NAMES[0], prose=text % "Snakefile")
    assert "Snakefile" in stage(build)
    (build.root.parent / "outside.py").touch()
    for wrong in ("none.py", "../outside.py"):
        write_executed(build, NAMES[0], prose=text % wrong)
        with pytest.raises(InputError, match=f"its page includes ../{wrong}, which is no file"):
            stage(build)


# What benchmarks measured

ROW = {
    "what": "an epoch",
    "peer_name": "files",
    "ours": 20.34,
    "peer": 1234.5,
    "unit": "images/s",
    "ratio": {"median": 0.951, "low": 0.9, "high": 1.0},
    "target": 0.85,
    "met": True,
}
COMMON = {key: FACTS[key] for key in ("date", "hardware", "versions")}
COMMON |= {"name": "toy", "conditions": "One thread"}
RESULT = COMMON | {"rows": [ROW, ROW | {"peer_name": "bare", "met": False, "target": 3}]}
TABULATED = COMMON | {"columns": ["set", "PFLOP"], "cells": [["small_one", "1.0"], ["all", "13"]]}
ORIGIN = "One thread. Measured on 2026-01-02 on Abacus, 2 cores, 8 GB; python 3.11.1, riqa 0.1.0, torch 2.0."
ASKING = "# Cost\n\n<!-- measured: toy -->\n\nText.\n<!-- a remark -->\n"


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (RESULT, [
            "| measured | against | this project | the other | ratio | range | target | verdict |",
            "|---|---|--:|--:|--:|--:|--:|---|",
            "| an epoch, images/s | files | 20.3 | 1,234 | 0.95 | 0.90 to 1.00 | at least 0.85 | met |",
            "| an epoch, images/s | bare | 20.3 | 1,234 | 0.95 | 0.90 to 1.00 | at least 3 | **missed** |",
        ]),
        (TABULATED, ["| set | PFLOP |", "| --- | --- |", "| small_<wbr>one | 1.0 |", "| all | 13 |"]),
    ],
)  # fmt: skip
def test_a_page_gets_the_table_of_a_benchmark_where_it_asks_for_it(build, content, lines):
    (build.root / "book" / "cost.md").write_text(ASKING)
    write_json(build.root / MEASURED / "toy.json", content)
    stage(build)
    table = "\n".join([*lines, "", "```{div} riqa-provenance", ORIGIN, "```"])
    page = (build.site / "book" / "cost.md").read_text()
    assert page == ASKING.replace("<!-- measured: toy -->", table)


MUCH = {"median": "much", "low": 1, "high": 2}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (json.dumps(RESULT)[:-40], "JSON"),
        ("[]", "toy.json"),
        (json.dumps({key: value for key, value in RESULT.items() if key != "hardware"}), "hardware: "),
        (json.dumps(RESULT | {"rows": [ROW | {"ratio": MUCH}]}), "rows.0.ratio.median: "),
        (json.dumps(TABULATED | {"cells": [["1", "2"], ["3"]]}), "row 1 has 1 cells for 2 columns"),
        (json.dumps(COMMON), "it has neither rows nor columns"),
        (None, "toy.json is missing; run make bench"),
    ],
)
def test_a_malformed_or_missing_result_is_named_in_one_line(tmp_path, content, said):
    path = tmp_path / "toy.json"
    if content:
        path.write_text(content)
    with pytest.raises(InputError) as refused:
        fill_in(ASKING, tmp_path)
    message = str(refused.value)
    assert message.startswith(f"{path} is {'no result of a benchmark (' if content else 'missing'}")
    assert said in message
    assert "\n" not in message


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


def test_the_table_of_contents_leaves_out_what_is_not_built(tmp_path):
    def page(name, *sections):
        return {"file": name} | ({"sections": list(sections)} if sections else {})

    path = tmp_path / "_toc.yml"
    first = page("notebooks/01_a", page("notebooks/01b_c"))
    parts = [{"caption": "I", "chapters": [page("book/how"), first]}]
    later = [{"caption": "II", "chapters": [page("notebooks/02_b")]}]
    path.write_text(yaml.safe_dump({"root": "book/preface", "parts": parts + later}))
    told = yaml.safe_load(contents(path, ["01_a", "01b_c"]))
    assert told == {"root": "book/preface", "parts": parts}
    assert yaml.safe_load(contents(path, ["01_a", "02_b"]))["parts"][1:] == later
    path.write_text("root: book/preface\n")
    assert yaml.safe_load(contents(path, [])) == {"root": "book/preface"}
