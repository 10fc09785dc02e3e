"""Verdicts on the paper's claims: rows of results found, judged by rules stated beforehand, and joined.

Nothing is measured here. The claims, and which rows bear on them, are in `riqa.paper` (`claims.yaml`).
"""

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from riqa.paper import answering
from riqa.results import KEYS as ALL_KEYS
from riqa.results import METHODS, holm, tidy
from riqa.show import name, number, p_text, typeset

KEYS = [key for key in ALL_KEYS if key != "chapter"]
GAINS = ("better", "above_floor")
"""Rules of parts that claim a gain."""
FINDINGS = ("for", "too small", "against", "undecided")
SIGNS = ("seen", "not seen", "not decided", "no number here")
VERDICTS = {
    "supported": "every question that the claim needs was answered in its favour",
    "supported in part": "some questions were answered in its favour, none against it, and some are open",
    "undecided": "no question could be answered with these data",
    "mixed": "some questions were answered in its favour, others against it or with too small a gain",
    "gain excluded in part": "where a question was answered, a gain worth the name is excluded; some open",
    "gain excluded": "every question that the claim needs was answered: a gain worth the name is excluded",
    "contradicted in part": "some questions were answered against it, none in its favour",
    "contradicted": "every question that the claim needs was answered against it",
    "no number here": "this build has no number that bears on it",
}


def find(table: pd.DataFrame, parts: pd.DataFrame, margins: Mapping[str, float]) -> pd.DataFrame:
    """Find the rows that bear on the claims, not judged yet, in the table of results of all chapters.

    A row without value or interval is no evidence: it says that a build has no such number. A count needs no
    interval. Only gains have a p-value here. A margin is a share of the way from noise to truth, so that it
    can be reached; it is missing where that way is not measured. Parts are the questions, as `riqa.paper`
    reads them; margins, by name, the differences that would matter.

    Returns:
        Rows of results with the reference subtracted (and the sign changed where the part is `turned`), and
        part, title, rule, margin, at_least, label, and `answer`: rows with the same are one answer.

    Raises:
        ValueError: If a margin is not above 0.
    """
    if not all(margin > 0 for margin in margins.values()):
        raise ValueError(f"margins must be above 0, got {dict(margins)}")
    found = []
    for key, part in parts.iterrows():
        own = answering(table, part).dropna(subset="value")
        own = own if part["rule"] == "count" else own.dropna(subset=["low", "high"])
        if own.empty and found:
            continue
        own = own.assign(part=key, **part[["title", "rule", "at_least"]])
        own["margin"] = margins[part["margin"]] * _reach(table, part, own)
        own[["value", "low", "high"]] -= part["reference"]
        if part["turned"]:
            own[["value", "low", "high"]] = -own[["value", "high", "low"]].to_numpy()
        own["p"] = own["p"].where(own["rule"].isin(GAINS))
        own["label"] = [part["label"].format(**row) for row in own[KEYS].map(name).to_dict("records")]
        together = own[part["one_answer"] or KEYS].itertuples(index=False)
        own["answer"] = [", ".join([key, *values]) for values in together]
        found.append(own)
    return pd.concat(found, ignore_index=True)


def _reach(table: pd.DataFrame, part: pd.Series, rows: pd.DataFrame) -> pd.Series:
    """Return the way from noise to truth (numbers, or queries for means by set and target) of each row."""
    ends, by = [], ["dataset", "target"]
    for end in part[["noise", "truth"]]:
        if isinstance(end, str):
            of_chapter = answering(table, {"chapter": part["chapter"], "query": end})
            end = rows[by].merge(of_chapter.groupby(by, as_index=False)["value"].mean(), how="left")
            end = end["value"].set_axis(rows.index)
        ends.append(end)
    reach = pd.Series(ends[1] - ends[0], rows.index, dtype=float)
    return reach.where(reach > 0)


