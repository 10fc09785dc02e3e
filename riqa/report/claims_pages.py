"""Claims for a page: the overview, the evidence of one claim, and what counts alone can say."""

import re
from collections.abc import Iterable, Mapping, Sequence

import pandas as pd
from pandas.io.formats.style import Styler

from riqa.report.claims import FINDINGS, VERDICTS, Claim, Evidence, Part, answers, verdict
from riqa.report.figures import p_text
from riqa.report.results import Result
from riqa.report.tables import page_table

Weighed = Mapping[str, Sequence[Evidence]]


def overview(claims: Iterable[Claim], parts: Mapping[str, Part], evidence: Weighed) -> str:
    """Return the table of all claims as Markdown: claim, answers, verdict, chapters with links."""
    lines = ["| claim | answers of this build | verdict | chapters |", "|---|---|---|---|"]
    for claim in claims:
        chapters = dict.fromkeys(parts[key].chapter for key in claim.parts)
        links = ", ".join(f"[{name[:2]}]({name}.ipynb)" for name in chapters)
        said = counted(item for key in claim.parts for item in evidence[key])
        lines.append(f"| {claim.title} | {said} | **{verdict(claim.parts, evidence)}** | {links} |")
    return "\n".join(lines)


def counted(items: Iterable[Evidence]) -> str:
    """Say how many answers are for, against and undecided; a group of evidence is one answer."""
    given = list(answers(items).values())
    words = [f"{given.count(word)} {word}" for word in FINDINGS if word in given]
    return ", ".join(words) or "none"


def quotation(claim: Claim) -> str:
    """Return the paper's words and numbers as Markdown."""
    return f"> {claim.words}\n>\n> — {claim.where}\n\n**The paper's numbers:** {claim.paper}."


def conclusion(claim: Claim, parts: Mapping[str, Part], evidence: Weighed) -> str:
    """Return verdict, answers by part, what could have stayed hidden, and how to settle it, as Markdown."""
    word = verdict(claim.parts, evidence)
    lines = [f"**Verdict: {word}** ({VERDICTS[word]}).", ""]
    for key in claim.parts:
        if evidence[key]:
            text = f"{counted(evidence[key])}{_hidden(parts[key], evidence[key])}"
        else:
            text = "this build has no such number"
        lines.append(f"- *{parts[key].title}*: {text}.")
    return "\n".join([*lines, "", f"**To settle it:** {claim.settle}"])


def evidence_for_page(items: Iterable[Evidence], caption: str) -> Styler:
    """Show evidence: a row a comparison, below its question, with interval, margin, p-value and finding."""
    rows, asked = [], None
    for item in items:
        if item.part != asked:
            asked = item.part
            rows.append({"comparison": f"<b>{asked.title}</b>"})
        difference = f"{item.value:+g}"
        if item.low is not None:
            ends = f'<small style="white-space: nowrap">{item.low:+.3f} to {item.high:+.3f}</small>'
            difference = f"{item.value:+.3f}<br>{ends}"
        rows.append(
            {
                "comparison": item.label,
                "difference": difference,
                "margin": _margin(item.part),
                "images": "–" if item.n is None else str(item.n),
                "p, Holm": "–" if item.p_holm is None else p_text(item.p_holm).removeprefix("p = "),
                "finding": item.finding,
            }
        )
    return page_table(pd.DataFrame(rows).fillna(""), caption, index=False)


def kind_of_data(evidence: Weighed) -> str:
    """Say in Markdown what the verdicts of this build are about: phantoms, real photographs, or both."""
    made = {bool(re.search("phantom|simulated", i.name)) for items in evidence.values() for i in items}
    if not made:
        return "This build has no evidence at all."
    if made == {True}:
        return (
            "All evidence of this build comes from {term}`phantoms <phantom>` or drawn defects. **The "
            "verdicts are "
            "about the method under known conditions**, and not about the paper's numbers or about "
            "patients."
        )
    if made == {False}:
        return "All evidence of this build comes from real photographs."
    return (
        "Some evidence of this build comes from {term}`phantoms <phantom>` or drawn defects, some from "
        "real "
        "photographs; the name of the set says which. A verdict on the former is about the method under "
        "known "
        "conditions."
    )


def label_economy(
    curation: Mapping[str, Result], overall: Mapping[str, Result], details: Mapping[str, Result]
) -> str:
    """Say how many training photographs experts have labelled, and how many the Teacher.

    Args:
        curation: Records of chapter 01.
        overall: Records of chapter 06, which name the Students' sets.
        details: Records of chapter 07, which name the Teacher's.
    """

    def sizes(records: Mapping[str, Result], pattern: str) -> list[str]:
        names = [match[1] for name in records if (match := re.fullmatch(pattern, name))]
        counts = {name: curation.get(f"curation.{name}.train.count") for name in names}
        return [f"{item.value:,.0f} of *{name}*" for name, item in counts.items() if item and item.value]

    human = sizes(details, r"details\.([^.]+)\.teacher\.macro_f1")
    pseudo = sizes(overall, r"overall\.([^.]+)\.multi_task\.macro_f1")
    return (
        f"Training photographs whose details experts have labelled: {', '.join(human) or 'not known'}. "
        f"Labelled by the Teacher instead: {', '.join(pseudo) or 'not known'}."
    )


def flips(explanations: Mapping[str, Result]) -> str:
    """Say, a set a line, how many predictions the Student corrects and how many it spoils (chapter 09)."""
    totals: dict[str, dict[str, float]] = {}
    for name, item in explanations.items():
        match = re.fullmatch(
            r"explanations\.([^.]+)\.flips\.overall\.\w+\.(wrong_to_right|right_to_wrong)", name
        )
        if match and item.value is not None:
            ways = totals.setdefault(match[1], {"wrong_to_right": 0.0, "right_to_wrong": 0.0})
            ways[match[2]] += item.value
    if not totals:
        return "This build has not counted who changed their mind."
    return "Test images, mean over seeds:\n\n" + "\n".join(
        f"- *{name}*: wrong made right {ways['wrong_to_right']:g}, right made wrong "
        f"{ways['right_to_wrong']:g} "
        "(test images, mean over seeds)"
        for name, ways in totals.items()
    )


def uncorrected(evidence: Weighed) -> tuple[int, float]:
    """Count the gains judged by an interval alone, and how many of these chance would put above 0."""
    items = [i for part in evidence.values() for i in part if i.part.rule == "better" and i.p_holm is None]
    return len(items), 0.025 * len(items)


def _margin(part: Part) -> str:
    if part.rule == "count":
        return "–"
    return f"{'+' if part.rule == 'better' else '-'}{part.margin:g}"


def _hidden(part: Part, items: Sequence[Evidence]) -> str:
    open_ones = [item for item in items if item.finding == "undecided" and item.low is not None]
    if not open_ones:
        return ""
    if part.rule == "better":
        return f"; the open ones could hide a gain of up to {max(0, *(i.high for i in open_ones)):.3f}"
    return f"; the open ones could hide a loss of up to {max(0, *(-i.low for i in open_ones)):.3f}"
