"""Answers as a table on the terminal, and their counts."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from rich.console import Group
from rich.table import Table
from rich.text import Text

from riqa.assess.advice import BAD_BELOW
from riqa.assess.answers import Answer
from riqa.assess.photographs import Unreadable
from riqa.labels import DETAILS
from riqa.names import shown

_STYLES = {"reject": "red", "bad": "red", "usable": "yellow", "good": "green"}


def answers_table(answers: Sequence[Answer]) -> Group:
    """Lay answers out: one row per photograph, and below in full what the rows say in short.

    Overall shows the most probable class with its probability, details the probability of good. Paths are
    relative to the folder that holds all of them.
    """
    judged = [detail for detail in DETAILS if any(detail in answer.details for answer in answers)]
    has_overall = any(answer.overall for answer in answers)
    folder = _common_folder([answer.path for answer in answers])
    table = Table(box=None, pad_edge=False)
    table.add_column("photograph", overflow="fold", min_width=12)
    for name in ["overall"] * has_overall + judged:
        table.add_column(name, no_wrap=True)
    table.add_column("advice")
    for answer in answers:
        cells = [Text(shown(os.path.relpath(answer.path, folder) if folder else answer.path))]
        cells += [_overall(answer)] * has_overall
        cells += [_detail(answer, detail) for detail in judged]
        table.add_row(*cells, Text("\n".join(_matter(said) for said in _said(answer))))
    times = Counter(said for answer in answers for said in _said(answer))
    lines = [Text(f"{said} ({n})") for said, n in times.most_common()]
    # The folder has a line of its own, as a title would be broken where its table ends.
    where = [Text(shown(folder), style="dim", overflow="fold")] * bool(folder)
    return Group(*where, table, Text(), Text("In full (photographs):", style="bold"), *lines)


def summary(answers: Sequence[Answer], unreadable: Sequence[Unreadable], passed: object = "") -> str:
    """Count in one line: ``3 photographs: 1 good, 1 reject, 1 without answer; 2 could not be read``.

    Warnings of the answers stand at its end, in short.

    Args:
        answers: Of the model.
        unreadable: Files that could not be read.
        passed: What was passed over, in words.
    """
    labels = Counter(answer.label for answer in answers if answer.overall)
    counts = [f"{labels[name]} {name}" for name in ("good", "usable", "reject", "bad") if labels[name]]
    details_only = sum(not answer.abstains and not answer.overall for answer in answers)
    counts += [f"{details_only} judged by details"] * bool(details_only)
    abstained = sum(answer.abstains for answer in answers)
    counts += [f"{abstained} without answer"] * bool(abstained)
    noun = "photograph" if len(answers) == 1 else "photographs"
    line = f"{len(answers)} {noun}: {', '.join(counts)}"
    line += f"; {len(unreadable)} could not be read" if unreadable else ""
    line += f"; passed over: {passed}" if str(passed) else ""
    warned = next((answer.warning for answer in answers if answer.warning), None)
    return line + (f"; {_matter(warned)}" if warned else "")


def _common_folder(paths: Sequence[Path]) -> str:
    """Return the folder that holds all files; empty if it is the current one."""
    folders = [path.parent for path in paths]
    if len({folder.is_absolute() for folder in folders}) > 1:
        folders = [folder.absolute() for folder in folders]
    try:
        return os.path.commonpath(folders)
    except ValueError:  # on two drives
        return ""


def _said(answer: Answer) -> list[str]:
    """Return all sentences about a photograph and about the model."""
    why = f"{answer.reason}; " if answer.abstains else ""
    return [why + sentence for sentence in answer.advice] + [answer.warning] * bool(answer.warning)


def _matter(sentence: str) -> str:
    """Shorten a sentence to the problem; what to do follows after its colon."""
    return sentence.partition(":")[0].partition(";")[0]


def _overall(answer: Answer) -> Text:
    if answer.label is None:
        return Text("-")
    return Text(f"{answer.label} {answer.overall[answer.label]:.2f}", style=_STYLES[answer.label])


def _detail(answer: Answer, detail: str) -> Text:
    if detail not in answer.details:
        return Text("-")
    p_good = answer.details[detail]
    return Text(f"{p_good:.2f} bad", style="red") if p_good < BAD_BELOW else Text(f"{p_good:.2f}")
