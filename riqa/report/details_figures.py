"""Figures about details: calibration, errors by camera, severity, and their confusion; a panel a detail."""

from collections.abc import Mapping

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from riqa.evaluate.calibration import Calibration
from riqa.labels import DETAILS
from riqa.report.details import reader_name
from riqa.report.details_severity import Psychometric
from riqa.report.figures import WIDTH
from riqa.report.style import FIGURE_STYLE, MODEL_COLOURS

_OF_STUDENTS = ("#0173B2", "#CC78BC", "#029E73", "#DE8F05")
_MARKERS = ("o", "s", "^", "D", "v")
_OTHERS = {"experts": "#222222", "teacher": MODEL_COLOURS["teacher"]}


def model_styles(models: list[str]) -> dict[str, tuple[str, str]]:
    """Give every model a colour and a marker: experts black, the Teacher grey, Students in turn."""
    students = [model for model in models if model not in _OTHERS]
    colours = _OTHERS | {name: _OF_STUDENTS[k % len(_OF_STUDENTS)] for k, name in enumerate(students)}
    return {name: (colours[name], _MARKERS[k % len(_MARKERS)]) for k, name in enumerate(models)}


@mpl.rc_context(FIGURE_STYLE)
def reliability_by_model(measured: Mapping[str, Mapping[str, Calibration]], title: str) -> Figure:
    """Draw reliability diagrams of several models on one set, with the interval of every dot.

    Args:
        measured: model -> detail -> calibration.
        title: the figure's title.
    """
    figure, axes = _panels(3.2, title)
    for model, (colour, marker) in model_styles(list(measured)).items():
        for axis, detail in zip(axes, DETAILS, strict=True):
            if detail not in measured[model]:
                continue
            table = measured[model][detail].table
            table = table[table["count"] > 0]
            axis.vlines(table["mean_predicted"], table["low"], table["high"], color=colour, lw=1, alpha=0.6)
            dots = {"color": colour, "marker": marker, "ms": 4, "lw": 1.3}
            axis.plot(table["mean_predicted"], table["fraction_positive"], label=reader_name(model), **dots)
    for axis in axes:
        axis.plot([0, 1], [0, 1], color="black", lw=1, ls="--")
        axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xticks=[0, 0.5, 1])
    axes[0].set_ylabel("share truly good")
    axes[1].set_xlabel("predicted probability of good")
    return _legend(figure, axes)


