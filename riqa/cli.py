"""The book that runs: retinal image quality assessment, reproduced.

[bold]The book.[/bold] Each chapter is a notebook. A build runs the chapters that
have to run, and renders the pages.

    riqa book             profile quick: no download, a few minutes
    riqa serve            read it at http://localhost:8000
    riqa profiles         other data and sizes, such as:
    riqa book --profile eyeq_thumbs --data FOLDER

[bold]Your own question.[/bold] See what a chapter lets you change, change it, and
compare the pages.

    riqa chapters         the chapters, and what each needs
    riqa chapters 05      its parameters: type, default, meaning, legal values
    riqa run 05 -p lambda_details=0.5

A run reads the artifacts of the profile's last build, never changes
them, and writes into a folder of its own.

[bold]Your own data.[/bold] Get a dataset or describe your own, learn what is wrong
with it, and turn it into a store of cropped images.

    riqa fetch            what can be downloaded
    riqa fetch deepdrid --to data/deepdrid
    riqa check deepdrid --root data/deepdrid
    riqa curate deepdrid --root data/deepdrid --out stores/deepdrid --size 256

[bold]Your own models.[/bold] Train on a store, with settings of your own.

    riqa train --config my_training.yaml

[bold]Your own photographs.[/bold] Ask a trained model what is wrong with them.

    riqa assess MODEL photographs/ --html assessment.html

Exit codes: 0 done; 1 failed, or warnings under check --strict, or files that
assess could not read; 2 the input cannot be used, one line says why; 130 stopped.
"""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from riqa import cli_assess, cli_data, cli_train
from riqa.errors import BuildError, InputError
from riqa.names import shown
from riqa.publish.layout import Build, find_root
from riqa.terminal import console, escape_what_cannot_be_encoded, stopping

looks = {"rich_markup_mode": "rich", "pretty_exceptions_enable": False}
app = typer.Typer(help=__doc__, no_args_is_help=True, add_completion=False, **looks)
for room in (cli_data, cli_train, cli_assess):
    app.add_typer(room.app)

ProfileOption = Annotated[str, typer.Option("--profile", help="A file of profiles/, without .yaml.")]


@app.command()
def book(
    profile: ProfileOption = "quick",
    data: Annotated[str, typer.Option(help="Folder with the photographs, for profiles that need one.")] = "",
    jobs: Annotated[
        int, typer.Option(min=1, help="Chapters, and processes in them, that run side by side.")
    ] = 3,
    parts: Annotated[str, typer.Option(help="The last part of the book to build, or all.")] = "1",
) -> None:
    """Build the book: run what has to run, render the pages.

    Nothing is done twice: a chapter runs again only when its notebook, a module that it uses, a parameter or
    what it reads has changed. A stopped or killed build goes on where it was.

    Example: riqa book --profile smoke --jobs 4
    """
    from riqa.publish.build import build_book

    root = find_root()
    if data and not Path(data).is_absolute() and Path.cwd() != root:
        data = os.path.relpath(data, root)
    os.chdir(root)
    with stopping("What is done is kept; the same command goes on."):
        build_book(Build(root, profile), data, jobs, parts)


@app.command()
def run(
    chapter: Annotated[str, typer.Argument(help="A chapter: its name or number, such as 05.")],
    profile: ProfileOption = "quick",
    parameters: Annotated[
        list[str] | None,
        typer.Option("--parameter", "-p", metavar="NAME=VALUE", help="Another value; may be given again."),
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for the run; by default a new one.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Processes that the chapter may use side by side.")] = 2,
) -> None:
    """Run one chapter again with other parameters.

    It reads the artifacts of the profile's last build, and writes the executed notebook, its artifacts and an
    HTML page. Example: riqa run 05 -p lambda_details=0.5 -p "seeds=[0, 1]"
    """
    from riqa.publish.parameters import parse_assignment
    from riqa.publish.rerun import rerun_chapter

    given = dict(parse_assignment(text) for text in parameters or [])
    root = find_root()
    target = out.resolve() if out else None
    os.chdir(root)
    with stopping("The run is incomplete."):
        rerun_chapter(Build(root, profile), chapter, given, target, jobs)


@app.command()
def chapters(
    chapter: Annotated[str | None, typer.Argument(help="A chapter, to list its parameters.")] = None,
    profile: ProfileOption = "quick",
) -> None:
    """List the chapters, or the parameters of one.

    Example: riqa chapters 05 --profile paper
    """
    from riqa.publish.chapters import find_chapter, read_chapters
    from riqa.publish.parameters import declared_parameters
    from riqa.publish.plan import resolve_parameters
    from riqa.publish.profiles import read_profile
    from riqa.publish.progress import duration

    root = find_root()
    known = read_chapters(root)
    if chapter is None:
        table = Table("chapter", "needs", "last run", box=None)
        for name, entry in known.items():
            facts = Build(root, profile).facts(name)
            took = f"{facts['date']}, {duration(facts['seconds'])}" if facts else "not yet"
            table.add_row(name, ", ".join(need[:2] for need in entry.needs), f"{profile}: {took}")
    else:
        found = find_chapter(known, chapter)
        declared = declared_parameters(found.notebook)
        values = resolve_parameters(read_profile(root, profile), found.name, declared, {})
        columns = ("parameter", "type", "default", profile, "meaning", "legal")
        table = Table(*columns, box=None, title=found.name, title_justify="left")
        for name, one in declared.items():
            given = repr(values[name]) if name in values else ""
            table.add_row(name, one.type, repr(one.default), given, one.meaning, one.legal.text)
    console().print(table)


@app.command()
def profiles() -> None:
    """List the profiles and the data that they need.

    Example: riqa profiles
    """
    from riqa.publish.profiles import profile_names, read_profile

    root = find_root()
    table = Table("profile", "DATA", "what it is", box=None)
    for name in profile_names(root):
        profile = read_profile(root, name)
        table.add_row(name, profile.data, profile.description)
    console().print(table)


@app.command()
def serve(
    profile: ProfileOption = "quick",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine.")] = 8000,
) -> None:
    """Serve the built book, to this machine only.

    Example: riqa serve --port 8080
    """
    from riqa.publish.pages import serve_book

    serve_book(Build(find_root(), profile), port)


def main(arguments: list[str] | None = None) -> None:
    """Run the command line and exit: 0 done, 1 failed, 2 input that cannot be used, 130 stopped."""
    escape_what_cannot_be_encoded()
    try:
        app(args=arguments, prog_name="riqa")
    except (BuildError, InputError) as error:
        status, why = 2 if isinstance(error, InputError) else 1, error
    except OSError as error:
        if error.filename is None:
            raise
        name = os.fsdecode(error.filename) if isinstance(error.filename, bytes) else error.filename
        status, why = 2, f"{shown(name)} cannot be used ({error.strerror}); name another file or folder"
    print(f"riqa: {why}", file=sys.stderr)
    sys.exit(status)


if __name__ == "__main__":
    main()
