"""Figure 7: maps of the features, coloured by labels, with numbered special cases and their images."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patheffects import withStroke

from riqa.labels import DETAILS, class_names
from riqa.report.figures import WIDTH
from riqa.report.style import CLASS_COLOURS, FIGURE_STYLE

UNKNOWN = "#BBBBBB"
_MARKERS = ("v", "s", "o")  # a shape for each label as well as a colour
_CELLS = 3  # images in a row below the map
_OFFSETS = (
    (8, 7),
    (8, -15),
    (-24, 7),
)  # points from a case to its number; in turn, as cases may be neighbours


@mpl.rc_context(FIGURE_STYLE)
def map_with_cases(
    positions: np.ndarray,
    labels: np.ndarray,
    n_classes: int | None,
    cases: pd.DataFrame,
    images: Sequence[np.ndarray],
    captions: Sequence[str],
    title: str,
) -> Figure:
    """Draw a map coloured by overall quality, special cases numbered, and their images below (Figure 7(a)).

    Args:
        positions: (N, 2).
        labels: (N,) overall codes, NaN where unknown.
        n_classes: 2 or 3; None draws all points grey.
        cases: of `riqa.report.latent_cases.special_cases`.
        images: uint8 (H, W, 3), one a case.
        captions: lines of text, one a case.
        title: the figure's title.
    """
    rows = -(-len(images) // _CELLS)
    figure = plt.figure(figsize=(WIDTH, 4.6 + 2.75 * rows), layout="constrained")
    figure.suptitle(title)
    grid = figure.add_gridspec(1 + rows, _CELLS, height_ratios=[4.2, *[2.75] * rows])
    axis = figure.add_subplot(grid[0, :])
    if n_classes is None:
        axis.scatter(*positions.T, s=26, color=UNKNOWN, edgecolor="#555555", linewidth=0.4)
    else:
        names = class_names(n_classes)
        scatter(axis, positions, labels, names, [CLASS_COLOURS[name] for name in names])
        axis.legend(loc="best", title="labelled")
    axis.set_aspect("equal", adjustable="datalim")
    halo = [withStroke(linewidth=3, foreground="white")]
    for place, case in enumerate(cases.itertuples()):
        x, y = positions[case.row]
        axis.plot(x, y, "o", ms=12, mfc="none", mec="black", mew=1.3)
        offset = {"textcoords": "offset points", "xytext": _OFFSETS[place % len(_OFFSETS)]}
        axis.annotate(case.number, (x, y), weight="bold", path_effects=halo, zorder=5, **offset)
    for place, (case, image, caption) in enumerate(zip(cases.itertuples(), images, captions, strict=True)):
        cell = figure.add_subplot(grid[1 + place // _CELLS, place % _CELLS])
        cell.imshow(image)
        cell.set_axis_off()
        cell.set_title(f"({case.number}) {caption}", fontsize=7.5, pad=3)
    return figure


@mpl.rc_context(FIGURE_STYLE)
def maps_by_detail(
    positions: np.ndarray, labels: pd.DataFrame, predicted: pd.DataFrame, title: str
) -> Figure:
    """Draw the same map six times: by each detail's label (top) and prediction (bottom) (Figure 7(b)).

    Args:
        positions: (N, 2).
        labels: the details, 1 good, 0 bad, NaN unknown.
        predicted: columns predicted_<detail>, alike.
        title: the figure's title.
    """
    figure, axes = plt.subplots(2, 3, figsize=(WIDTH, 4.7), layout="constrained", sharex=True, sharey=True)
    figure.suptitle(title)
    names = class_names(2)
    colours = [CLASS_COLOURS[name] for name in names]
    for column, detail in enumerate(DETAILS):
        scatter(axes[0, column], positions, labels[detail].to_numpy(), names, colours, size=14)
        scatter(axes[1, column], positions, predicted[f"predicted_{detail}"].to_numpy(), names, colours, 14)
        axes[0, column].set_title(detail)
    axes[0, 0].set_ylabel("labelled")
    axes[1, 0].set_ylabel("predicted")
    return _legend_below(figure, axes)


@mpl.rc_context(FIGURE_STYLE)
def map_panels(
    maps: Mapping[str, np.ndarray],
    labels: Mapping[str, np.ndarray],
    colours: Mapping[str, str],
    title: str,
    columns: int = 3,
) -> Figure:
    """Draw several maps side by side, each in units of its own but with equal axes.

    Args:
        maps: title of a panel -> (N, 2).
        labels: title of a panel -> (N,) codes, the position of a name in `colours`; NaN where unknown.
        colours: name of a code, in their order -> colour.
        title: the figure's title.
        columns: panels in a row.
    """
    rows = -(-len(maps) // columns)
    figure, axes = plt.subplots(
        rows, columns, figsize=(WIDTH, 2.25 * rows + 0.8), squeeze=False, layout="constrained"
    )
    figure.suptitle(title)
    for axis in axes.flat[len(maps) :]:
        axis.set_axis_off()
    for axis, (name, positions) in zip(axes.flat, maps.items(), strict=False):
        scatter(axis, positions, labels[name], tuple(colours), list(colours.values()), size=12)
        axis.set_title(name, fontsize=9)
        axis.set_aspect("equal", adjustable="datalim")
    return _legend_below(figure, axes)


def scatter(
    axis: Axes,
    positions: np.ndarray,
    labels: np.ndarray,
    names: Sequence[str],
    colours: Sequence[str],
    size: float = 26,
) -> None:
    """Draw points (N, 2) in the colour and shape of their label; those without one are small and grey."""
    labels = np.asarray(labels, dtype=float)
    for code, (name, colour) in enumerate(zip(names, colours, strict=True)):
        dots = {"color": colour, "edgecolor": "#333333", "linewidth": 0.4, "label": name}
        axis.scatter(*positions[labels == code].T, s=size, marker=_MARKERS[code % 3], **dots)
    if np.isnan(labels).any():
        axis.scatter(*positions[np.isnan(labels)].T, s=size / 2, color=UNKNOWN, label="not labelled")
    axis.set(xticks=[], yticks=[])
    for side in ("top", "right"):
        axis.spines[side].set_visible(True)


def _legend_below(figure: Figure, axes: np.ndarray) -> Figure:
    handles = {}
    for axis in axes.flat:
        dots, labels = axis.get_legend_handles_labels()
        handles |= dict(zip(labels, dots, strict=True))
    figure.legend(handles.values(), handles.keys(), loc="outside lower center", ncols=max(1, len(handles)))
    return figure
