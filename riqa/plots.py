"""What seaborn does not draw in one line: the book's theme, forest plots, and rows of confusion matrices.

Figures keep a white background, so that they read alike on the light and the dark theme of the book. Each
function returns a closed figure: a notebook shows it once, as the value of the cell's last line.
"""

from collections.abc import Mapping, Sequence

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
import seaborn.objects as so
from matplotlib.figure import Figure

from riqa.show import name, names, p_text

WIDTH = 7.2  # inches; the book's column is 720 px wide
BLUE, GREEN, GREY = "#0173B2", "#029E73", "#777777"  # the first two from seaborn's "colorblind"

THEME = sns.axes_style("white") | sns.plotting_context("notebook", font_scale=0.85) | {
    "axes.spines.top": False,
    "axes.spines.right": False,
    "figure.dpi": 180,
    "legend.frameon": False,
    "text.color": "#222222",
}  # fmt: skip


def theme() -> None:
    """Give every figure of the session the book's look."""
    sns.set_theme(style="white", context="notebook", palette="colorblind", rc=THEME)


def _panels(n_rows: int, n_columns: int, height: float, **how: object) -> tuple[Figure, np.ndarray]:
    """Return a figure of the book's width, and its axes (rows, columns)."""
    how |= {"squeeze": False, "layout": "constrained", "figsize": (WIDTH, height)}
    return plt.subplots(n_rows, n_columns, **how)


def forest(rows: pd.DataFrame, xlabel: str, margin: float = 0.0, y: str = "comparison") -> Figure:
    """Draw a forest plot of differences: one panel per dataset, in it one dot with its interval per row.

    An interval that leaves zero out is blue. A row's label stands above its line, so that a narrow screen,
    which shows the left part of a figure, shows data too. Where rows have a p-value, it stands at the right.

    `rows` are results with a rival, labelled by a column `y` of their own or of `riqa.show.names`; `xlabel`
    says what the axis measures; `margin` is half the width of the band of differences that do not matter.
    """
    shown = names(rows).assign(clear=(rows["low"] > 0) | (rows["high"] < 0))
    panels = list(shown.groupby("set", sort=False))
    sizes = [len(panel) for _, panel in panels]
    height = 0.5 * sum(sizes) + 0.5 * len(panels) + 0.5
    figure, axes = _panels(len(panels), 1, height, sharex=True, height_ratios=sizes)
    for (title, panel), axis in zip(panels, axes.flat, strict=True):
        plot = so.Plot(panel, y=y, color="clear").scale(color={True: BLUE, False: GREY})
        plot = plot.add(so.Range(linewidth=2), xmin="low", xmax="high", legend=False)
        plot = plot.add(so.Dot(pointsize=7), x="value", legend=False)
        plot.label(x="", y="").limit(y=(len(panel) - 0.6, -0.75)).theme(THEME).on(axis).plot()
        axis.set_title(title, loc="left", weight="bold", fontsize="medium")
        axis.set_yticks([])
        text = {"transform": axis.get_yaxis_transform(), "fontsize": "small"}
        for place, (label, p) in enumerate(zip(panel[y], panel["p"], strict=True)):
            axis.text(0, place - 0.18, label, va="bottom", **text)
            if pd.notna(p):
                axis.text(1.01, place, p_text(p, "p"), va="center", **text)
        axis.axvline(0, color="black", lw=1, ls="--", zorder=0)
        axis.axvspan(-margin, margin, color=GREEN, alpha=0.15 * bool(margin), lw=0)
        axis.spines["left"].set_visible(False)
        axis.label_outer()
    axes[-1, 0].set_xlabel(xlabel)
    figure.get_layout_engine().set(h_pad=0.08)
    plt.close(figure)
    return figure


