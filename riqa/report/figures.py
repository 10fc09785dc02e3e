"""The book's figures: each function takes data, draws one figure and returns it.

In a notebook: `figure = training_curves(history)`, then `plt.show()`, which shows it once and forgets it.
"""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from riqa.labels import DETAILS, class_names
from riqa.report.style import (
    CLASS_COLOURS,
    DETAIL_COLOURS,
    DETAIL_MARKERS,
    FIGURE_STYLE,
    MODEL_COLOURS,
    model_name,
)

WIDTH = 6.4  # inches; at the book's column of about 600 px, type of 10 points stays readable


def _figure(
    height: float, title: str, rows: int = 1, columns: int = 1, **options
) -> tuple[Figure, np.ndarray]:
    figure, axes = plt.subplots(
        rows, columns, figsize=(WIDTH, height), squeeze=False, layout="constrained", **options
    )
    if title:
        figure.suptitle(title)
    return figure, axes


@mpl.rc_context(FIGURE_STYLE)
def contact_sheet(
    images: Sequence[np.ndarray], titles: Sequence[str] = (), columns: int = 4, title: str = ""
) -> Figure:
    """Show images in rows of `columns`.

    Args:
        images: (H, W, 3) or (H, W) arrays; uint8, or float in [0, 1]. Sizes may differ.
        titles: One short line an image, or none at all.
        columns: Images in a row.
        title: The figure's title.

    Raises:
        ValueError: If there is no image, or titles and images differ in number.
    """
    if len(images) == 0 or len(titles) not in (0, len(images)):
        raise ValueError(f"need images, and a title for each or none: got {len(images)} and {len(titles)}")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    cell = WIDTH / columns
    figure, axes = _figure(rows * (cell + 0.22 * bool(titles)) + 0.35 * bool(title), title, rows, columns)
    for axis in axes.flat:
        axis.set_axis_off()
    for position, image in enumerate(images):
        axis = axes.flat[position]
        axis.imshow(
            image, cmap="gray" if np.ndim(image) == 2 else None, vmin=0 if np.ndim(image) == 2 else None
        )
        if titles:
            axis.set_title(titles[position], fontsize=9 if columns <= 5 else 7.5, pad=3)
    return figure


@mpl.rc_context(FIGURE_STYLE)
def training_curves(history: pd.DataFrame, title: str = "Training curves") -> Figure:
    """Draw loss and validation score by epoch: one line a seed, one colour a model, one row a training set.

    Args:
        history: Columns `epoch` (1, 2, ...), `train_loss` and `val_score` (in [0, 1]); `val_loss` is dashed
            when there; `best` marks the epoch kept (else it is the best score's); `model`, `seed` and
            `trained_on` are taken as one value each when missing.
        title: The figure's title.
    """
    history = history.assign(**{c: "" for c in ("model", "seed", "trained_on") if c not in history})
    sets = list(dict.fromkeys(history["trained_on"]))
    figure, axes = _figure(2.5 * len(sets) + 0.4, title, len(sets), 2)
    for (name, rows), (loss_axis, score_axis) in zip(
        history.groupby("trained_on", sort=False), axes, strict=True
    ):
        for (model, _), run in rows.groupby(["model", "seed"], sort=False):
            colour = MODEL_COLOURS.get(model, "#0173B2")
            loss_axis.plot(run["epoch"], run["train_loss"], color=colour, lw=1.3)
            if "val_loss" in run and run["val_loss"].notna().any():
                loss_axis.plot(run["epoch"], run["val_loss"], color=colour, lw=1.1, ls="--")
            if run["val_score"].notna().any():
                score_axis.plot(run["epoch"], run["val_score"], color=colour, lw=1.3)
                best = run[run["best"]].iloc[0] if "best" in run else run.loc[run["val_score"].idxmax()]
                score_axis.plot(best["epoch"], best["val_score"], "o", color=colour, ms=5)
        loss_axis.set(xlabel="epoch", ylabel="loss", title=name)
        loss_axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
        score_axis.xaxis.set_major_locator(mpl.ticker.MaxNLocator(integer=True))
        score_axis.set(xlabel="epoch", ylabel="validation score", title="dot: the epoch kept")
    models = list(dict.fromkeys(history["model"]))
    handles = [
        plt.Line2D([], [], color=MODEL_COLOURS.get(m, "#0173B2"), label=model_name(m)) for m in models if m
    ]
    if "val_loss" in history and history["val_loss"].notna().any():
        handles += [
            plt.Line2D([], [], color="#444444", label="loss in training"),
            plt.Line2D([], [], color="#444444", ls="--", label="loss in validation"),
        ]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


