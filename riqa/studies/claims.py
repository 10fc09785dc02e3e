"""Verdicts on the paper's claims: rows of results found, judged by rules stated beforehand, and joined.

Nothing is measured here. The claims, and which rows bear on them, are in `riqa.paper` (`claims.yaml`).
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from riqa.paper import quoted
from riqa.results import KEYS as ALL_KEYS
from riqa.results import holm, tidy
from riqa.show import name, typeset

KEYS = [key for key in ALL_KEYS if key != "chapter"]
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


def find(table: pd.DataFrame, parts: pd.DataFrame, margins: Mapping[str, float]) -> pd.DataFrame:
    """Find the rows that bear on the claims, not judged yet.

    A row without value or interval is no evidence: it says that a build has no such number. A count needs no
    interval. Only gains have a p-value here.

    Args:
        table: Rows of results of all chapters.
        parts: The questions, as `riqa.paper.parts` reads them.
        margins: Name of a margin -> difference that would matter, above 0.

    Returns:
        Rows of results with the reference subtracted, and part, title, rule, margin, at_least, label, and
        `answer`: rows with the same are one answer.

    Raises:
        ValueError: If a margin is not above 0.
    """
    if not all(margin > 0 for margin in margins.values()):
        raise ValueError(f"margins must be above 0, got {dict(margins)}")
    found = []
    for key, part in parts.iterrows():
        own = quoted(table, key).dropna(subset="value")
        own = own if part["rule"] == "count" else own.dropna(subset=["low", "high"])
        own = own.assign(part=key, margin=margins[part["margin"]], **part[["title", "rule", "at_least"]])
        own[["value", "low", "high"]] -= part["reference"]
        own["p"] = own["p"].where(own["rule"] == "better")
        told = [{column: name(value) for column, value in row.items()} for _, row in own[KEYS].iterrows()]
        own["label"] = [part["label"].format(**row) for row in told]
        together = own[part["one_answer"] or KEYS].itertuples(index=False)
        own["answer"] = [", ".join([key, *values]) for values in together]
        found.append(own)
    return pd.concat(found, ignore_index=True)


def judge(evidence: pd.DataFrame, *, alpha: float = 0.05, least_images: int = 20) -> pd.DataFrame:
    """Judge each row by its rule; Holm's family is every p-value found.

    - fewer than `least_images` images decide nothing;
    - *better*: for, if the interval lies above 0 and Holm's p-value (where there is one) is below alpha;
      against, if it lies below the margin, so that a gain worth the name is excluded;
    - *no_worse*: for, if the interval lies above minus the margin; against, if it lies below it;
    - *count*: for, if the number that the paper states is reached.

    Returns:
        The evidence with `holm` and `finding`.
    """
    tested = evidence[evidence["p"].notna()]
    corrected = holm(tested, "rule") if len(tested) else np.nan
    evidence = evidence.assign(holm=corrected)
    value, low, high, margin = (evidence[key] for key in ("value", "low", "high", "margin"))
    gain, no_loss, count = (evidence["rule"] == rule for rule in ("better", "no_worse", "count"))
    few = (evidence["n"] < least_images).fillna(False).astype(bool)
    survives = evidence["holm"].isna() | (evidence["holm"] < alpha)
    when = [
        count & (value >= 0), count | few,
        gain & (low > 0) & survives, gain & (high < margin),
        no_loss & (low > -margin), no_loss & (high < -margin),
    ]  # fmt: skip
    says = ["for", "undecided", "for", "against", "for", "against"]
    return evidence.assign(finding=np.select(when, says, default="undecided"))


def answers(evidence: pd.DataFrame) -> pd.DataFrame:
    """Join evidence: against if any is, for if all is and none is missing, else undecided.

    Returns:
        One row per answer: part, answer, finding.
    """
    by, finding = ["part", "answer"], evidence["finding"]
    joined = evidence.assign(against=finding == "against", agreed=finding == "for", members=1)
    how = {"against": "any", "agreed": "all", "members": "sum", "at_least": "first"}
    joined = joined.groupby(by, sort=False, as_index=False).agg(how)
    complete = joined["agreed"] & (joined["members"] >= joined["at_least"])
    finding = np.select([joined["against"], complete], ["against", "for"], default="undecided")
    return joined[by].assign(finding=finding)


def verdict(findings: Iterable[str]) -> str:
    """Give the verdict, one of `VERDICTS`, on a claim with these answers; none: no number here."""
    found = set(findings)
    if not found:
        return "no number here"
    if {"for", "against"} <= found:
        return "mixed"
    in_part = " in part" if "undecided" in found else ""
    if "for" in found:
        return "supported" + in_part
    return "contradicted" + in_part if "against" in found else "undecided"


def weigh(claims: pd.DataFrame, evidence: pd.DataFrame) -> pd.DataFrame:
    """Weigh each claim: its numbers of answers by finding, and the verdict.

    A part without evidence counts as an open question, unless all parts are without.
    """
    given, weighed = answers(evidence), {}
    for key, needed in claims["parts"].items():
        own = given[given["part"].isin(needed)]
        missing = len(own) > 0 and set(needed) > set(own["part"])
        counts = {finding: int((own["finding"] == finding).sum()) for finding in FINDINGS}
        weighed[key] = counts | {"verdict": verdict([*own["finding"], *["undecided"] * missing])}
    return pd.DataFrame(weighed).T


def counted(told: pd.Series) -> str:
    """Say how many answers are for, against and undecided, from their numbers by finding."""
    return ", ".join(f"{told[finding]} {finding}" for finding in FINDINGS if told[finding]) or "none"


def conclude(claim: pd.Series, evidence: pd.DataFrame, parts: pd.DataFrame) -> str:
    """Say the verdict on a claim, the answers by part, and what could be hidden where a question is open.

    Args:
        claim: A row of `riqa.paper.claims`.
        evidence: What `judge` returns.
        parts: The questions, as `riqa.paper.parts` reads them.

    Returns:
        Markdown.
    """
    word = weigh(claim.to_frame().T, evidence)["verdict"].item()
    lines, given = [f"**Verdict: {word}** ({VERDICTS[word]}).", ""], answers(evidence)
    for part in claim["parts"]:
        own = evidence[evidence["part"] == part]
        told = given.loc[given["part"] == part, "finding"].value_counts()
        told = counted(told.reindex(FINDINGS, fill_value=0)) if len(own) else "this build has no such number"
        left = own[(own["finding"] == "undecided") & own["low"].notna()]
        if len(left):
            gain = parts.loc[part, "rule"] == "better"
            far, way = (left["high"].max(), "up") if gain else (left["low"].min(), "down")
            told += typeset(f"; where it is open, the interval reaches {way} to {far:+.3f}")
        lines.append(f"- *{parts.loc[part, 'title']}*: {told}.")
    return "\n".join([*lines, "", f"**To settle it:** {claim['settle']}"])


def rows_of(claims: pd.DataFrame, evidence: pd.DataFrame) -> pd.DataFrame:
    """Return rows: answers of each claim by finding, its verdict (the group), and Holm's p-values."""
    found = []
    for key, told in weigh(claims, evidence).iterrows():
        own = evidence[evidence["part"].isin(claims.loc[key, "parts"])]
        seeds = sorted(set().union(*own["seeds"]))
        found += [("answers", key, finding, told[finding], seeds) for finding in FINDINGS]
        found.append(("verdict", key, told["verdict"], 1, seeds))
    judged = pd.DataFrame(found, columns=["metric", "target", "group", "value", "seeds"])
    tested = evidence[evidence["holm"].notna()]
    tested = tested[[*KEYS, "n", "seeds"]].assign(value=tested["holm"], method="holm")
    return pd.concat([tidy(judged, method="judged"), tidy(tested)], ignore_index=True)
