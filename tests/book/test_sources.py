"""The chapters' sources keep the conventions of CONTRIBUTING.md."""

import ast
import json
import re

import numpy as np
import pytest
import yaml
from sklearn.metrics import pairwise_distances

from riqa.labels import DETAILS
from riqa.learn.config import KEPT_EPOCHS, PRECISIONS, SCHEDULES
from riqa.learn.device import DEVICES
from riqa.learn.level import LEVELS
from riqa.publish.chapters import parse_cell, read_chapters
from riqa.publish.measured import fill_in
from riqa.publish.parameters import declared_parameters
from riqa.publish.plan import plan
from riqa.publish.profiles import profile_names, read_profile
from riqa.publish.stage import MEASURED, STATUS_PAGE
from riqa.studies.overall import READINGS
from tests.publish.toy import REPOSITORY

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
OPENING = ("What you'll do", "What you'll learn", "Prerequisites", "Time", "In the paper")
PATHS = ("work", "out", "data", "published", "further_photographs")
ENDING = ("Take-aways", "Exercises", "Further reading")

each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def cells(path, kind=None):
    found = json.loads(path.read_text())["cells"]
    return [cell for cell in found if kind in (None, cell["cell_type"])]


def source(cell):
    return "".join(cell["source"])


def is_parameters(cell):
    return "parameters" in cell["metadata"].get("tags", [])


def code(path):
    """Return the syntax tree of all code but the parameters."""
    return parse_cell("\n".join(source(cell) for cell in cells(path, "code") if not is_parameters(cell)))


def prose(path):
    return "\n\n".join(source(cell) for cell in cells(path, "markdown"))


@each_notebook
def test_a_source_holds_no_outputs_and_it_its_kernel_and_its_cells_have_names(path):
    assert re.fullmatch(r"\d\d[bc]?_[a-z]+_[a-z_]+", path.stem)
    document = json.loads(path.read_text())
    assert (document["nbformat"], document["nbformat_minor"]) == (4, 5)
    assert document["metadata"]["kernelspec"]["name"] == "python3"
    assert all((cell["outputs"], cell["execution_count"]) == ([], None) for cell in cells(path, "code"))
    identities = [cell["id"] for cell in cells(path)]
    assert len(set(identities)) == len(identities)
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]{3,64}", identity) for identity in identities)


@each_notebook
def test_every_parameter_is_declared_in_form_and_read_later(path):
    declared = declared_parameters(path)
    names = [node for node in ast.walk(code(path)) if isinstance(node, ast.Name)]
    read = {node.id for node in names if isinstance(node.ctx, ast.Load)}
    assert set(declared) <= read, f"never read: {sorted(set(declared) - read)}"


def test_chapters_that_train_declare_the_same_training_parameters():
    """In the same order and with the same comments, so that they are read once."""
    blocks = []
    for name in ("02_train_teacher", "04_train_single_task", "05_train_multi_task"):
        declared = declared_parameters(REPOSITORY / "notebooks" / f"{name}.ipynb")
        names = list(declared)
        block = names[names.index("epochs") : names.index("max_colour_change") + 1]
        blocks.append([(p.name, p.type, p.meaning, p.legal.text) for p in map(declared.get, block)])
    assert len(blocks[0]) == 18
    assert blocks[0] == blocks[1] == blocks[2]


INCLUDE = re.compile(r"```\{literalinclude\} (\S+)\n(.*?)```", flags=re.DOTALL)


@each_notebook
def test_what_a_page_includes_from_the_module_is_there_and_short_enough_to_read(path):
    for file, options in INCLUDE.findall(prose(path)):
        content = (path.parent / file).read_text()
        given = dict(re.findall(r":([\w-]+): (.+)", options))
        assert given.keys() & {"pyobject", "start-at"}, file
        if "pyobject" in given:
            nodes = ast.parse(content).body
            for part in given["pyobject"].split("."):
                (node,) = (n for n in nodes if getattr(n, "name", "") == part)
                nodes = node.body
            shown = "\n".join(content.splitlines()[node.lineno - 1 : node.end_lineno])
        else:
            assert content.count(given["start-at"]) == content.count(given["end-before"]) == 1
            shown = content[content.index(given["start-at"]) : content.index(given["end-before"])]
        assert 3 <= len(shown.splitlines()) <= 35, (file, given)
        assert max(map(len, shown.splitlines())) <= 84, (file, given)