@mpl.rc_context(FIGURE_STYLE)
def errors_by_source(rates: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Draw the share of wrong answers by camera or site, with intervals, a row a source.

    Args:
        rates: model -> `riqa.report.details_errors.error_rates` of one set.
        title: the figure's title.
    """
    first = next(iter(rates.values())).drop_duplicates("source")
    names = [f"{row.source} (n = {row.n})" for row in first.itertuples()]
    place = {source: y for y, source in enumerate(first["source"])}
    figure, axes = _panels(0.34 * len(names) * max(1, len(rates) / 2) + 1.5, title, sharey=True)
    for k, (model, (colour, marker)) in enumerate(model_styles(list(rates)).items()):
        for axis, detail in zip(axes, DETAILS, strict=True):
            rows = rates[model][rates[model]["detail"] == detail]
            y = rows["source"].map(place).astype(float) + (k - (len(rates) - 1) / 2) * 0.22
            axis.hlines(y, rows["low"], rows["high"], color=colour, lw=1.6)
            axis.plot(rows["value"], y, marker, color=colour, ms=5, label=reader_name(model))
    for axis in axes:
        axis.set(xlim=(-0.02, 1.02 * max(rows["high"].max() for rows in rates.values()) + 0.02))
        axis.set(yticks=range(len(names)), yticklabels=names, ylim=(len(names) - 0.5, -0.5))
        axis.grid(axis="x", color="#e6e6e6")
        axis.set_axisbelow(True)
    axes[1].set_xlabel("share of wrong answers")
    return _legend(figure, axes)


@mpl.rc_context(FIGURE_STYLE)
def psychometric_curves(
    curves: Mapping[str, Mapping[str, tuple[np.ndarray, np.ndarray, Psychometric | None]]],
    threshold: float,
    title: str,
    n_bins: int = 8,
) -> Figure:
    """Draw the share called bad against true severity: a dot a bin of severity, a line the fitted curve.

    Args:
        curves: model -> `riqa.report.details_severity.severity_curves` of one set.
        threshold: severity at which an unbiased expert changes the answer, drawn dashed.
        title: the figure's title.
        n_bins: bins of equal width in severity; the dots of empty ones are left out.
    """
    figure, axes = _panels(3.2, title)
    grid = np.linspace(0, 1, 200)
    for model, (colour, marker) in model_styles(list(curves)).items():
        for axis, detail in zip(axes, DETAILS, strict=True):
            severity, bad, curve = curves[model][detail]
            places = np.minimum((severity * n_bins).astype(int), n_bins - 1)
            means = pd.DataFrame({"severity": severity, "bad": bad}).groupby(places).mean()
            line = {"color": colour, "label": reader_name(model)}
            if curve is not None:
                axis.plot(grid, curve.chance_of_bad(grid), lw=1.6, **line)
                line.pop("label")
            axis.plot(means["severity"], means["bad"], marker, ms=4, alpha=0.8, **line)
    for axis in axes:
        axis.axvline(threshold, color="black", lw=1, ls="--")
        axis.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xticks=[0, 0.5, 1])
    axes[0].set_ylabel("share called bad")
    axes[1].set_xlabel("true severity")
    return _legend(figure, axes)


@mpl.rc_context(FIGURE_STYLE)
def confusion_of_details(tables: Mapping[str, pd.DataFrame], title: str) -> Figure:
    """Draw what is called bad (columns) by what is truly bad (rows), a panel a model.

    Args:
        tables: model -> `riqa.report.details_errors.called_bad` of one set.
        title: the figure's title.
    """
    first = next(iter(tables.values()))
    figure, grid = plt.subplots(
        1,
        len(tables),
        figsize=(WIDTH, 0.36 * len(first) + 1.6),
        squeeze=False,
        sharey=True,
        layout="constrained",
    )
    figure.suptitle(title)
    for axis, (model, table) in zip(grid[0], tables.items(), strict=True):
        shares = table.reindex(first.index)[list(DETAILS)].to_numpy()
        axis.imshow(np.nan_to_num(shares), cmap="Oranges", vmin=0, vmax=1, aspect="auto")
        for row, column in np.ndindex(*shares.shape):
            share = shares[row, column]
            text = "–" if np.isnan(share) else f"{share:.0%}"
            colour = "white" if share > 0.65 else "black"
            axis.text(column, row, text, ha="center", va="center", fontsize=8, color=colour)
        axis.set_title(reader_name(model).replace(" of ", " of\n"), fontsize=9)
        axis.set_xticks(range(3), DETAILS, rotation=90, fontsize=8)
        axis.tick_params(length=0)
        axis.spines[:].set_visible(False)
    labels = [f"{pattern} (n = {n})" for pattern, n in first["n"].items()]
    grid[0, 0].set_yticks(range(len(labels)), labels, fontsize=8)
    figure.supxlabel("share called bad", fontsize=10)
    return figure


def _panels(height: float, title: str, **options) -> tuple[Figure, list[Axes]]:
    figure, axes = plt.subplots(1, 3, figsize=(WIDTH, height), layout="constrained", **options)
    figure.suptitle(title)
    for axis, detail in zip(axes, DETAILS, strict=True):
        axis.set_title(detail)
    return figure, list(axes)


def _legend(figure: Figure, axes: list[Axes]) -> Figure:
    handles = {}
    for axis in axes:
        lines, labels = axis.get_legend_handles_labels()
        handles |= dict(zip(labels, lines, strict=True))
    figure.legend(
        handles.values(), handles.keys(), loc="outside lower center", ncols=3 if len(handles) == 3 else 2
    )
    return figure
