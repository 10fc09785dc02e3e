"""The command for a technician: assess photographs with a trained model."""

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from riqa.errors import InputError
from riqa.names import shown
from riqa.terminal import console, json_text, stopping

app = typer.Typer()


@app.command()
def assess(
    model: Annotated[
        Path, typer.Argument(metavar="MODEL", help="A trained model: one of its files, or their common stem.")
    ],
    images: Annotated[
        list[Path],
        typer.Argument(metavar="IMAGE...", readable=False, help="Photographs, folders of them."),
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
    accept_phantoms: Annotated[
        bool,
        typer.Option("--accept-phantoms", help="No warning with a model that was trained on phantoms."),
    ] = False,
) -> None:
    """Judge photographs: overall quality, what is wrong, what to do.

    No answer is given where there is no fundus, nor for photographs unlike those that the model learned from.
    A model that has learned from phantoms says so with every photograph.
    Exit codes: 0 all assessed, 1 some files could not be read, 2 nothing could be assessed.

    Example: riqa assess models/multi_task-eyeq-s0 photographs/ --html assessment.html
    """
    from riqa.assess.answers import Answer
    from riqa.assess.page import card, write_page
    from riqa.assess.session import answers, open_session
    from riqa.assess.table import answers_table, summary
    from riqa.learn.memory import keep_freed_memory

    if html is not None and html.is_dir():
        raise InputError(f"{html} is a folder; give --html a file, such as {html / 'assessment.html'}")
    keep_freed_memory()  # every batch asks for the same large arrays again
    with stopping("What is printed holds; no page was written."):
        session = open_session(model, images, accept_phantoms=accept_phantoms)
        for note in session.notes:
            print(f"riqa: {shown(note)}", file=sys.stderr)
        done, cards, unreadable, notes = [], [], [*session.empty], dict.fromkeys(session.notes)
        notes |= {session.warning: None} if session.warning else {}
        try:
            for answer in answers(session, batch_size=batch_size, threads=threads, quantile=quantile):
                if not isinstance(answer, Answer):
                    unreadable.append(answer)
                    continue
                if as_json:
                    _print_line(json_text(answer.to_json()))
                if html is not None:
                    made, note = card(session.model, answer, picture=len(cards) < pictures)
                    cards.append(made)
                    notes |= {note: None} if note else {}
                done.append(answer.without_crop())
        finally:
            if done and not as_json:
                console().print(answers_table(done))
        if not done:
            first = f"{unreadable[0].path}: {unreadable[0].reason}"
            raise InputError(f"none of {len(unreadable)} files can be read, e.g. {first}")
        counts = summary(done, unreadable, session.passed)
        if html is not None:
            facts = {"model_name": session.name, "summary": counts, "notes": list(notes)}
            write_page(html, cards, unreadable, most_pictures=pictures, **facts)
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
