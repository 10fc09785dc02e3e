"""What seaborn does not draw in one line: the book's theme, forest plots, and rows of confusion matrices.

Figures keep a white background, so that they read alike on the light and the dark theme of the book. None is
one of pyplot's, which would show it a second time: a notebook shows the value of a cell's last line.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import seaborn as sns
import seaborn.objects as so
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

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

_ZERO = {"color": "black", "lw": 1, "ls": "--", "zorder": 0}


def theme() -> None:
    """Give every figure of the session the book's look."""
    sns.set_theme(style="white", context="notebook", palette="colorblind", rc=THEME)


def _panels(n_rows: int, n_columns: int, height: float, **how: object) -> tuple[Figure, np.ndarray]:
    """Return a figure of the book's width, and its axes (rows, columns)."""
    figure = Figure(figsize=(WIDTH, height), layout="constrained")
    FigureCanvasAgg(figure)  # seaborn measures labels on it
    return figure, figure.subplots(n_rows, n_columns, squeeze=False, **how)


def forest(rows: pd.DataFrame, xlabel: str, margin: float = 0.0, y: str = "comparison") -> Figure:
    """Draw a forest plot of differences: one panel per dataset, in it one dot with its interval per row.

    An interval that leaves zero out is blue. A row's label stands above its line, so that a narrow screen,
    which shows the left part of a figure, shows data too. Where rows have a p-value, it stands at the right.

    Args:
        rows: Rows of results with a rival.
        xlabel: What the horizontal axis measures.
        margin: Half the width of the band of differences that do not matter; 0 draws none.
        y: Column that labels a row, one of `riqa.show.names` or one that `rows` have beside their own.
    """
    shown = names(rows).assign(clear=(rows["low"] > 0) | (rows["high"] < 0))
    panels = list(shown.groupby("set", sort=False))
    sizes = [len(panel) for _, panel in panels]
    height = 0.5 * (sum(sizes) + len(panels) + 1)
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
        axis.axvline(0, **_ZERO)
        axis.axvspan(-margin, margin, color=GREEN, alpha=0.15 * bool(margin), lw=0)
        axis.spines["left"].set_visible(False)
        axis.label_outer()
    axes[-1, 0].set_xlabel(xlabel)
    figure.get_layout_engine().set(h_pad=0.08)
    return figure


def confusions(matrices: Mapping[tuple[str, str], pd.DataFrame]) -> Figure:
    """Draw confusion matrices as heat maps: one row of them per dataset, one column per model.

    Args:
        matrices: (dataset, model) -> shares in [0, 1], rows the true class, columns what it was called.
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
    return figure


def images(pictures: Sequence[np.ndarray], titles: Sequence[str] = (), columns: int = 4) -> Figure:
    """Show images in rows of `columns`.

    Args:
        pictures: (H, W, 3) or (H, W) arrays; uint8, or float in [0, 1]. Sizes may differ.
        titles: One short line per image, or none at all.
        columns: Images in a row.
    """
    columns = min(columns, len(pictures))
    n_rows = -(-len(pictures) // columns)
    figure, axes = _panels(n_rows, columns, n_rows * (WIDTH / columns + 0.24 * bool(titles)))
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, picture, title in zip(axes.flat, pictures, titles or [""] * len(pictures), strict=False):
        axis.imshow(picture, cmap="gray", vmin=0, vmax=1 if picture.dtype.kind == "f" else 255)
        axis.set_title(title, fontsize="small", pad=3)
    return figure


def dots(
    rows: pd.DataFrame, y: str, columns: str = "target", xlabel: str = "", mark: str = "", zero: bool = False
) -> Figure:
    """Draw values with their intervals: one colour per model or difference, one row of panels per dataset.

    Args:
        rows: Rows of results.
        y: Column, also of `riqa.show.names`, whose values stand at the left, in the order of the rows.
        columns: Column that makes the columns of panels, and their titles if there are several.
        xlabel: What the horizontal axes measure.
        mark: Column with a value to compare with, drawn as a short black line.
        zero: Whether to draw a line at zero.
    """
    shown = names(rows)
    sets, titles, models = (list(shown[key].unique()) for key in ("set", columns, "comparison"))
    labels = {key: list(own[y].unique()) for key, own in shown.groupby("set", sort=False)}
    heights = [len(labels[key]) * (0.16 + 0.09 * len(models)) + 0.3 for key in sets]
    shared = {"sharex": "col", "sharey": "row", "height_ratios": heights}
    figure, axes = _panels(len(sets), len(titles), sum(heights) + 0.8, **shared)
    colours = dict(zip(models, sns.color_palette("colorblind"), strict=False))
    for (dataset, title), own in shown.groupby(["set", columns], sort=False):
        axis = axes[sets.index(dataset), titles.index(title)]
        line, colour = own[y].map(labels[dataset].index), own["comparison"].map(colours)
        place = line + (own["comparison"].map(models.index) - (len(models) - 1) / 2) * 0.7 / len(models)
        axis.hlines(place, own["low"], own["high"], colour, lw=1.8)
        axis.scatter(own["value"], place, 22, colour, zorder=3)
        if mark:
            axis.vlines(own[mark], line - 0.4, line + 0.4, "black", lw=1.6)
        if zero:
            axis.axvline(0, **_ZERO)
        n = len(labels[dataset])
        axis.set(yticks=range(n), yticklabels=labels[dataset], ylim=(n - 0.4, -0.6))
        axis.set_title(name(title) if len(titles) > 1 and dataset == sets[0] else "", fontsize="medium")
        axis.set_xlabel(xlabel if dataset == sets[-1] else "")
        axis.grid(axis="x", color="#e6e6e6")
    for dataset, axis in zip(sets, axes[:, 0], strict=True):
        axis.set_ylabel(dataset if len(sets) > 1 else "", weight="bold")
    handles = [Line2D([], [], color=colours[m], marker="o", ms=4.5, label=m) for m in models]
    handles += [Line2D([], [], color="black", lw=1.6, label=name(mark))] if mark else []
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def as_maps(axes: Axes | np.ndarray) -> None:
    """Give axes that show maps equal units in both directions, and no ticks: a map has no axes to read."""
    for axis in np.ravel(axes):
        axis.set(xticks=[], yticks=[], xlabel="", ylabel="")
        axis.set_aspect("equal", "datalim")
        axis.spines[:].set_visible(True)


def curves(history: pd.DataFrame) -> pd.DataFrame:
    """Lay the history of trainings (`riqa.learn.runs.run_all`) out for `seaborn.relplot`, a row per point.

    Returns:
        The columns that are no curve, models and sets by the names that readers know; `panel` ("loss" or
        "macro-F1"), `images` ("training" or "validation") and `value`. The start has no loss in training.
    """
    panels = {"train_loss": "loss", "val_loss": "loss", "val_score": "macro-F1"}
    long = history.melt(history.columns.difference([*panels], sort=False), [*panels], var_name="curve")
    known = {key: long[key].map(name) for key in ("model", "trained_on") if key in long}
    known |= {"panel": long["curve"].map(panels), "images": "validation"}
    told = long.assign(**known).dropna(subset="value")
    told.loc[told["curve"] == "train_loss", "images"] = "training"
    return told.drop(columns="curve")