CHOICES = {  # text that a chapter hands to a function which knows only these
    "weights": ("none", "imagenet"),
    "schedule": SCHEDULES,
    "kept_epoch": KEPT_EPOCHS,
    "precision": PRECISIONS,
    "device": DEVICES,
    "pseudo_label_kind": ("soft", "hard"),
    "detail": DETAILS,
    "known_shares": ("observers", "eyeq_d"),
    "level": LEVELS,
    "if_unfit": ("warn", "calibrate", "drop"),
    "wilcoxon_on": READINGS,
    "baseline": ("single_task", "single_task_control"),
    "input_as": ("log_odds", "probabilities"),
    "overall_head": ("kept", "fresh"),
}


@each_notebook
def test_every_number_and_every_closed_choice_says_what_is_legal(path):
    for name, parameter in declared_parameters(path).items():
        legal = parameter.legal
        if parameter.type in ("int", "float", "list[int]", "list[float]"):
            assert legal.bounds, name
            if parameter.type in ("int", "list[int]"):  # else memory would be the limit
                assert {how for how, _ in legal.bounds} & {"at most", "below"}, name
        elif parameter.type == "str" and name != "metric":
            assert set(legal.choices) == set(CHOICES.get(name, ())), name
            assert legal.choices or name in {"backbone", *PATHS} or name.endswith("_set"), name
        elif name == "metric":
            features = np.random.default_rng(0).random((5, 3))
            assert all(np.isfinite(pairwise_distances(features, metric=m)).all() for m in legal.choices)
        else:
            assert parameter.type == "list[str]", name  # names of sets or backbones, any that there are
            assert legal.least == (name == "overall_sets"), name


HIDDEN = {"parameters", "remove-cell", "remove-input"}


@each_notebook
def test_cells_that_are_shown_fit_the_page_and_a_lecture(path):
    for cell in cells(path, "code"):
        if HIDDEN & set(cell["metadata"].get("tags", [])):
            continue
        block = source(cell)
        imports = [node for node in ast.parse(block).body if isinstance(node, (ast.Import, ast.ImportFrom))]
        imported = {line for node in imports for line in range(node.lineno, node.end_lineno + 1)}
        lines = [line for n, line in enumerate(block.splitlines(), 1) if line.strip() and n not in imported]
        assert max(map(len, block.splitlines())) <= 80, block
        assert len(lines) <= 15, block
    if path.stem != "00_try_the_method":  # where the network is read, with nothing but PyTorch
        assert ast.ClassDef not in [type(node) for node in ast.walk(code(path))]


@each_notebook
def test_every_figure_has_a_caption_a_name_and_an_alternative_text(path):
    looks = [cell["metadata"]["mystnb"] for cell in cells(path, "code") if "mystnb" in cell["metadata"]]
    names = [look["figure"]["name"] for look in looks]
    assert len(names) == len(set(names))
    for look in looks:
        assert len(look["figure"]["caption"]) > 20
        assert len(look["image"]["alt"]) > 20
    text = "".join(source(cell) for cell in cells(path))
    assert "glue" not in text


@each_notebook
def test_a_claim_is_asserted_and_never_printed(path):
    calls = [node for node in ast.walk(code(path)) if isinstance(node, ast.Call)]
    printed = [call for call in calls if ast.unparse(call.func) == "print"]
    assert not [call for call in printed if any(isinstance(argument, ast.Compare) for argument in call.args)]
    assert any(isinstance(node, ast.Assert) for node in ast.walk(code(path)))


@each_notebook
def test_every_chapter_opens_and_ends_alike_and_tells_right_away_what_this_build_found(path):
    first = source(cells(path, "markdown")[0])
    assert first.startswith("# ")
    assert first.find(f"**{OPENING[0]}") < first.find(f"**{OPENING[1]}")
    assert all(f"**{heading}" in first for heading in OPENING)
    headings = re.findall(r"^## (.+)$", prose(path), flags=re.MULTILINE)
    assert tuple(headings[-3:]) == ENDING
    begins = [source(cell) for cell in cells(path)[:9]]
    assert any("admonition}" in text and "In this build" in text for text in begins)


