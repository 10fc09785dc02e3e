"""Figures of chapter 01: fields of view and their crops, class balance by split, details by overall class."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from riqa.labels import DETAILS, class_names
from riqa.report.style import CLASS_COLOURS, DETAIL_COLOURS, FIGURE_STYLE

WIDTH = 6.4  # inches, as in riqa.report.figures


@mpl.rc_context(FIGURE_STYLE)
def fields_and_crops(
    photographs: Sequence[np.ndarray], fields: pd.DataFrame, crops: Sequence[np.ndarray], title: str = ""
) -> Figure:
    """Show photographs with the outline of the field of view found, and under each what is kept of it.

    Args:
        photographs: uint8 (H, W, 3) each.
        fields: A row a photograph: x, y, radius, left, top, right, bottom in its pixels, and score.
        crops: uint8 (size, size, 3) each.
        title: The figure's title.
    """
    cell = WIDTH / len(photographs)
    figure, axes = plt.subplots(
        2, len(photographs), figsize=(WIDTH, 2 * cell + 0.6), squeeze=False, layout="constrained"
    )
    figure.suptitle(title)
    for column, (photograph, field) in enumerate(zip(photographs, fields.itertuples(), strict=True)):
        above, below = axes[:, column]
        above.imshow(photograph)
        above.plot(*_outline(field), color="#56B4E9", lw=1.2)
        above.set_title(f"score {field.score:.2f}", fontsize=8, pad=3)
        below.imshow(crops[column])
    for axis in axes.flat:
        axis.set_axis_off()
    return figure


def _outline(field) -> tuple[np.ndarray, np.ndarray]:
    """Return columns and rows of a closed line around circle and rectangle."""
    angles = np.linspace(0, 2 * np.pi, 400)
    x = np.clip(field.x + field.radius * np.cos(angles), field.left, field.right - 1)
    y = np.clip(field.y + field.radius * np.sin(angles), field.top, field.bottom - 1)
    return x, y


@mpl.rc_context(FIGURE_STYLE)
def class_balance(counts: Mapping[str, pd.DataFrame], title: str = "Overall quality by split") -> Figure:
    """Draw the share of every overall class in every split, one panel a set.

    Args:
        counts: Set -> `riqa.data.checks.class_counts` of it.
        title: The figure's title.
    """
    figure, axes = plt.subplots(
        1, len(counts), figsize=(WIDTH, 2.9), squeeze=False, sharey=True, layout="constrained"
    )
    figure.suptitle(title)
    handles = {}
    for axis, (name, table) in zip(axes[0], counts.items(), strict=True):
        base = np.zeros(len(table))
        for label in [column for column in table if column != "all"]:
            share = (table[label] / table["all"]).to_numpy()
            ink = "white" if label != "usable" else "black"
            bars = axis.bar(table.index, share, 0.7, bottom=base, color=CLASS_COLOURS[label], label=label)
            texts = [f"{s:.0%}" if s > 0.06 else "" for s in share]
            axis.bar_label(bars, texts, label_type="center", fontsize=8, color=ink)
            handles[label] = bars
            base += share
        axis.set(title=name, xticks=range(len(table)))
        axis.set_xticklabels([f"{split}\n{n}" for split, n in table["all"].items()])
    axes[0, 0].set_ylabel("share of images")
    axes[0, 0].yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1.0))
    figure.legend(handles.values(), handles, loc="outside lower center", ncols=len(handles))
    return figure


@mpl.rc_context(FIGURE_STYLE)
def details_by_overall_class(manifest: pd.DataFrame, n_classes: int, title: str = "") -> Figure:
    """Draw, for every overall class, the share of images whose details experts call good.

    Args:
        manifest: Table with `overall` and the details, where both are known.
        n_classes: 2 or 3.
        title: The figure's title.
    """
    figure, axis = plt.subplots(figsize=(WIDTH, 3.2), layout="constrained")
    figure.suptitle(title or "Details that experts call good, by overall quality")
    for position, detail in enumerate(DETAILS):
        share = manifest.groupby("overall")[detail].mean().reindex(range(n_classes))
        places = np.arange(n_classes) + (position - 1) * 0.27
        bars = axis.bar(places, share, 0.25, color=DETAIL_COLOURS[detail], label=detail)
        axis.bar_label(bars, [f"{s:.0%}" if s == s else "" for s in share], fontsize=8, padding=2)
    counts = manifest["overall"].value_counts()
    names = [f"{name}\n{counts.get(code, 0)} images" for code, name in enumerate(class_names(n_classes))]
    axis.set(xticks=range(n_classes), xticklabels=names, ylim=(0, 1.12), ylabel="share called good")
    axis.yaxis.set_major_formatter(mpl.ticker.PercentFormatter(1.0))
    figure.legend(loc="outside lower center", ncols=3)
    return figure
