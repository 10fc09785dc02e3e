"""Every command that README, book, notebooks, help and messages print can be given as it is printed."""

import json
import re
import shlex
import subprocess
from functools import cache
from pathlib import Path

import click
import pytest
import typer

from riqa.cli import app
from riqa.data.adapters import NAMES
from riqa.data.fetch import SOURCES
from riqa.learn.plan_file import read_plan
from riqa.publish.chapters import find_chapter, read_chapters
from riqa.publish.parameters import check_parameters, declared_parameters, parse_assignment
from riqa.publish.profiles import profile_names
from tests.publish.toy import REPOSITORY

PAGES = [REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md")]
PAGES += sorted((REPOSITORY / "book").glob("*.md"))

NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
MODULES = [*sorted((REPOSITORY / "riqa").rglob("*.py")), *sorted((REPOSITORY / "riqa").rglob("*.yaml"))]
OWN_PROFILE = "clinic"  # which the page on own photographs tells to write
IN_LINE = r"`((?:riqa|make|snakemake|accelerate) [^`]+)`"


def in_blocks(text: str) -> list[str]:
    """Return the lines of a page's blocks of commands, without comments, broken lines joined."""
    blocks = re.findall(r"^```bash\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def in_cells(path: Path) -> list[str]:
    """Return the commands of a notebook: in its text, in its exercises, and in what its code prints."""
    text = "\n".join("".join(cell["source"]) for cell in json.loads(path.read_text())["cells"])
    return re.findall(IN_LINE, text) + re.findall(r"^ *!?((?:riqa|make) .+)$", text, re.MULTILINE)


def in_help() -> list[str]:
    """Return the commands that `riqa --help` and the help of its commands show."""
    group = typer.main.get_command(app)
    texts = [group.help, *(command.help for command in group.commands.values())]
    shown = re.findall(r"^ +(riqa .+?)(?:  .*)?$", texts[0], re.MULTILINE)
    return shown + [line for text in texts[1:] for line in re.findall(r"Example: (riqa .+)", text)]


def in_messages(path: Path) -> list[str]:
    """Return the commands in the strings of a module; what it fills in stands as WORD."""
    text = re.sub(r"\{[\w.]+\}", "WORD", path.read_text())
    return re.findall(IN_LINE, text) + re.findall(r"(?:Then|then|Next): (riqa [^\"\n]+)", text)


def printed() -> dict[str, str]:
    """Return every printed command, and where it stands."""
    found = {}
    for path in PAGES:
        for line in in_blocks(path.read_text()):
            found.setdefault(line, f"{path.name}, block")
        for line in re.findall(IN_LINE, path.read_text()):
            found.setdefault(line, path.name)
    for path in NOTEBOOKS:
        found |= {line: path.name for line in in_cells(path) if line not in found}
    for path in MODULES:
        found |= {line: path.name for line in in_messages(path) if line not in found}
    return {line: "help, block" for line in in_help()} | found


COMMANDS = printed()
of_kind = {
    kind: sorted(line for line in COMMANDS if line.split()[0] == kind)
    for kind in {line.split()[0] for line in COMMANDS}
}


@cache
def values_of(line: str) -> tuple[str, dict]:
    """Parse a command of riqa as the command line does, and return the subcommand with its values."""
    words = shlex.split(line, comments=True)[1:]
    group = typer.main.get_command(app)
    if words[0].startswith("-"):
        assert words == ["--help"], line
        return "", {}
    name, command, rest = group.resolve_command(click.Context(group), words)
    if "--help" in rest:
        return name, {}
    # A text that only mentions a command may leave out what must be given; a line to be copied may not.
    mentioned = "block" not in COMMANDS[line]
    context = command.make_context(name, list(rest), resilient_parsing=mentioned)
    options = {option for parameter in command.params for option in parameter.opts}
    assert {word for word in rest if re.match(r"--?[a-z]", word)} <= options, f"{line}: {sorted(options)}"
    return name, context.params


def test_commands_were_found_in_every_place():
    places = {place.removesuffix(", block") for place in COMMANDS.values()}
    assert {
        "README.md",
        "your_photographs.md",
        "how_to_run.md",
        "cluster.md",
        "help",
        "sources.yaml",
    } <= places
    assert "claims.yaml" in places
    assert len(COMMANDS) > 60
    assert set(of_kind) == {"riqa", "make", "source", "conda", "snakemake", "accelerate"}


@pytest.mark.parametrize("line", of_kind["riqa"])
def test_a_command_of_riqa_can_be_parsed_and_names_what_there_is(line):
    name, values = values_of(line)
    profile = values.get("profile") or "quick"
    assert profile in (*profile_names(REPOSITORY), OWN_PROFILE)
    if name in ("run", "chapters") and values.get("chapter"):
        chapter = find_chapter(read_chapters(REPOSITORY), values["chapter"])
        given = dict(parse_assignment(text) for text in values.get("parameters") or [])
        check_parameters(given, declared_parameters(chapter.notebook), line)
    if values.get("dataset"):
        assert values["dataset"] in NAMES
    if name == "fetch" and values.get("name") not in (None, "NAME"):
        assert values["name"] in SOURCES


@pytest.mark.parametrize("line", of_kind["make"])
def test_a_target_of_make_is_there_and_its_settings_are_known(line):
    words = shlex.split(line, comments=True)[1:]
    text = (REPOSITORY / "Makefile").read_text()
    targets = [word for word in words if "=" not in word]
    assert set(targets) <= set(re.findall(r"^([a-z-]+):", text, re.MULTILINE)), line
    for setting in (word for word in words if "=" in word):
        name, _, value = setting.partition("=")
        assert re.search(rf"^{name} \?=", text, re.MULTILINE), line
        assert name != "PROFILE" or value in (*profile_names(REPOSITORY), OWN_PROFILE, "...")
    done = subprocess.run(["make", "--dry-run", *words], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("line", [line for line in of_kind["accelerate"] if COMMANDS[line].endswith("block")])
def test_a_training_on_several_cards_can_be_launched_as_is_printed(line):
    from accelerate.commands.launch import launch_command_parser

    given = launch_command_parser().parse_args(shlex.split(line)[2:])
    assert (given.training_script, given.module) == ("riqa.cli", True)
    train = shlex.join(["riqa", *given.training_script_args])
    assert COMMANDS[train].endswith("block")


@pytest.mark.parametrize("line", of_kind["snakemake"])
def test_a_build_on_a_cluster_is_one_that_snakemake_understands(line):
    from snakemake.cli import get_argument_parser

    given = get_argument_parser(profiles=[]).parse_args(shlex.split(line)[1:])
    assert (REPOSITORY / given.workflow_profile).is_dir()
    settings = dict(word.split("=") for word in given.config)
    assert set(settings) == {"profile", "data"}
    assert settings["profile"] in profile_names(REPOSITORY)


def test_what_is_installed_and_activated_is_there():
    for line in of_kind["source"]:
        assert shlex.split(line, comments=True) == ["source", ".venv/bin/activate"]
    assert "conda env create -f environment.yml" in of_kind["conda"]
    assert (REPOSITORY / "environment.yml").is_file()


def test_the_settings_of_a_training_that_the_page_prints_can_be_read(tmp_path):
    page = (REPOSITORY / "book" / "your_photographs.md").read_text()
    (block,) = [b for b in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL) if b.startswith("store:")]
    path = tmp_path / "my_training.yaml"
    path.write_text(block)
    assert read_plan(path).seeds == (0, 1, 2)
