"""A forest plot of all differences that the verdicts stand on, each with its margin."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from riqa.report.claims import Evidence
from riqa.report.style import FIGURE_STYLE

FINDING_COLOURS = {"for": "#0173B2", "against": "#D55E00", "undecided": "#777777"}
FINDING_MARKERS = {"for": "o", "against": "s", "undecided": "D"}


@mpl.rc_context(FIGURE_STYLE)
def claims_figure(evidence: Mapping[str, Sequence[Evidence]], title: str) -> Figure:
    """Draw a row a difference, in blocks by part, with interval, margin and finding (colour and marker).

    The green mark is the margin that counts: above zero where a gain is claimed, below where no loss is.
    Evidence without interval (counts) and parts without evidence are left out.

    Args:
        evidence: As `riqa.report.claims.weigh` returns it.
        title: The figure's title.
    """
    blocks = [[item for item in items if item.low is not None] for items in evidence.values()]
    blocks = [items for items in blocks if items]
    n_lines = sum(len(items) + 1 for items in blocks)
    figure, axis = plt.subplots(figsize=(8, 0.25 * n_lines + 1.6), layout="constrained")
    y, ticks, labels = 0.0, [], []
    for items in blocks:
        part = items[0].part
        head = {"transform": axis.get_yaxis_transform(), "ha": "right", "va": "center", "weight": "bold"}
        axis.text(-0.01, y, part.title, fontsize=8.5, **head)
        y += 1
        for item in items:
            colour = FINDING_COLOURS[item.finding]
            at = item.part.margin * (1 if item.part.rule == "better" else -1)
            axis.plot([at, at], [y - 0.4, y + 0.4], color="#029E73", lw=2.5)
            axis.plot([item.low, item.high], [y, y], color=colour, lw=2, solid_capstyle="butt")
            axis.plot(item.value, y, FINDING_MARKERS[item.finding], color=colour, ms=5)
            ticks.append(y)
            labels.append(item.label)
            y += 1
    axis.axvline(0, color="black", lw=1, ls="--")
    axis.set(xlabel="difference, and interval", yticks=ticks, ylim=(y - 0.4, -0.6))
    axis.set_yticklabels(labels, fontsize=7.5)
    axis.tick_params(axis="y", length=0)
    axis.spines["left"].set_visible(False)
    axis.grid(axis="x", color="#e6e6e6")
    axis.set_axisbelow(True)
    handles = [
        Line2D([], [], color=FINDING_COLOURS[f], marker=FINDING_MARKERS[f], ls="", label=f)
        for f in FINDING_COLOURS
    ]
    handles.append(Line2D([], [], color="#029E73", marker="|", ms=9, mew=2.5, ls="", label="margin"))
    figure.legend(handles=handles, loc="outside lower center", ncols=4)
    figure.suptitle(title)
    return figure
