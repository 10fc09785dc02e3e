"""Figures of explanations: pictures with maps, defects by kind, curves of deletion, insertion and repair."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from riqa.labels import DETAILS
from riqa.report.details import reader_name
from riqa.report.results import Result
from riqa.report.style import DETAIL_COLOURS, FIGURE_STYLE, MODEL_COLOURS

_WIDTH = 6.4  # inches, see riqa.report.figures
_STUDENTS = (MODEL_COLOURS["multi_task"], "#56B4E9", "#CA9161")  # of several sets, side by side


@dataclass(frozen=True)
class Picture:
    """One row of the paper's Figure 4.

    Attributes:
        image: (H, W, 3) in [0, 1].
        truth: What stands above the image.
        maps: For each of two models a map (H, W) in [0, 1] and the text above it.
        details: Probability that each of `DETAILS` is good, of the second model.
        note: What stands below the details.
    """

    image: np.ndarray
    truth: str
    maps: tuple[tuple[np.ndarray, str], tuple[np.ndarray, str]]
    details: Sequence[float]
    note: str = ""


def show_map(axis: Axes, image: np.ndarray, saliency: np.ndarray) -> None:
    """Draw a map over its image: purple where it is low, yellow where it is high."""
    axis.imshow(image)
    axis.imshow(saliency, cmap="plasma", vmin=0, vmax=1, alpha=0.55)


@mpl.rc_context(FIGURE_STYLE)
def picture_rows(pictures: Sequence[Picture], title: str) -> Figure:
    """Draw pictures in rows: image, both maps, details (the paper's Figure 4)."""
    n = len(pictures)
    figure, axes = plt.subplots(
        n,
        4,
        figsize=(_WIDTH, 1.95 * n + 0.35),
        squeeze=False,
        layout="constrained",
        width_ratios=[1, 1, 1, 0.9],
    )
    figure.suptitle(title)
    for row, picture in zip(axes, pictures, strict=True):
        row[0].imshow(picture.image)
        row[0].set_title(picture.truth, fontsize=8, pad=3)
        for axis, (saliency, text) in zip(row[1:3], picture.maps, strict=True):
            show_map(axis, picture.image, saliency)
            axis.set_title(text, fontsize=8, pad=3)
        for axis in row[:3]:
            axis.set_axis_off()
        _draw_details(row[3], picture)
    return figure


def _draw_details(axis: Axes, picture: Picture) -> None:
    axis.barh(range(len(DETAILS)), picture.details, color=[DETAIL_COLOURS[d] for d in DETAILS], height=0.6)
    axis.axvline(0.5, color="#444444", lw=0.8, ls="--")
    for k, detail in enumerate(DETAILS):
        axis.text(0.02, k - 0.42, detail, fontsize=7, va="bottom")
    axis.set(xlim=(0, 1), ylim=(2.6, -0.9), yticks=[], xticks=[0, 0.5, 1])
    axis.tick_params(labelsize=7)
    axis.set_title("details: p(good)", fontsize=8, pad=3)
    axis.set_xlabel(picture.note, fontsize=7)


@mpl.rc_context(FIGURE_STYLE)
def defect_gallery(
    images: Mapping[str, tuple[np.ndarray, np.ndarray]],
    maps: Mapping[str, Mapping[str, np.ndarray]],
    title: str,
    columns: int = 4,
) -> Figure:
    """Show one image a defect, its place outlined, with the maps of several models below it.

    Args:
        images: By defect the image (H, W, 3) in [0, 1] and its place, bool (H, W).
        maps: By model and defect the map (H, W).
        title: The figure's title.
        columns: Defects in a row.
    """
    defects, models = list(images), list(maps)
    blocks = -(-len(defects) // columns)
    rows = blocks * (1 + len(models))
    figure, axes = plt.subplots(
        rows, columns, figsize=(_WIDTH, 1.62 * rows + 0.4), squeeze=False, layout="constrained"
    )
    figure.suptitle(title)
    for axis in axes.flat:
        axis.set_axis_off()
    for k, defect in enumerate(defects):
        top, column = (k // columns) * (1 + len(models)), k % columns
        image, place = images[defect]
        axes[top, column].imshow(image)
        axes[top, column].set_title(defect.replace("_", " "), fontsize=9, pad=3)
        for line, model in enumerate(models, 1):
            show_map(axes[top + line, column], image, maps[model][defect])
            axes[top + line, column].set_title(reader_name(model), fontsize=7.5, pad=2)
        for axis in axes[top : top + 1 + len(models), column]:
            axis.contour(place, [0.5], colors="white", linewidths=0.9)
    return figure


@mpl.rc_context(FIGURE_STYLE)
def localisation_by_defect(
    results: Mapping[str, Result], prefix: str, models: Sequence[str], question: str, title: str
) -> Figure:
    """Draw pointing game and energy inside for each defect, with the chance level.

    Args:
        results: Name -> record, ``<prefix>.<model>.<question>.<defect>.<metric>``.
        prefix: ``explanations.<set>``.
        models: Which models, one colour each.
        question: "overall" or a detail.
        title: The figure's title.
    """
    head = f"{prefix}.{models[0]}.{question}."
    defects = [name.removeprefix(head).split(".")[0] for name in results if name.startswith(head)]
    defects = sorted(set(defects), key=lambda name: (name != "any", name))
    figure, axes = plt.subplots(
        1, 2, figsize=(_WIDTH, 0.42 * len(defects) + 1.5), sharey=True, layout="constrained"
    )
    figure.suptitle(title)
    colours = _colours(models)
    for axis, metric, label in zip(
        axes, ("pointing", "energy"), ("pointing game: share of peaks inside", "energy inside"), strict=True
    ):
        for place, defect in enumerate(defects):
            for k, model in enumerate(models):
                item = results[f"{prefix}.{model}.{question}.{defect}.{metric}"]
                y = place + (k - (len(models) - 1) / 2) * 0.2
                if item.low is not None:
                    axis.plot([item.low, item.high], [y, y], color=colours[model], lw=1.8)
                if item.value is not None:
                    axis.plot(item.value, y, "o", color=colours[model], ms=4.5)
            chance = results[f"{prefix}.{models[0]}.{question}.{defect}.share"].value
            axis.plot([chance, chance], [place - 0.38, place + 0.38], color="black", lw=1.6)
        axis.set(xlabel=label, xlim=(-0.02, 1.02))
        axis.grid(axis="x", color="#e6e6e6")
        axis.set_axisbelow(True)
    n_of = [results[f"{head}{defect}.share"].n for defect in defects]
    words = ["all together" if name == "any" else name.replace("_", " ") for name in defects]
    labels = [f"{word} ({n})" for word, n in zip(words, n_of, strict=True)]
    axes[0].set(yticks=range(len(defects)), yticklabels=labels, ylim=(len(defects) - 0.4, -0.6))
    handles = [plt.Line2D([], [], color=colours[m], marker="o", ms=4.5, label=reader_name(m)) for m in models]
    handles.append(plt.Line2D([], [], color="black", lw=1.6, label="chance"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 3))
    return figure


@mpl.rc_context(FIGURE_STYLE)
def iou_curves(results: Mapping[str, Result], prefixes: Mapping[str, str], title: str) -> Figure:
    """Draw the mean intersection over union against the threshold at which maps are cut.

    Args:
        results: Name -> record.
        prefixes: By model the start of its records ``<start>iou_<threshold>``.
        title: The figure's title.
    """
    figure, axis = plt.subplots(figsize=(_WIDTH, 3.0), layout="constrained")
    colours = _colours(list(prefixes))
    for model, start in prefixes.items():
        found = {
            float(name.removeprefix(f"{start}iou_")): item
            for name, item in results.items()
            if name.startswith(f"{start}iou_") and item.low is not None
        }
        x = sorted(found)
        axis.plot(x, [found[t].value for t in x], "o-", color=colours[model], ms=4, label=reader_name(model))
        low, high = [found[t].low for t in x], [found[t].high for t in x]
        axis.fill_between(x, low, high, color=colours[model], alpha=0.15, lw=0)
    axis.set(xlabel="threshold, share of the map's maximum", ylabel="intersection over union", title=title)
    axis.set_ylim(bottom=0)
    axis.legend()
    return figure


@mpl.rc_context(FIGURE_STYLE)
def perturbation_figure(curves: pd.DataFrame, panels: Mapping[str, Sequence[str]], title: str) -> Figure:
    """Draw the mean probability while pixels are replaced, one panel a kind of replacing.

    Args:
        curves: Columns model, curve, share, p.
        panels: Title of each panel -> the curves that it shows; the first is drawn solid, others dashed or
            dotted. With "noise" beside "insertion", the noise is read backwards.
        title: The figure's title.
    """
    figure, axes = plt.subplots(
        1, len(panels), figsize=(_WIDTH, 3.2), sharey=True, squeeze=False, layout="constrained"
    )
    figure.suptitle(title)
    models = list(dict.fromkeys(curves["model"]))
    colours = _colours(models)
    means = curves.groupby(["model", "curve", "share"], sort=False)["p"].mean()
    for axis, (panel, names) in zip(axes[0], panels.items(), strict=True):
        for model in models:
            for name, style in zip(names, ("-", "--", ":"), strict=False):
                line = means[model, name].sort_index()
                y = line.to_numpy()[::-1] if name == "noise" and "insertion" in names else line.to_numpy()
                axis.plot(line.index, y, style, color=colours[model], lw=1.5)
        axis.set(title=panel, xlabel="share of the field")
    axes[0, 0].set_ylim(bottom=0)
    axes[0, 0].set_ylabel("mean probability of the class")
    handles = [plt.Line2D([], [], color=colours[m], label=reader_name(m)) for m in models]
    kinds = list(dict.fromkeys(style for names in panels.values() for style in names[1:]))
    handles += [
        plt.Line2D([], [], color="#444444", ls=s, label=f"order of {name}")
        for name, s in zip(kinds, ("--", ":"), strict=False)
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles))
    return figure


def _colours(models: Sequence[str]) -> dict[str, str]:
    """Return the colour of each model; Students of several sets get one each."""
    students = iter(_STUDENTS)
    return {m: MODEL_COLOURS[m] if m in MODEL_COLOURS else next(students) for m in models}
