"""Verdicts on claims: evidence found among the chapters' records, judged by rules stated beforehand.

A claim (`Claim`) has parts, a part (`Part`) says which records bear on it and by which rule they are judged,
a record so judged is `Evidence`. Nothing is measured here.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from riqa.evaluate.equivalence import margin_verdict
from riqa.evaluate.pairs import holm
from riqa.evaluate.stats import Interval
from riqa.labels import DETAILS
from riqa.report.results import Result, record
from riqa.report.style import model_name

RULES = ("better", "no_worse", "count")
FINDINGS = ("for", "against", "undecided")
VERDICTS = {
    "supported": "every question that the claim needs was answered in its favour",
    "supported in part": "some questions were answered in its favour, none against it, and some are open",
    "undecided": "no question could be answered with these data",
    "mixed": "some questions were answered in its favour, others against it",
    "contradicted in part": "some questions were answered against it, none in its favour, and some are open",
    "contradicted": "every question that the claim needs was answered against it",
    "no number here": "this build has no number that bears on it",
}


@dataclass(frozen=True)
class Part:
    """A question that one kind of record answers, and the rule that says how."""

    key: str  # short name
    title: str  # heads the part in tables and figures
    chapter: str  # stem of the notebook whose results.json holds the records
    pattern: str  # a record's name, with placeholders: "overall.{set}.multi_task-{rival}.macro_f1"
    label: str  # what is compared, with the same placeholders
    rule: str  # one of RULES
    margin: float  # smallest gain worth the name ("better"), largest loss that does not matter ("no_worse")
    group: str = ""  # evidence of one group is one answer, and all must hold; "": each alone
    group_size: int = 1  # pieces of evidence that a group needs to be for the claim
    reference: float = 0.0  # subtracted from value and interval; for "count" the number claimed

    def __post_init__(self) -> None:
        """Refuse a rule that there is not, and a margin that is none."""
        if self.rule not in RULES:
            raise ValueError(f"rule must be one of {', '.join(RULES)}, got {self.rule!r}")
        if not self.margin > 0:
            raise ValueError(f"margin must be above 0, got {self.margin!r}")


@dataclass(frozen=True)
class Evidence:
    """One record, as a difference that ought to be above 0 (or not far below), and what it says."""

    part: Part
    name: str  # the record's name
    label: str
    group: str
    value: float
    low: float | None
    high: float | None
    n: int | None  # images
    p_value: float | None = None  # two-sided, of no difference; None: its chapter has none
    p_holm: float | None = None  # corrected over the family
    finding: str = "undecided"
    seeds: tuple[int, ...] = ()  # of the models that it is a mean over


@dataclass(frozen=True)
class Claim:
    """What the paper says, and the parts by which this build weighs it."""

    key: str
    title: str
    words: str  # the paper's own
    where: str  # section
    paper: str  # the paper's numbers, with table
    parts: tuple[str, ...]  # keys of parts
    settle: str  # what a reader can do to settle it


def find(part: Part, records: Mapping[str, Result]) -> list[Evidence]:
    """Collect the records that bear on a part, not judged yet, in the order of the file.

    The placeholder `{detail}` stands for the three details, `{rival}` for the two models without details, any
    other for a word without dot and hyphen.
    A record without value or interval is no evidence: it says that this build has no such number. A count
    needs no interval.
    """
    texts = re.split(r"\{(\w+)\}", part.pattern)
    values = {"detail": "|".join(DETAILS), "rival": "single_task|single_task_control"}
    expression = "".join(
        f"(?P<{text}>{values.get(text, '[^.-]+')})" if i % 2 else re.escape(text)
        for i, text in enumerate(texts)
    )
    found = []
    for name, item in records.items():
        match = re.fullmatch(expression, name)
        ends = (item.low, item.high)
        if match is None or item.value is None or (part.rule != "count" and None in ends):
            continue
        names = {key: model_name(value) for key, value in match.groupdict().items()}
        if names.get("set", "").endswith("_by_eye"):  # the same images, joined to eyes: not new evidence
            continue
        low, high = (None if end is None else end - part.reference for end in ends)
        p_value = records.get(f"{name}.p_value")
        found.append(
            Evidence(
                part=part,
                name=name,
                label=part.label.format(**names),
                group=f"{part.key}: {part.group.format(**names) or name}",
                value=item.value - part.reference,
                low=low,
                high=high,
                n=item.n,
                p_value=None if p_value is None or part.rule != "better" else p_value.value,
                seeds=tuple(item.seeds),
            )
        )
    return found


def finding(item: Evidence, *, alpha: float = 0.05, least_images: int = 20) -> str:
    """Judge one piece of evidence by its part's rule.

    - fewer than `least_images` images decide nothing;
    - *better*: for, if the interval lies above 0 and Holm's p-value (where there is one) is below alpha;
      against, if it lies below the margin, so that a gain worth the name is excluded;
    - *no worse*: for, if the interval lies above minus the margin; against, if it lies below it;
    - *count*: for, if the number that the paper states is reached.

    Returns:
        One of `FINDINGS`.
    """
    if item.part.rule == "count":
        return "for" if item.value >= 0 else "undecided"
    if item.n is not None and item.n < least_images:
        return "undecided"
    if item.part.rule == "better":
        survives = item.p_holm is None or item.p_holm < alpha
        if item.low > 0 and survives:
            return "for"
        return "against" if item.high < item.part.margin else "undecided"
    if margin_verdict(Interval(item.value, item.low, item.high), item.part.margin).non_inferior:
        return "for"
    return "against" if item.high < -item.part.margin else "undecided"


def weigh(
    parts: Iterable[Part],
    chapters: Mapping[str, Mapping[str, Result]],
    *,
    alpha: float = 0.05,
    least_images: int = 20,
) -> dict[str, list[Evidence]]:
    """Find and judge the evidence of all parts; Holm's family is every p-value found among them.

    Args:
        parts: The questions.
        chapters: stem of a notebook -> name -> record; a chapter that is not there has no evidence.
        alpha: Level of the tests after correction, in (0, 1).
        least_images: With fewer images an interval decides nothing.

    Returns:
        key of the part -> judged evidence; an empty list where this build has no such number.
    """
    found = {part.key: find(part, chapters.get(part.chapter, {})) for part in parts}
    family = [item for items in found.values() for item in items if item.p_value is not None]
    corrected = holm(np.array([item.p_value for item in family]))
    by_name = {item.name: float(p) for item, p in zip(family, corrected, strict=True)}
    return {
        key: [_judged(replace(item, p_holm=by_name.get(item.name)), alpha, least_images) for item in items]
        for key, items in found.items()
    }


def _judged(item: Evidence, alpha: float, least_images: int) -> Evidence:
    return replace(item, finding=finding(item, alpha=alpha, least_images=least_images))


def answers(items: Iterable[Evidence]) -> dict[str, str]:
    """Join evidence by group: against if any is, for if all is and none is missing, else undecided."""
    groups: dict[str, list[Evidence]] = {}
    for item in items:
        groups.setdefault(item.group, []).append(item)
    given = {}
    for group, members in groups.items():
        found = {item.finding for item in members}
        complete = len(members) >= members[0].part.group_size
        given[group] = "against" if "against" in found else "undecided"
        if found == {"for"} and complete:
            given[group] = "for"
    return given


def verdict(parts: Sequence[str], evidence: Mapping[str, Sequence[Evidence]]) -> str:
    """Give the verdict on a claim, one of `VERDICTS`.

    Args:
        parts: Keys of the parts that the claim needs.
        evidence: As `weigh` returns it. A part without evidence counts as an open question, unless all are.
    """
    found = [set(answers(evidence[key]).values()) or {"undecided"} for key in parts]
    if not any(evidence[key] for key in parts):
        return "no number here"
    match set().union(*found):
        case answered if {"for", "against"} <= answered:
            return "mixed"
        case answered if "for" in answered:
            return "supported" if answered == {"for"} else "supported in part"
        case answered if "against" in answered:
            return "contradicted" if answered == {"against"} else "contradicted in part"
    return "undecided"


def claim_records(claims: Iterable[Claim], evidence: Mapping[str, Sequence[Evidence]]) -> list[Result]:
    """Make the records ``claims.<claim>.for``, ``.against``, ``.undecided`` (answers), and Holm's p-values.

    The verdict is the method of the three. Holm's p-values are ``claims.p_holm.<record>``.
    """
    results = []
    for claim in claims:
        own = [item for key in claim.parts for item in evidence[key]]
        given = list(answers(own).values())
        told = {
            "method": f"answers; verdict: {verdict(claim.parts, evidence)}",
            "seeds": sorted({seed for item in own for seed in item.seeds}),
        }
        results += [record(f"claims.{claim.key}.{word}", given.count(word), **told) for word in FINDINGS]
    items = [item for part in evidence.values() for item in part if item.p_holm is not None]
    method = f"Holm over {len(items)} tests"
    return results + [
        record(f"claims.p_holm.{i.name}", i.p_holm, n=i.n, seeds=i.seeds, method=method) for i in items
    ]
