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


def forest(rows: pd.DataFrame, xlabel: str, margin: float = 0.0, y: str = "comparison") -> Figure:
    """Draw a forest plot of differences: one panel per dataset, in it one dot with its interval per row.

    An interval that leaves zero out is blue. Where rows have a p-value, it stands at the right.

    Args:
        rows: Rows of results with a rival.
        xlabel: What the horizontal axis measures.
        margin: Half the width of the band of differences that do not matter; 0 draws none.
        y: Column that labels a row, one of `riqa.show.names` or one that `rows` have beside their own.
    """
    shown = names(rows).assign(clear=(rows["low"] > 0) | (rows["high"] < 0))
    panels = list(shown.groupby("set", sort=False))
    sizes = [len(panel) for _, panel in panels]
    figure, axes = plt.subplots(
        len(panels), sharex=True, squeeze=False, layout="constrained",
        figsize=(WIDTH, 0.36 * sum(sizes) + 0.5 * len(panels) + 0.5), height_ratios=sizes,
    )  # fmt: skip
    for (title, panel), axis in zip(panels, axes.flat, strict=True):
        plot = so.Plot(panel, y=y, color="clear").scale(color={True: BLUE, False: GREY})
        plot = plot.add(so.Range(linewidth=2), xmin="low", xmax="high", legend=False)
        plot = plot.add(so.Dot(pointsize=7), x="value", legend=False)
        plot.label(x="", y="").limit(y=(len(panel) - 0.4, -0.6)).theme(THEME).on(axis).plot()
        axis.set_title(title, loc="left", weight="bold", fontsize="medium")
        _write_p_values(axis, panel["p"])
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

    Args:
        matrices: (dataset, model) -> shares in [0, 1], rows the true class, columns what it was called.
    """
    datasets, models = (list(dict.fromkeys(keys)) for keys in zip(*matrices, strict=True))
    side = WIDTH / len(models)
    figure, axes = plt.subplots(
        len(datasets), len(models), squeeze=False, layout="constrained",
        figsize=(WIDTH, (0.9 * side + 0.25) * len(datasets)),
    )  # fmt: skip
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
    """Show images in rows of `columns`.

    Args:
        pictures: (H, W, 3) or (H, W) arrays; uint8, or float in [0, 1]. Sizes may differ.
        titles: One short line per image, or none at all.
        columns: Images in a row.
    """
    columns = min(columns, len(pictures))
    n_rows, side = -(-len(pictures) // columns), WIDTH / columns
    height = n_rows * (side + 0.24 * bool(titles))
    figure, axes = plt.subplots(n_rows, columns, squeeze=False, layout="constrained", figsize=(WIDTH, height))
    for axis in axes.flat:
        axis.set_axis_off()
    for axis, picture, title in zip(axes.flat, pictures, titles or [""] * len(pictures), strict=False):
        grey = {"cmap": "gray", "vmin": 0, "vmax": 1 if picture.dtype.kind == "f" else 255}
        axis.imshow(picture, **grey if picture.ndim == 2 else {})
        axis.set_title(title, fontsize="small", pad=3)
    plt.close(figure)
    return figure


def _write_p_values(axis: plt.Axes, p_values: pd.Series) -> None:
    right = {"transform": axis.get_yaxis_transform(), "va": "center", "fontsize": "small"}
    for y, p in enumerate(p_values):
        if pd.notna(p):
            axis.text(1.01, y, p_text(p, "p"), **right)