@mpl.rc_context(FIGURE_STYLE)
def confusion_matrices(
    matrices: Mapping[str, np.ndarray], title: str = "Confusion matrices, each row sums to one"
) -> Figure:
    """Draw row-normalised confusion matrices side by side (the paper's Figure 3).

    Args:
        matrices: Name above each -> (K, K), rows the true class, in [0, 1]; NaN where a class has no image.
        title: The figure's title.
    """
    n_classes = len(next(iter(matrices.values())))
    names = class_names(n_classes)
    figure, axes = _figure(WIDTH / len(matrices) * 0.9 + 0.95, title, 1, len(matrices), sharey=True)
    for axis, (name, matrix) in zip(axes[0], matrices.items(), strict=True):
        axis.imshow(np.nan_to_num(matrix), cmap="Blues", vmin=0, vmax=1)
        for row, column in np.ndindex(n_classes, n_classes):
            share = matrix[row, column]
            text = "–" if np.isnan(share) else f"{share:.2f}"
            axis.text(column, row, text, ha="center", va="center", color="white" if share > 0.55 else "black")
        axis.set(title=model_name(name), xlabel="predicted", xticks=range(n_classes), xticklabels=names)
        axis.spines[:].set_visible(False)
        axis.tick_params(length=0)
    axes[0, 0].set(ylabel="true", yticks=range(n_classes), yticklabels=names)
    return figure


@mpl.rc_context(FIGURE_STYLE)
def interval_plot(
    frame: pd.DataFrame, title: str, xlabel: str, reference: float | None = 0.0, group: str | None = None
) -> Figure:
    """Draw a forest plot: a dot and its interval a row, in the order of the rows from the top.

    Args:
        frame: Columns `label`, `value`, `low`, `high`; with `p_value` the p-value is written at the right.
        title: The figure's title.
        xlabel: What the horizontal axis measures.
        reference: Where the dashed line stands (0: no difference); None draws none.
        group: Column whose values head blocks of rows, e.g. the data set.
    """
    frame = frame.reset_index(drop=True)
    heads = frame[group] if group else pd.Series([""] * len(frame))
    height = len(frame) * 0.34 + (heads.nunique() * 0.34 if group else 0) + 1.0
    figure, axes = _figure(height, title)
    axis, y, ticks, labels = axes[0, 0], 0.0, [], []
    right = axis.get_yaxis_transform()
    for head, rows in frame.groupby(heads, sort=False):
        if group:
            axis.text(-0.01, y, head, transform=right, ha="right", va="center", weight="bold")
            y += 1
        for row in rows.itertuples():
            excludes = reference is not None and not row.low <= reference <= row.high
            colour = "#0173B2" if excludes or reference is None else "#555555"
            axis.plot([row.low, row.high], [y, y], color=colour, lw=2, solid_capstyle="butt")
            axis.plot(row.value, y, "o", color=colour, ms=6)
            if "p_value" in frame and not np.isnan(row.p_value):
                axis.text(1.01, y, p_text(row.p_value), transform=right, ha="left", va="center", fontsize=9)
            ticks.append(y)
            labels.append(row.label)
            y += 1
    if reference is not None:
        axis.axvline(reference, color="black", lw=1, ls="--")
    axis.set(xlabel=xlabel, yticks=ticks, yticklabels=labels, ylim=(y - 0.4, -0.6))
    axis.spines["left"].set_visible(False)
    axis.tick_params(axis="y", length=0)
    axis.grid(axis="x", color="#e6e6e6")
    axis.set_axisbelow(True)
    return figure