def judge(evidence: pd.DataFrame, *, alpha: float = 0.05, least_images: int = 20) -> pd.DataFrame:
    """Judge each row by its rule; Holm's family is every p-value found.

    - fewer than `least_images` images decide nothing;
    - *better*: for, if the interval lies above 0 and Holm's p-value (where there is one) is below alpha;
      against, if it lies below 0; too small, if it lies below the margin: a gain worth the name is excluded;
    - *above_floor*: as *better*, but against as soon as the value itself lies below 0;
    - *no_worse*: for, if the interval lies above minus the margin; against, if it lies below it;
    - *count*: for, if the number that the paper states is reached.

    Returns:
        The evidence with `holm`, `finding`, and `few` (whether there are fewer than `least_images`).
    """
    tested = evidence[evidence["p"].notna()].assign(family="all")
    evidence = evidence.assign(holm=holm(tested, "family") if len(tested) else np.nan)
    value, low, high, margin = (evidence[key] for key in ("value", "low", "high", "margin"))
    floor, no_loss, count = (evidence["rule"] == rule for rule in ("above_floor", "no_worse", "count"))
    gain = evidence["rule"].isin(GAINS)
    few = (evidence["n"] < least_images).fillna(False).astype(bool)
    survives = evidence["holm"].isna() | (evidence["holm"] < alpha)
    when = [
        count & (value >= 0), count | few,
        gain & (low > 0) & survives, gain & (high < 0) | floor & (value < 0), gain & (high < margin),
        no_loss & (low > -margin), no_loss & (high < -margin),
    ]  # fmt: skip
    says = ["for", "undecided", "for", "against", "too small", "for", "against"]
    return evidence.assign(finding=np.select(when, says, default="undecided"), few=few)


def answers(evidence: pd.DataFrame) -> pd.DataFrame:
    """Join evidence: against if any is, else too small if any is, for if all is and none is missing.

    Returns:
        One row per answer: part, answer, finding.
    """
    by, joined = ["part", "answer"], []
    for keys, own in evidence.groupby(by, sort=False):
        given, complete = set(own["finding"]), len(own) >= own["at_least"].iloc[0]
        agreed = "for" if given == {"for"} and complete else "undecided"
        joined.append((*keys, next((word for word in ("against", "too small") if word in given), agreed)))
    return pd.DataFrame(joined, columns=[*by, "finding"])


def verdict(findings: Iterable[str]) -> str:
    """Give the verdict, one of `VERDICTS`, on a claim with these answers; none: no number here."""
    found = set(findings)
    if not found:
        return "no number here"
    if "for" in found and found & {"too small", "against"}:
        return "mixed"
    in_part = " in part" if len(found) > 1 else ""
    words = {"for": "supported", "against": "contradicted", "too small": "gain excluded"}
    return next((words[finding] + in_part for finding in words if finding in found), "undecided")


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


def signs(claims: pd.DataFrame, evidence: pd.DataFrame) -> pd.DataFrame:
    """Say whether failures are seen, of claims that they are absent (`riqa.paper`, `signatures.yaml`).

    A failure is seen if any answer is against its absence or finds the gain too small, not seen if every part
    is answered and every answer for it, and else not decided.

    Returns:
        One row per claim: `sign` (one of `SIGNS`), numbers of answers by finding, and of what speaks most for
        the failure (by finding, then by value in margins) label, rule, value, low, high, margin and chapter.
    """
    given = weigh(claims, evidence)[list(FINDINGS)].astype(int)
    rank = evidence["finding"].map({"against": 0, "too small": 1, "undecided": 2, "for": 3})
    ordered = evidence.assign(rank=rank, far=evidence["value"] / evidence["margin"])
    ordered, found = ordered.sort_values(["rank", "far"]), {}
    for key, needed in claims["parts"].items():
        own, told = ordered[ordered["part"].isin(needed)], given.loc[key]
        complete = told["undecided"] == 0 and set(needed) <= set(own["part"])
        sign = SIGNS[0 if told["against"] + told["too small"] else 1 if complete else 2]
        columns = ["label", "rule", "value", "low", "high", "margin", "chapter"]
        worst = own.iloc[0][columns].to_dict() if len(own) else {}
        found[key] = {"sign": sign if len(own) else SIGNS[3], **told, **worst}
    return pd.DataFrame(found).T


def counted(told: pd.Series) -> str:
    """Say how many answers are for, against and undecided, from their numbers by finding."""
    return ", ".join(f"{told[finding]} {finding}" for finding in FINDINGS if told[finding]) or "none"