@each_notebook
def test_every_exercise_has_a_worked_solution(path):
    exercises = re.findall(r"\{exercise(?:-start)?\}[^\n]*\n:label: (\S+)", prose(path))
    solutions = re.findall(r"\{solution(?:-start)?\} (\S+)", prose(path))
    assert len(exercises) >= (1 if path.stem[2] == "b" else 2)
    assert sorted(solutions) == sorted(exercises)


def test_exercises_are_referred_to_by_labels_that_exist():
    """Their numbers run through the whole book: one that is typed is wrong after the next exercise."""
    texts = {path.stem: "\n".join(source(cell) for cell in cells(path)) for path in NOTEBOOKS}
    labels = [x for text in texts.values() for x in re.findall(r"\{exercise\}[^\n]*\n:label: (\S+)", text)]
    assert len(labels) == len(set(labels)) > 30
    texts |= {path.stem: path.read_text() for path in (REPOSITORY / "book").glob("*.md")}
    for page, text in texts.items():
        assert not re.findall(r"\b[Ee]xercises?\s+\(?\d+", text), f"{page}: refer by {{ref}} to a label"
        named = re.findall(r"\{(?:num)?ref\}`(?:[^`<]*<)?(ex-[^`>]+)|\]\((ex-[^)]+)\)", text)
        assert {a or b for a, b in named} <= set(labels), page


@each_notebook
def test_no_number_of_a_result_is_typed_beside_a_metric(path):
    """Numbers in prose come from results; a decimal right after F1 or AUC would be one that was typed."""
    assert not re.findall(r"(?:our|this book's|here) (?:macro-)?F1 (?:is|was|of) 0\.\d+", prose(path))


def test_the_table_of_contents_holds_every_page_and_no_other():
    contents = yaml.safe_load((REPOSITORY / "_toc.yml").read_text())
    chapters = [c for part in contents["parts"] for c in part["chapters"]]
    chapters += [c for chapter in chapters for c in chapter.get("sections", [])]
    listed = [contents["root"], *(c["file"] for c in chapters)]
    pages = {p.relative_to(REPOSITORY).with_suffix("").as_posix() for p in (REPOSITORY / "book").glob("*.md")}
    pages |= {f"notebooks/{path.stem}" for path in NOTEBOOKS} | {STATUS_PAGE.removesuffix(".md")}
    assert len(listed) == len(set(listed))
    assert set(listed) == pages


def test_every_benchmark_that_a_page_shows_is_kept_in_the_repository():
    shown = 0
    for path in (REPOSITORY / "book").glob("*.md"):
        page = path.read_text()
        filled = fill_in(page, REPOSITORY / MEASURED)
        assert "measured:" not in filled, f"{path.name}: a line that asks for a result is misspelt"
        shown += filled != page
    assert shown


def test_a_chapter_needs_exactly_the_chapters_that_its_code_reads():
    chapters = read_chapters(REPOSITORY)
    assert set(chapters) == {path.stem for path in NOTEBOOKS}
    assert len(chapters) >= 6
    for name, chapter in chapters.items():
        text = "\n".join(source(cell) for cell in cells(chapter.notebook, "code") if not is_parameters(cell))
        text += "".join(re.findall(r"chapter=(\w+)", chapter.notebook.read_text()))  # quoted in prose
        assert set(chapter.needs) == {other for other in chapters if other in text} - {name}, name


@pytest.mark.parametrize("name", profile_names(REPOSITORY))
def test_every_value_of_a_profile_is_one_that_a_chapter_declares(name, tmp_path, monkeypatch):
    monkeypatch.chdir(REPOSITORY)
    (tmp_path / "something").touch()
    profile = read_profile(REPOSITORY, name)
    jobs = plan(REPOSITORY, name, str(tmp_path) if profile.needs_data else "")
    given = {parameter for job in jobs for parameter in job.parameters}
    assert set(profile.parameters) <= given
    assert profile.description


def test_the_profiles_are_those_that_the_book_speaks_of():
    assert {"smoke", "quick", "eyeq_thumbs", "open", "paper"} <= set(profile_names(REPOSITORY))
    assert len(read_profile(REPOSITORY, "quick").parameters.get("seeds", [0, 1, 2])) >= 3
