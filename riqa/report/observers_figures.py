"""Figures of observer agreement."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from riqa.evaluate.agreement import corrected
from riqa.labels import DETAILS
from riqa.report.figures import WIDTH
from riqa.report.style import DETAIL_COLOURS, DETAIL_MARKERS, FIGURE_STYLE, MODEL_COLOURS

_RATER, _TEACHER = "#0173B2", MODEL_COLOURS["teacher"]
_KAPPA, _AC1 = "#D55E00", "#0173B2"
_VERDICTS = {"non-inferior": "#0173B2", "undecided": "#555555", "inferior": "#D55E00"}


@mpl.rc_context(FIGURE_STYLE)
def kappa_and_prevalence(
    frame: pd.DataFrame, title: str = "The same agreement, another prevalence"
) -> Figure:
    """Draw Fleiss' kappa and AC1 against the share called good, at each detail's own raw agreement.

    Args:
        frame: `riqa.report.observers.agreement_frame`; its coefficients are the dots.
        title: The figure's title.
    """
    found = frame.set_index(["item", "coefficient"])["value"]
    figure, axes = _panels(2.9, title, sharey=True)
    share = np.linspace(0, 1, 201)
    for axis, item in zip(axes, DETAILS, strict=True):
        raw = found[item, "agreement"]
        # Every disagreeing pair holds a good and a bad, so neither can be rarer than half of those pairs.
        possible = np.minimum(share, 1 - share) >= (1 - raw) / 2 if not np.isnan(raw) else share < 0
        curves = {"Fleiss' κ": (_KAPPA, share**2 + (1 - share) ** 2), "AC1": (_AC1, 2 * share * (1 - share))}
        for label, (colour, chance) in curves.items():
            values = np.array(
                [corrected(raw, c) if p else np.nan for c, p in zip(chance, possible, strict=True)]
            )
            axis.plot(share, values, color=colour, lw=1.6, label=label)
        axis.axhline(raw, color="black", lw=1, ls="--", label="raw agreement")
        for name, colour in (("fleiss_kappa", _KAPPA), ("gwet_ac1", _AC1)):
            axis.plot(found[item, "share_good"], found[item, name], "o", color=colour, ms=7, mec="white")
        axis.set(title=item, xlim=(0, 1), ylim=(-0.2, 1.05), xticks=[0, 0.5, 1])
    axes[0].set_ylabel("coefficient")
    axes[1].set_xlabel("share called good; dots: measured")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    return figure


@mpl.rc_context(FIGURE_STYLE)
def raters_and_teacher(frame: pd.DataFrame, metric: str, title: str) -> Figure:
    """Draw each rater's score and the Teacher's against the same majority, joined by a line.

    Args:
        frame: `riqa.report.observers.against_others_frame`.
        metric: One of `riqa.evaluate.observers.METRICS`.
        title: The figure's title.
    """
    rows = frame[frame["metric"] == metric].pivot(index=["rater", "item"], columns="judge", values="value")
    raters = list(dict.fromkeys(frame["rater"]))
    figure, axes = _panels(0.3 * len(raters) + 1.5, title, sharey=True, sharex=True)
    places = np.arange(len(raters))
    for axis, item in zip(axes, DETAILS, strict=True):
        values = rows.xs(item, level="item").reindex(raters)
        axis.hlines(places, values["rater"], values["teacher"], color="#cccccc", lw=2, zorder=1)
        axis.plot(values["rater"], places, "o", color=_RATER, ms=6, label="rater")
        axis.plot(values["teacher"], places, "D", color=_TEACHER, mec="black", ms=6, label="Teacher")
        axis.set(title=item, yticks=places, yticklabels=raters)
        axis.grid(axis="x", color="#eeeeee")
    axes[0].invert_yaxis()
    axes[1].set_xlabel(f"{metric} with the majority of the other raters")
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=2)
    return figure


@mpl.rc_context(FIGURE_STYLE)
def non_inferiority_plot(frame: pd.DataFrame, title: str) -> Figure:
    """Draw the differences with their one-sided bounds, and the margin, for ties that are left out.

    Args:
        frame: `riqa.report.observers.non_inferiority_frame`.
        title: The figure's title.
    """
    rows = frame[frame["ties"] == "leave_out"].reset_index(drop=True)
    figure, axis = plt.subplots(figsize=(WIDTH, 0.4 * len(rows) + 1.2), layout="constrained")
    figure.suptitle(title)
    margin = rows["margin"].iloc[0]
    for y, row in rows.iterrows():
        colour = _VERDICTS[row["verdict"]]
        axis.plot([row["low"], row["high"]], [y, y], color=colour, lw=2, solid_capstyle="butt")
        axis.plot(row["value"], y, "o", color=colour, ms=6)
        side = {"transform": axis.get_yaxis_transform(), "ha": "left", "va": "center", "fontsize": 9}
        axis.text(1.01, y, row["verdict"], **side)
    left = min(-1.6 * margin, np.nanmin([*rows["low"], 0]) - margin / 2)
    right = max(1.6 * margin, np.nanmax([*rows["high"], 0]) + margin / 2)
    axis.axvspan(left, -margin, color="#D55E00", alpha=0.12, lw=0)
    axis.axvline(-margin, color="#D55E00", lw=1.2, ls="--")
    axis.axvline(0, color="black", lw=1)
    labels = [item.replace("_", " ") for item in rows["item"]]
    axis.set(yticks=range(len(rows)), yticklabels=labels, xlim=(left, right), ylim=(len(rows) - 0.4, -0.6))
    axis.set_xlabel(f"Teacher's agreement minus an average rater's; shaded: worse by more than {margin:g}")
    axis.tick_params(axis="y", length=0)
    return figure


@mpl.rc_context(FIGURE_STYLE)
def excess_of_good_plot(frame: pd.DataFrame, title: str) -> Figure:
    """Draw how much more often each judge says good than the others do on the same images.

    Args:
        frame: `riqa.report.observers.bias_frame`.
        title: The figure's title.
    """
    judges = list(dict.fromkeys(frame["judge"]))
    figure, axes = _panels(0.3 * len(judges) + 1.3, title, sharey=True, sharex=True)
    for axis, item in zip(axes, DETAILS, strict=True):
        rows = frame[frame["item"] == item].set_index("judge").reindex(judges)
        for y, (judge, row) in enumerate(rows.iterrows()):
            colour = "#444444" if judge == "teacher" else _RATER
            axis.plot([row["low"], row["high"]], [y, y], color=colour, lw=2, solid_capstyle="butt")
            axis.plot(row["value"], y, "D" if judge == "teacher" else "o", color=colour, ms=5)
        axis.axvline(0, color="black", lw=1, ls="--")
        names = ["Teacher" if judge == "teacher" else judge for judge in judges]
        axis.set(title=item, yticks=range(len(judges)), yticklabels=names)
        axis.grid(axis="x", color="#eeeeee")
    axes[0].invert_yaxis()
    figure.supxlabel("share called good, minus the others' share on the same images", fontsize=9)
    return figure


@mpl.rc_context(FIGURE_STYLE)
def votes_and_posterior(
    shares: np.ndarray, p_good: np.ndarray, right: np.ndarray | None, title: str, seed: int = 0
) -> Figure:
    """Draw Dawid and Skene's probability of good against the share of votes for good.

    Args:
        shares: (N, 3) shares of the raters who say good.
        p_good: (N, 3) posterior probabilities of good.
        right: bool (N, 3), whether the more probable class is the true one; None where no truth is known.
        title: The figure's title.
        seed: Seed of the jitter that keeps equal dots apart.
    """
    figure, axes = _panels(2.7, title, sharey=True)
    jitter = np.random.default_rng(seed).uniform(-0.02, 0.02, (2, *shares.shape))
    for k, (axis, item) in enumerate(zip(axes, DETAILS, strict=True)):
        x, y = shares[:, k] + jitter[0, :, k], p_good[:, k] + jitter[1, :, k]
        ok = np.ones(len(x), bool) if right is None else right[:, k]
        axis.plot([0, 1], [0, 1], color="black", lw=0.8, ls=":")
        colour, marker = DETAIL_COLOURS[item], DETAIL_MARKERS[item]
        axis.plot(x[ok], y[ok], marker, color=colour, ms=3.5, alpha=0.5, mew=0)
        axis.plot(x[~ok], y[~ok], "x", color="black", ms=6, mew=1.5)
        axis.axvline(0.5, color="#cccccc", lw=0.8, zorder=0)
        axis.axhline(0.5, color="#cccccc", lw=0.8, zorder=0)
        axis.set(title=item, xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
    axes[0].set_ylabel("probability of good")
    note = "" if right is None else "; cross: not the truth"
    figure.supxlabel(f"share of raters who say good{note}", fontsize=9)
    return figure


def _panels(height: float, title: str, **options) -> tuple[Figure, Sequence[plt.Axes]]:
    figure, axes = plt.subplots(
        1, len(DETAILS), figsize=(WIDTH, height), layout="constrained", squeeze=False, **options
    )
    figure.suptitle(title)
    return figure, axes[0]
