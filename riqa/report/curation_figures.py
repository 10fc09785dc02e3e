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
    photographs: Sequence[np.ndarray],
    fields: pd.DataFrame,
    crops: Mapping[str, Sequence[np.ndarray | None]],
    title: str = "",
) -> Figure:
    """Show photographs with the outline of the field of view found, and under each what is kept of it.

    Args:
        photographs: uint8 (H, W, 3) each.
        fields: A row a photograph: x, y, radius, left, top, right, bottom in its pixels, and score.
        crops: Who cropped -> a crop a photograph, uint8 (size, size, 3), or None where nothing was found.
        title: The figure's title.
    """
    cell = WIDTH / len(photographs)
    height = (1 + len(crops)) * cell + 0.6
    figure, axes = plt.subplots(
        1 + len(crops), len(photographs), figsize=(WIDTH, height), squeeze=False, layout="constrained"
    )
    figure.suptitle(title)
    for axis, photograph, field in zip(axes[0], photographs, fields.itertuples(), strict=True):
        axis.imshow(photograph)
        axis.plot(*_outline(field), color="#56B4E9", lw=1.2)
        axis.set_title(f"score {field.score:.2f}", fontsize=8, pad=3)
    for row, (name, images) in zip(axes[1:], crops.items(), strict=True):
        for axis, image in zip(row, images, strict=True):
            if image is None:
                axis.text(0.5, 0.5, "nothing\nfound", ha="center", va="center", fontsize=8)
            else:
                axis.imshow(image)
        if len(crops) > 1:
            row[0].text(
                -0.06, 0.5, name, fontsize=8, rotation=90, va="center", ha="right", transform=row[0].transAxes
            )
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


@mpl.rc_context(FIGURE_STYLE)
def framing_curves(table: pd.DataFrame, title: str = "What size and crop keep") -> Figure:
    """Draw how well simple measurements tell each detail, by size of the image, cropped and not.

    Args:
        table: A row a measurement: detail, framing (`crop` or `whole`), size (pixels), value, low, high.
        title: The figure's title.
    """
    figure, axes = plt.subplots(1, len(DETAILS), figsize=(WIDTH, 2.7), sharey=True, layout="constrained")
    figure.suptitle(title)
    for axis, detail in zip(axes, DETAILS, strict=True):
        for framing, style in (("crop", "-"), ("whole", "--")):
            rows = table[(table["detail"] == detail) & (table["framing"] == framing)].sort_values("size")
            colour = DETAIL_COLOURS[detail]
            axis.plot(rows["size"], rows["value"], style, marker="o", ms=4, color=colour)
            axis.fill_between(rows["size"], rows["low"], rows["high"], color=colour, alpha=0.12, lw=0)
        sizes = sorted(table["size"].unique())
        axis.axhline(0.5, color="#949494", lw=0.8)
        axis.set(title=detail, xscale="log", xticks=sizes, xlabel="side, pixels")
        axis.set_xticklabels(sizes)
        axis.minorticks_off()
    axes[0].set_ylabel("AUC of bad")
    lines = [mpl.lines.Line2D([], [], color="#555555", ls=style) for style in ("-", "--")]
    figure.legend(
        lines, ["cropped to the field of view", "whole photograph"], loc="outside lower center", ncols=2
    )
    return figure
