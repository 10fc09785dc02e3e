"""Answers as a table on the terminal, and what they come to."""

from collections import Counter
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from riqa.assess.advice import BAD_BELOW
from riqa.assess.answers import Answer
from riqa.assess.photographs import Unreadable
from riqa.labels import DETAILS

_STYLES = {"reject": "red", "bad": "red", "usable": "yellow", "good": "green"}


def answers_table(answers: Sequence[Answer]) -> Table:
    """Lay answers out, a row a photograph; details show their probability of good, and whether it is bad."""
    judged = [detail for detail in DETAILS if any(detail in answer.details for answer in answers)]
    has_overall = any(answer.overall for answer in answers)
    table = Table(box=None, pad_edge=False)
    table.add_column("photograph", overflow="fold")
    for name in ["overall"] * has_overall + judged:
        table.add_column(name, no_wrap=True)
    table.add_column("advice", ratio=1)
    for answer in answers:
        cells = [Text(str(answer.path))]
        if has_overall:
            cells.append(_overall(answer))
        cells += [_detail(answer, detail) for detail in judged]
        said = [f"no answer: {answer.reason}"] if answer.abstains else []
        table.add_row(*cells, Text("\n".join([*said, *answer.advice])))
    return table


def summary(answers: Sequence[Answer], unreadable: Sequence[Unreadable]) -> str:
    """Count in one line, e.g. ``4 photographs: 1 good, 2 reject, 1 without answer; 1 could not be read``."""
    labels = [answer.label for answer in answers if answer.overall]
    counts = [f"{n} {label}" for label, n in sorted(Counter(labels).items())]
    details_only = sum(not answer.abstains and not answer.overall for answer in answers)
    counts += [f"{details_only} judged by details"] * bool(details_only)
    abstained = sum(answer.abstains for answer in answers)
    counts += [f"{abstained} without answer"] * bool(abstained)
    noun = "photograph" if len(answers) == 1 else "photographs"
    line = f"{len(answers)} {noun}: {', '.join(counts)}"
    return line + (f"; {len(unreadable)} could not be read" if unreadable else "")


def _overall(answer: Answer) -> Text:
    if answer.label is None:
        return Text("-")
    return Text(f"{answer.label} {answer.overall[answer.label]:.2f}", style=_STYLES[answer.label])


def _detail(answer: Answer, detail: str) -> Text:
    if detail not in answer.details:
        return Text("-")
    p_good = answer.details[detail]
    return Text(f"{p_good:.2f} bad", style="red") if p_good < BAD_BELOW else Text(f"{p_good:.2f}")