def confusions(matrices: Mapping[tuple[str, str], pd.DataFrame]) -> Figure:
    """Draw confusion matrices as heat maps: one row of them per dataset, one column per model.

    `matrices` are (dataset, model) -> shares in [0, 1], rows the true class, columns what it was called.
    """
    datasets, models = (list(dict.fromkeys(keys)) for keys in zip(*matrices, strict=True))
    height = (0.9 * (WIDTH / len(models)) + 0.25) * len(datasets)
    figure, axes = _panels(len(datasets), len(models), height)
    look = {"cmap": "Blues", "vmin": 0, "vmax": 1, "cbar": False, "square": True, "linewidths": 2}
    for (dataset, model), matrix in matrices.items():
        axis = axes[datasets.index(dataset), models.index(model)]
        sns.heatmap(matrix, annot=True, fmt=".2f", ax=axis, yticklabels=model == models[0], **look)
        axis.tick_params(axis="y", rotation=0)
        axis.set(title=name(model), xlabel="called")
    for dataset, axis in zip(datasets, axes[:, 0], strict=True):
        axis.set_ylabel(f"{name(dataset)}\ntruly")
    figure.get_layout_engine().set(h_pad=0.08)
    plt.close(figure)
    return figure


def images(pictures: Sequence[np.ndarray], titles: Sequence[str] = (), columns: int = 4) -> Figure:
    """Show images, (H, W, 3) or (H, W), uint8 or float in [0, 1], of any sizes, in rows of `columns`.

    Titles are one short line per image, or none at all.
    """
    columns = min(columns, len(pictures))
    n_rows = -(-len(pictures) // columns)
    figure, axes = _panels(n_rows, columns, n_rows * (WIDTH / columns + 0.24 * bool(titles)))
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, picture, title in zip(axes.flat, pictures, titles or [""] * len(pictures), strict=False):
        grey = {"cmap": "gray", "vmin": 0, "vmax": 1 if picture.dtype.kind == "f" else 255}
        axis.imshow(picture, **grey if picture.ndim == 2 else {})
        axis.set_title(title, fontsize="small", pad=3)
    plt.close(figure)
    return figure


def dots(
    rows: pd.DataFrame, y: str, columns: str = "target", xlabel: str = "", mark: str = "", zero: bool = False
) -> Figure:
    """Draw values with their intervals: one colour per model or difference, one row of panels per dataset.

    Of the columns of `rows` and of `riqa.show.names`, the values of `y` stand at the left, in the order of
    the rows; `columns` makes the columns of panels, and their titles if there are several; `mark` is a value
    to compare with, drawn as a short black line. `xlabel` names what the axes measure; `zero` draws a line.
    """
    shown = names(rows)
    sets, titles, models = (list(dict.fromkeys(shown[key])) for key in ("set", columns, "comparison"))
    labels = {key: list(dict.fromkeys(own[y])) for key, own in shown.groupby("set", sort=False)}
    heights = [len(labels[key]) * (0.16 + 0.09 * len(models)) + 0.3 for key in sets]
    shared = {"sharex": "col", "sharey": "row", "height_ratios": heights}
    figure, axes = _panels(len(sets), len(titles), sum(heights) + 0.8, **shared)
    colours = dict(zip(models, sns.color_palette("colorblind"), strict=False))
    for (dataset, title), own in shown.groupby(["set", columns], sort=False):
        axis = axes[sets.index(dataset), titles.index(title)]
        place = own[y].map(labels[dataset].index)
        shift = (own["comparison"].map(models.index) - (len(models) - 1) / 2) * 0.7 / len(models)
        axis.hlines(place + shift, own["low"], own["high"], own["comparison"].map(colours), lw=1.8)
        axis.scatter(own["value"], place + shift, 22, own["comparison"].map(colours), zorder=3)
        if mark:
            axis.vlines(own[mark], place - 0.4, place + 0.4, "black", lw=1.6)
        if zero:
            axis.axvline(0, color="black", lw=1, ls="--", zorder=0)
        lines = range(len(labels[dataset]))
        axis.set(yticks=lines, yticklabels=labels[dataset], ylim=(len(lines) - 0.4, -0.6))
        axis.set_title(name(title) if len(titles) > 1 and dataset == sets[0] else "", fontsize="medium")
        axis.set_xlabel(xlabel if dataset == sets[-1] else "")
        axis.grid(axis="x", color="#e6e6e6")
    for dataset, axis in zip(sets, axes[:, 0], strict=True):
        axis.set_ylabel(dataset if len(sets) > 1 else "", weight="bold")
    handles = [plt.Line2D([], [], color=colours[m], marker="o", ms=4.5, label=m) for m in models]
    handles += [plt.Line2D([], [], color="black", lw=1.6, label=name(mark))] if mark else []
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    plt.close(figure)
    return figure


def findings(rows: pd.DataFrame, least_images: int) -> Figure:
    """Draw differences, their intervals and what they say: one panel per question, one line per difference.

    Rows have title (of the question), label, value, low, high, edge (the margin, on the side where it
    counts), finding (for, too small, against, undecided), and few (whether images are below `least_images`).
    """
    colours = {"for": BLUE, "too small": "#DE8F05", "against": "#D55E00", "undecided": GREY}
    shapes = {"for": "o", "too small": "D", "against": "X", "undecided": "s"}
    panels = list(rows.groupby("title", sort=False))
    sizes = [len(own) for _, own in panels]
    height = 0.25 * sum(sizes) + 0.5 * len(panels) + 0.9
    figure, axes = _panels(len(panels), 1, height, sharex=True, height_ratios=[n + 0.5 for n in sizes])
    for (title, own), axis in zip(panels, axes.flat, strict=True):
        own = own.assign(place=range(len(own)))
        for finding, told in own.groupby("finding"):
            colour = colours[finding]
            axis.hlines(told["place"], told["low"], told["high"], colour)
            fill = {"c": np.where(told["few"], "white", colour), "edgecolors": colour}
            axis.scatter(told["value"], told["place"], s=34, marker=shapes[finding], zorder=3, **fill)
        axis.plot(own["edge"], own["place"], "|", color=GREEN, ms=9, mew=2)
        axis.axvline(0, color="black", ls="--", lw=1, zorder=0)
        axis.set(yticks=own["place"], yticklabels=own["label"], ylim=(len(own) - 0.4, -0.6))
        axis.tick_params(axis="y", labelsize=9)
        axis.set_title(title, loc="left", weight="bold", fontsize="medium")
    axes[-1, 0].set_xlabel("difference, and interval")
    marks = [(colours[told], shapes[told], {"label": told}) for told in colours]
    marks.append((GREY, "s", {"mfc": "white", "label": f"fewer than {least_images} images"}))
    handles = [plt.Line2D([], [], color=colour, marker=shape, **how) for colour, shape, how in marks]
    figure.legend(handles=handles, loc="outside upper left", ncols=5)
    return figure


def as_maps(axes: plt.Axes | np.ndarray) -> None:
    """Give axes that show maps equal units in both directions, and no ticks: a map has no axes to read."""
    for axis in np.ravel(axes):
        axis.set(xticks=[], yticks=[], xlabel="", ylabel="")
        axis.set_aspect("equal", "datalim")
        axis.spines[:].set_visible(True)


def curves(history: pd.DataFrame) -> pd.DataFrame:
    """Lay the history of trainings (`riqa.learn.runs.run_all`) out for `seaborn.relplot`, a row per point.

    A row has the columns that are no curve, models and sets by the names that readers know; `panel` ("loss"
    or "macro-F1"), `images` ("training" or "validation") and `value`. The start has no loss in training.
    """
    told = {"train_loss": ("loss", "training"), "val_loss": ("loss", "validation")}
    told |= {"val_score": ("macro-F1", "validation")}
    long = history.melt(history.columns.difference([*told], sort=False), [*told], var_name="curve")
    panel, images = (long["curve"].map(lambda name, k=k: told[name][k]) for k in (0, 1))
    known = {key: long[key].map(name) for key in ("model", "trained_on") if key in long}
    return long.drop(columns="curve").assign(**known, panel=panel, images=images).dropna(subset="value")