def conclude(claim: pd.Series, evidence: pd.DataFrame, parts: pd.DataFrame, where: str = "Verdict") -> str:
    """Say the verdict on a claim, the answers by part, and what could be hidden where a question is open.

    Claim and parts are of `riqa.paper`, evidence is what `judge` returns, `where` introduces the Markdown.
    """
    word = weigh(claim.to_frame().T, evidence)["verdict"].item()
    lines, given = [f"**{where}: {word}** ({VERDICTS[word]}).", ""], answers(evidence)
    for part in claim["parts"]:
        own = evidence[evidence["part"] == part]
        told = given.loc[given["part"] == part, "finding"].value_counts()
        told = counted(told.reindex(FINDINGS, fill_value=0)) if len(own) else "this build has no such number"
        left = own[(own["finding"] == "undecided") & own["low"].notna()]
        if len(left):
            gain = parts.loc[part, "rule"] in GAINS
            far, way = (left["high"].max(), "up") if gain else (left["low"].min(), "down")
            told += typeset(f"; where it is open, the interval reaches {way} to {far:+.3f}")
        lines.append(f"- *{parts.loc[part, 'title']}*: {told}.")
    return "\n".join(lines)


def read_out(
    claim: pd.Series, evidence: pd.DataFrame, parts: pd.DataFrame, known: Iterable[str] = ()
) -> tuple[str, pd.DataFrame, str]:
    """Tell what is said and what would speak for it, the evidence, and the verdict with what would settle it.

    Returns:
        Markdown; the claim's evidence for `laid_out`, perhaps empty, without `known` parts; Markdown.
    """
    said = f"**{claim['title']}**\n\n> {claim['words']}\n>\n> — {claim['where']}\n\n"
    said += f"*For it:* {claim['speaks_for']}. *Against it:* {claim['speaks_against']}."
    own = evidence[evidence["part"].isin(set(claim["parts"]) - set(known))]
    own = own.assign(label=own["title"] + ", " + own["label"], title=claim["title"])
    chapters = parts.loc[claim["parts"], "chapter"].unique()
    links = ", ".join(f"[{chapter.split('_')[0]}]({chapter}.ipynb)" for chapter in chapters)
    verdict = conclude(claim, evidence, parts)
    where = f"chapter{'s' * (len(chapters) > 1)} {links}"
    return said, own, f"{verdict}\n\n**To settle it:** {claim['settle']} ({where})"


def laid_out(evidence: pd.DataFrame) -> tuple[pd.DataFrame, str]:
    """Lay the evidence of one part out: text, one row per comparison, and a caption that says how judged."""
    sides = np.where(evidence["rule"].isin(GAINS), 1, -1) * evidence["margin"]
    known = (evidence["rule"] != "count") & sides.notna()
    few = evidence["few"] & (evidence["finding"] == "undecided")
    finding = evidence["finding"].where(~few, "undecided (few images)")
    whole, ends = "{value:+g}", "{value:+.3f}<br><small>{low:+.3f} to {high:+.3f}</small>"
    shown = pd.DataFrame({
        "comparison": evidence["label"],
        "difference": [number(row, whole if pd.isna(row["low"]) else ends) for _, row in evidence.iterrows()],
        "margin": [typeset(f"{side:+.3f}") if on else "–" for side, on in zip(sides, known, strict=True)],
        "images": evidence["n"].astype(object).where(evidence["n"].notna(), "–").astype(str),
        "p, Holm": [p_text(p).replace("<", "&lt;") if pd.notna(p) else "–" for p in evidence["holm"]],
        "finding": finding,
    }).set_index("comparison")  # fmt: skip
    caption = evidence["title"].iloc[0]
    if evidence["n"].nunique(dropna=False) == 1 and evidence["n"].notna().all():
        caption += f" ({evidence['n'].iloc[0]:,} images)"
        shown = shown.drop(columns="images")
    how = " / ".join(METHODS[method] for method in evidence["method"].unique())
    return shown, f"{caption}. {how[0].upper()}{how[1:]}"


def kind_of_data(evidence: pd.DataFrame) -> str:
    """Say what the verdicts are about: phantoms, real photographs, or both."""
    drawn = evidence["dataset"].str.contains("phantom|simulated")
    if evidence.empty:
        return "This build has no evidence at all."
    if drawn.all():
        return (
            "All evidence of this build comes from {term}`phantoms <phantom>` or drawn defects. "
            "**The verdicts are about the method under known conditions**, and not about the paper's "
            "numbers or about patients."
        )
    if not drawn.any():
        return "All evidence of this build comes from real photographs."
    return (
        "Some evidence of this build comes from {term}`phantoms <phantom>` or drawn defects, some from "
        "real photographs; the name of the set says which. A verdict on the former is about the method "
        "under known conditions."
    )


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
