"""The command for a technician, assess, and what it prints on the terminal."""

import os
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Group
from rich.table import Column, Table
from rich.text import Text

from riqa.assess.advice import BAD_BELOW
from riqa.errors import InputError
from riqa.labels import DETAILS
from riqa.names import shown
from riqa.terminal import console, json_text, stopping
from riqa.workers import work_ahead

app = typer.Typer()

_STYLES = {"reject": "red", "bad": "red", "usable": "yellow", "good": "green"}


@app.command()
def assess(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A trained model: one of its files, or their common stem.")
    ],
    images: Annotated[
        list[Path], typer.Argument(metavar="IMAGE...", readable=False, help="Photographs, folders of them.")
    ],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per photograph on stdout.")
    ] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page, too, with pictures and heat maps.")] = None,
    pictures: Annotated[int, typer.Option(min=0, help="Most photographs that the page shows.")] = 100,
    batch_size: Annotated[int, typer.Option(min=1, help="Photographs at a time in the network.")] = 32,
    threads: Annotated[int, typer.Option(min=1, help="Photographs that are read side by side.")] = 2,
    quantile: Annotated[
        float,
        typer.Option(min=0.5, max=1.0, help="Share of photographs like the model's own to count as such."),
    ] = 0.99,
    coverage: Annotated[
        float,
        typer.Option(min=0.01, max=1.0, help="Share to answer, the surest; set by validation photographs."),
    ] = 1.0,
    accept_phantoms: Annotated[
        bool, typer.Option("--accept-phantoms", help="No warning with a model that was trained on phantoms.")
    ] = False,
) -> None:
    """Judge photographs: overall quality, what is wrong, what to do.

    No answer is given where there is no fundus, nor for photographs unlike those that the model learned from.
    With --coverage 0.8, none where it is less sure than of the surest 80 % of its validation photographs.
    A model that has learned from phantoms says so with every photograph.
    Exit codes: 0 all assessed, 1 some files could not be read, 2 nothing could be assessed.

    Example: riqa assess models/multi_task-eyeq-s0 photographs/ --html assessment.html
    """
    from riqa.assess.answers import Unreadable, open_session, read_crop
    from riqa.assess.answers import assess as judge
    from riqa.assess.page import card, write_page
    from riqa.learn.device import keep_freed_memory
    from riqa.terminal import progress_bar

    if html is not None and html.is_dir():
        raise InputError(f"{html} is a folder; give --html a file, such as {html / 'assessment.html'}")
    keep_freed_memory()  # every batch asks for the same large arrays again
    with stopping("What is printed holds; no page was written."):
        session = open_session(model, images, accept_phantoms=accept_phantoms, coverage=coverage)
        for note in session.notes:
            print(f"riqa: {shown(note)}", file=sys.stderr)
        done, cards, unreadable = [], [], [*session.empty]
        read = partial(read_crop, size=session.model.architecture["image_size"])
        ahead = 2 * batch_size  # so that the network finds a full batch whenever it has done one
        photographs = work_ahead(read, session.paths, threads=threads, ahead=ahead)
        judged = judge(session, photographs, batch_size=batch_size, quantile=quantile)
        try:
            for answer in progress_bar(judged, total=len(session.paths), unit="image", desc="assess"):
                if isinstance(answer, Unreadable):
                    unreadable.append(answer)
                    continue
                if as_json:
                    _print_line(json_text(answer.to_json()))
                if html is not None:
                    cards.append(card(session.model, answer, picture=len(cards) < pictures))
                done.append(replace(answer, crop=None))  # thousands of crops would fill the memory
        finally:
            if done and not as_json:
                console().print(answers_table(done))
        if not done:
            first = f"{unreadable[0].path}: {unreadable[0].reason}"
            raise InputError(f"none of {len(unreadable)} files can be read, e.g. {first}")
        counts = summary(done, len(unreadable), session.passed)
        if html is not None:
            facts = {"model_name": session.name, "summary": counts, "most_pictures": pictures}
            notes = [*session.notes, *[session.warning] * bool(session.warning)]
            write_page(html, cards, notes, unreadable=unreadable, **facts)
        print(counts, file=sys.stderr)
        for file in unreadable:
            print(f"  {shown(file.path)}: {file.reason}", file=sys.stderr)
    raise typer.Exit(1 if unreadable else 0)


