"""Scenes of a recapture, after the paper's Figure 5: chosen by rules, drawn side by side."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import fill

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from riqa.evaluate.recapture import causes, raised
from riqa.labels import DETAILS, class_names
from riqa.report.figures import WIDTH
from riqa.report.recapture import Advice
from riqa.report.style import DETAIL_COLOURS, FIGURE_STYLE

FAILURES = ("wrong detail", "not enough", "no word for it", "false alarm", "not noticed")
"""Kinds of scenes in which advice does not help; see `choose_scenes`."""


def choose_scenes(
    advice: Advice,
    order: Sequence[int],
    grades: np.ndarray | None = None,
    own_grades: np.ndarray | None = None,
    n_classes: int = 3,
) -> dict[str, int]:
    """Choose the first photograph, in a given order, that fits each kind of scene for the first seed.

    The three successes are named after the detail that the Student calls worst, and bad: repairing it raises
    the true class and the Student's. The failures: repairing another single detail would have raised the true
    class ("wrong detail"); only several together would ("not enough"); not even all three would, because of
    artifacts ("no word for it"); the photograph is truly good ("false alarm"); the true class rises but the
    Student's does not ("not noticed"). Without grades, where no photograph can be taken again, there is one
    scene a detail that the Student calls worst, and bad.

    Args:
        advice: of `riqa.report.recapture.give_advice`.
        order: positions of photographs, none of them NaN in `own_grades`.
        grades: int (N, 8), true grade after each repair, or None.
        own_grades: (S, N, 8), the Student's class after each repair, NaN where it was not shown; or None.
        n_classes: number of grades.

    Returns:
        Kind -> position; kinds that do not occur are left out.
    """
    asked, worst, named = advice.asked[0], advice.worst[0], advice.named[0]
    fits = {detail: (worst == k) & named for k, detail in enumerate(DETAILS)}
    if grades is not None:
        code = np.arange(len(worst)), 2**worst
        truly, noticed = raised(grades)[code] == 1, raised(own_grades[0])[code] == 1
        fits = {detail: here & truly & noticed for detail, here in fits.items()}
        cause = causes(grades, n_classes)
        fits["wrong detail"] = (cause == "one detail would do") & ~truly
        fits["not enough"] = cause == "several details together"
        fits["no word for it"] = cause == "no detail would do"
        fits["false alarm"] = cause == "already good"
        fits["not noticed"] = truly & ~noticed
    found = {kind: [n for n in order if asked[n] and here[n]] for kind, here in fits.items()}
    return {kind: positions[0] for kind, positions in found.items() if positions}


@dataclass(frozen=True)
class Scene:
    """What a technician sees.

    Attributes:
        kind: heading of the row.
        image: uint8 (H, W, 3), the photograph.
        heat: float (h, w) in [0, 1], where the Student looks.
        before: a row of `riqa.learn.predict.PROBABILITIES` for the photograph.
        advice: what the technician is told first.
        truth: true class of the photograph, or "" where nobody knows.
        again: uint8 (H, W, 3), the photograph taken again, or None where it cannot be.
        after: the Student's answers then, or None.
        truth_after: true class then, or "".
        repaired: the detail that was repaired, or "".
    """

    kind: str
    image: np.ndarray
    heat: np.ndarray
    before: pd.Series
    advice: str
    truth: str = ""
    again: np.ndarray | None = None
    after: pd.Series | None = None
    truth_after: str = ""
    repaired: str = ""


def overall_answer(answer: pd.Series, n_classes: int) -> tuple[str, float]:
    """Return the most probable class of a row of predictions, and its probability."""
    probs = answer[[f"p_overall_{k}" for k in range(n_classes)]].to_numpy(dtype=float)
    return class_names(n_classes)[int(probs.argmax())], float(probs.max())


@mpl.rc_context(FIGURE_STYLE)
def scenes_figure(scenes: Sequence[Scene], n_classes: int, title: str) -> Figure:
    """Draw a row a scene: photograph, heat map, the photograph taken again, and probabilities of good.

    Args:
        scenes: at least one.
        n_classes: 2 or 3.
        title: the figure's title.
    """
    captions = [_caption(scene) for scene in scenes]
    most_lines = 1 + max(caption.count("\n") for caption in captions)
    figure, axes = plt.subplots(
        len(scenes),
        4,
        figsize=(WIDTH, (1.75 + 0.14 * most_lines) * len(scenes) + 0.9),
        squeeze=False,
        layout="constrained",
        width_ratios=[1, 1, 1, 0.95],
    )
    figure.suptitle(title)
    for (photograph, heat, again, dots), scene, caption in zip(axes, scenes, captions, strict=True):
        photograph.imshow(scene.image)
        said, p = overall_answer(scene.before, n_classes)
        photograph.set_title(f"Student:\n{said} ({p:.2f})", fontsize=8, pad=3)
        photograph.set_ylabel(scene.kind, fontsize=9, weight="bold")
        photograph.set_xlabel(caption, fontsize=8, labelpad=3, va="top")
        height, width = scene.image.shape[:2]
        heat.imshow(scene.image)
        heat.imshow(
            scene.heat,
            cmap="inferno",
            vmin=0,
            vmax=1,
            alpha=0.5,
            extent=(-0.5, width - 0.5, height - 0.5, -0.5),
        )
        heat.set_title(f"where it sees\n“{said}”", fontsize=8, pad=3)
        if scene.again is not None:
            again.imshow(scene.again)
            said, p = overall_answer(scene.after, n_classes)
            again.set_title(f"{scene.repaired} repaired:\n{said} ({p:.2f})", fontsize=8, pad=3)
            again.set_xlabel(f"truth: {scene.truth_after}", fontsize=8, labelpad=3)
        for axis in (photograph, heat, again):
            axis.set(xticks=[], yticks=[])
            axis.spines[:].set_visible(False)
        _dots(dots, scene, n_classes)
    shown = [plt.Line2D([], [], marker="o", ls="", mec="#333333", mfc="white", label="before")]
    shown += [plt.Line2D([], [], marker="o", ls="", color="#333333", label="taken again")]
    figure.legend(handles=shown, loc="outside lower right", ncols=2, title="Student's probability of good")
    return figure


def _caption(scene: Scene) -> str:
    truth = f"truth: {scene.truth}\n" if scene.truth else ""
    return truth + fill(f"“{scene.advice}”", 28)


def _dots(axis: Axes, scene: Scene, n_classes: int) -> None:
    """Draw the probabilities of good, overall and of each detail, before and after."""
    names = {f"p_overall_{n_classes - 1}": "overall"} | {f"p_{detail}": detail for detail in DETAILS}
    for y, (column, name) in enumerate(names.items()):
        colour = DETAIL_COLOURS.get(name, "#333333")
        before = float(scene.before[column])
        if scene.after is not None:
            after = float(scene.after[column])
            axis.annotate(
                "", (after, y), (before, y), arrowprops={"arrowstyle": "-", "color": colour, "lw": 1.2}
            )
            axis.plot(after, y, "o", color=colour, ms=6)
        axis.plot(before, y, "o", mec=colour, mfc="white", ms=6, mew=1.3)
    axis.axvline(0.5, color="#949494", lw=0.8, ls=":")
    axis.set(xlim=(-0.08, 1.08), ylim=(3.6, -0.6), xticks=[0, 0.5, 1], yticks=range(4))
    axis.set_yticklabels(names.values(), fontsize=8)
    axis.tick_params(labelsize=8, length=2)


@mpl.rc_context(FIGURE_STYLE)
def policies_figure(rows: pd.DataFrame, title: str, xlabel: str) -> Figure:
    """Draw what each policy achieves: a row a policy, a dot and interval a judge.

    Args:
        rows: columns policy (label), judge, value, low, high; NaN is left out.
        title: the figure's title.
        xlabel: what the horizontal axis measures.
    """
    labels, judges = list(dict.fromkeys(rows["policy"])), list(dict.fromkeys(rows["judge"]))
    figure, axes = plt.subplots(figsize=(WIDTH, 0.42 * len(labels) + 1.5), layout="constrained")
    figure.suptitle(title)
    styles = (("#222222", "o"), ("#0173B2", "s"))
    for k, (judge, (colour, marker)) in enumerate(zip(judges, styles, strict=False)):
        own = rows[(rows["judge"] == judge) & rows["value"].notna()]
        rows_of = np.array([labels.index(policy) for policy in own["policy"]], dtype=float)
        y = rows_of + (k - (len(judges) - 1) / 2) * 0.26
        axes.hlines(y, own["low"], own["high"], color=colour, lw=2)
        axes.plot(own["value"], y, marker, color=colour, ms=6, label=judge)
    axes.set(yticks=range(len(labels)), yticklabels=labels, ylim=(len(labels) - 0.5, -0.5))
    axes.set(xlabel=xlabel, xlim=(-0.02, 1.02))
    axes.grid(axis="x", color="#e6e6e6")
    axes.set_axisbelow(True)
    figure.legend(loc="outside lower center", ncols=2)
    return figure