@mpl.rc_context(FIGURE_STYLE)
def reliability_diagram(tables: Mapping[str, pd.DataFrame], title: str = "Reliability") -> Figure:
    """Draw the share truly good against the predicted probability, and the number of images behind each dot.

    Args:
        tables: Name of a curve (usually a detail) -> `riqa.evaluate.metrics.reliability_table`.
        title: The figure's title.
    """
    figure, axes = _figure(4.6, title, 2, 1, sharex=True, height_ratios=[3, 1])
    top, bottom = axes[:, 0]
    top.plot([0, 1], [0, 1], color="black", lw=1, ls="--", label="perfectly calibrated")
    for position, (name, table) in enumerate(tables.items()):
        colour = DETAIL_COLOURS.get(name, "#CC78BC")
        filled = table[table["count"] > 0]
        marker = DETAIL_MARKERS.get(name, "D")
        top.plot(
            filled["mean_predicted"],
            filled["fraction_positive"],
            marker=marker,
            ms=5,
            color=colour,
            label=name,
        )
        width = (table["bin_high"] - table["bin_low"]) / (len(tables) + 0.6)
        bottom.bar(table["bin_low"] + width * (position + 0.8), table["count"], width=width, color=colour)
    top.set(ylabel="share truly good", xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    top.legend(loc="upper left")
    bottom.set(xlabel="predicted probability of good", ylabel="images")
    return figure


@mpl.rc_context(FIGURE_STYLE)
def prevalence_by_overall_class(predictions: pd.DataFrame, n_classes: int, title: str = "") -> Figure:
    """Draw, for each overall class, the share of images in which each detail is predicted good (p >= 0.5).

    Args:
        predictions: Columns `overall` (codes; NaN rows are left out) and `p_<detail>` in [0, 1].
        n_classes: 2 or 3.
        title: The figure's title.
    """
    names = class_names(n_classes)
    figure, axes = _figure(3.2, title or "Details predicted good, by overall quality")
    axis, width = axes[0, 0], 0.27
    for position, detail in enumerate(DETAILS):
        good = predictions[f"p_{detail}"].ge(0.5).where(predictions[f"p_{detail}"].notna())
        share = good.astype(float).groupby(predictions["overall"]).mean().reindex(range(n_classes))
        places = np.arange(n_classes) + (position - 1) * width
        bars = axis.bar(places, share, width * 0.94, color=DETAIL_COLOURS[detail], label=detail)
        axis.bar_label(bars, [f"{s:.0%}" if s == s else "" for s in share], fontsize=8, padding=2)
    axis.set(xticks=range(n_classes), xticklabels=names, xlabel="overall quality (true)", ylim=(0, 1.12))
    axis.set_ylabel("share predicted good")
    axis.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1.0))
    figure.legend(loc="outside lower center", ncols=3)
    return figure


@mpl.rc_context(FIGURE_STYLE)
def probabilities_by_overall_class(predictions: pd.DataFrame, n_classes: int, title: str = "") -> Figure:
    """Draw the distribution of each detail's probability of good in each overall class (paper's Figure 6).

    Args:
        predictions: Columns `overall` (codes; NaN rows are left out) and `p_<detail>` in [0, 1].
        n_classes: 2 or 3.
        title: The figure's title.
    """
    names = class_names(n_classes)
    figure, axes = _figure(
        3.4, title or "Probability of a good detail, by overall quality", 1, 3, sharey=True
    )
    for axis, detail in zip(axes[0], DETAILS, strict=True):
        for code, name in enumerate(names):
            values = predictions.loc[predictions["overall"] == code, f"p_{detail}"].dropna().to_numpy()
            if len(values) == 0:
                continue
            if np.ptp(values) > 0:  # a violin of equal values has no density
                body = axis.violinplot(values, [code], widths=0.85, showextrema=False)["bodies"][0]
                body.set(facecolor=CLASS_COLOURS[name], edgecolor="#333333", alpha=0.9, linewidth=0.8)
            low, middle, high = np.quantile(values, [0.25, 0.5, 0.75])
            axis.plot([code, code], [low, high], color="#222222", lw=4, solid_capstyle="butt")
            axis.plot(code, middle, "o", color="white", mec="#222222", ms=5)
        axis.set(title=detail, xticks=range(n_classes), xticklabels=names, ylim=(-0.02, 1.02))
    axes[0, 0].set_ylabel("predicted probability of good")
    figure.supxlabel("overall quality (true); dot: median, bar: middle half", fontsize=9)
    return figure


def p_text(p_value: float) -> str:
    """Return a p-value as it is printed: three digits, and "p < 0.001" below that."""
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}"