def _print_line(line: str) -> None:
    """Print a line whole, at once, beside the progress bar; end quietly when nobody reads any more."""
    from tqdm import tqdm

    try:
        with tqdm.external_write_mode(file=sys.stdout):
            sys.stdout.write(line + "\n")  # one write: stopped at any moment, no line is torn
            sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(1) from None


def answers_table(answers: Sequence) -> Group:
    """Lay answers out: one row per photograph, and below in full what the rows say in short.

    Overall shows the most probable class with its probability, details the probability of good. Paths are
    relative to the folder that holds all of them.
    """
    judged = [detail for detail in DETAILS if any(detail in answer.details for answer in answers)]
    has_overall = any(answer.overall for answer in answers)
    folders = [answer.path.parent for answer in answers]
    if len({folder.is_absolute() for folder in folders}) > 1:
        folders = [folder.absolute() for folder in folders]
    folder = os.path.commonpath(folders)  # empty if it is the current one
    first = Column("photograph", overflow="fold", min_width=12)
    columns = [Column(name, no_wrap=True) for name in ["overall"] * has_overall + judged]
    table = Table(first, *columns, "advice", box=None, pad_edge=False)
    for answer in answers:
        name = Text(shown(os.path.relpath(answer.path, folder) if folder else answer.path))
        cells = [_overall(answer)] * has_overall + [_detail(answer.details.get(detail)) for detail in judged]
        table.add_row(name, *cells, Text("\n".join(map(_matter, _said(answer)))))
    times = Counter(said for answer in answers for said in _said(answer))
    lines = [Text(f"{said} ({n})") for said, n in times.most_common()]
    # The folder has a line of its own, as a title would be broken where its table ends.
    where = [Text(shown(folder), style="dim", overflow="fold")] * bool(folder)
    return Group(*where, table, Text(), Text("In full (photographs):", style="bold"), *lines)


def summary(answers: Sequence, n_unreadable: int, passed: object = "") -> str:
    """Count in one line: ``3 photographs: 1 good, 1 reject, 1 without answer; 2 could not be read``.

    What was passed over, in words, and the answers' warning, in short, stand at its end.
    """
    labels = Counter(answer.label for answer in answers)
    abstained = sum(bool(answer.reason) for answer in answers)
    counts = [(labels[name], name) for name in ("good", "usable", "reject", "bad")]
    counts += [(labels[None] - abstained, "judged by details"), (abstained, "without answer")]
    line = f"{len(answers)} photograph{'s' * (len(answers) != 1)}: "
    line += ", ".join(f"{n} {what}" for n, what in counts if n)
    line += f"; {n_unreadable} could not be read" if n_unreadable else ""
    line += f"; passed over: {passed}" if str(passed) else ""
    warned = next((answer.warning for answer in answers if answer.warning), None)
    return line + (f"; {_matter(warned)}" if warned else "")


def _said(answer) -> list[str]:
    """Return all sentences about a photograph and about the model."""
    why = f"{answer.reason}; " if answer.reason else ""
    return [why + sentence for sentence in answer.advice] + [answer.warning] * bool(answer.warning)


def _matter(sentence: str) -> str:
    """Shorten a sentence to the problem; what to do follows after its colon."""
    return sentence.partition(":")[0].partition(";")[0]


def _overall(answer) -> Text:
    label = answer.label
    return Text(f"{label} {answer.overall[label]:.2f}", style=_STYLES[label]) if label else Text("-")


def _detail(p_good: float | None) -> Text:
    if p_good is None:
        return Text("-")
    return Text(f"{p_good:.2f} bad", style="red") if p_good < BAD_BELOW else Text(f"{p_good:.2f}")
