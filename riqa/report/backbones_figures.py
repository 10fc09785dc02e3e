"""A figure of backbones trained at equal cost."""

import matplotlib as mpl
import pandas as pd
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from riqa.report.figures import WIDTH
from riqa.report.style import FIGURE_STYLE

_COLOURS, _MARKERS = ("#0173B2", "#D55E00", "#029E73", "#CC78BC"), "osD^"


@mpl.rc_context(FIGURE_STYLE)
def cost_curves(table: pd.DataFrame, history: pd.DataFrame, title: str) -> Figure:
    """Draw validation score and loss against the computation spent, a colour a backbone.

    Left, the macro-F1 of every epoch; the marker is the epoch kept, with its interval. Right, the loss in
    training (line) and in validation (dashed).

    Args:
        table: of `riqa.report.backbones.backbone_table`.
        history: of `riqa.learn.equal_cost.train_at_equal_cost`.
        title: The figure's title.
    """
    figure, (score_axis, loss_axis) = plt.subplots(1, 2, figsize=(WIDTH, 3.3), layout="constrained")
    for place, row in enumerate(table.itertuples()):
        colour, marker = _COLOURS[place % 4], _MARKERS[place % 4]
        epochs = history[(history["model"] == row.backbone) & (history["epoch"] > 0)]
        spent = epochs["epoch"] * row.spent / row.epochs
        score_axis.plot(spent, epochs["val_score"], color=colour, lw=1.3)
        whiskers = [[row.val_f1 - row.val_low], [row.val_high - row.val_f1]]
        style = {"color": colour, "marker": marker, "ms": 6, "capsize": 3, "label": row.backbone}
        score_axis.errorbar(spent[epochs["best"]], [row.val_f1], whiskers, **style)
        loss_axis.plot(spent, epochs["train_loss"], color=colour, marker=marker, ms=3.5, lw=1.3)
        loss_axis.plot(spent, epochs["val_loss"], color=colour, marker=marker, ms=3.5, lw=1.1, ls="--")
    score_axis.set(xlabel="computation spent, share of budget", ylabel="macro-F1 on validation images")
    loss_axis.set(xlabel="computation spent, share of budget", ylabel="loss (dashed: validation)")
    for axis in (score_axis, loss_axis):
        axis.set_xlim(left=0)
    figure.legend(*score_axis.get_legend_handles_labels(), loc="outside lower center", ncols=len(table))
    figure.suptitle(title)
    return figure
