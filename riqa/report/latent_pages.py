"""The shared representation on a page: tables, sentences and the order of a figure (Figure 7)."""

import pandas as pd
from pandas.io.formats.style import Styler

from riqa.report.figures import p_text
from riqa.report.style import model_name
from riqa.report.tables import page_table

_WIDE = 'class="dataframe" style="margin-bottom: 1.5em; font-size: 0.75em"'
_NAMES = {"untrained": "Untrained", "multi_task": "Student", "single_task_control": "Control"}


def label_name(label: str) -> str:
    """Return a label's name for readers: `predicted_clarity` becomes "clarity, predicted"."""
    plain = label.removeprefix("predicted_")
    return plain if plain == label else f"{plain}, predicted"


def structure_for_page(frame: pd.DataFrame, measure: str, caption: str) -> Styler:
    """Show one measure of `structure_frame`: a row a label, a column a model, value over interval.

    The column *chance* is over the central range of labels dealt anew, of all models together.
    """
    rows = frame[frame["measure"] == measure]
    cells: dict[str, dict[str, str]] = {}
    for label, own in rows.groupby("label", sort=False):
        chance = (own["chance"].mean(), own["chance_low"].min(), own["chance_high"].max())
        cells[label_name(label)] = {"chance": over_interval(*chance)}
        cells[label_name(label)] |= {
            latent_name(row.model): over_interval(row.value, row.low, row.high) for row in own.itertuples()
        }
    table = pd.DataFrame.from_dict(cells, orient="index").fillna("–")
    return page_table(table, caption).set_table_attributes(_WIDE)


def spaces_for_page(frame: pd.DataFrame, caption: str) -> Styler:
    """Show one model of `structure_frame` in its features and on its map: a row a label.

    Columns: purity by chance and in the features, how far that is above chance and how often chance does as
    well (p), purity on the map, silhouettes.
    """
    heads = {"purity": "purity, features", "map_purity": "purity, map"}
    heads |= {"silhouette": "silhouette, features", "map_silhouette": "silhouette, map"}
    cells: dict[str, dict[str, str]] = {}
    for row in frame[frame["measure"].isin(list(heads))].itertuples():
        own = cells.setdefault(label_name(row.label), {})
        own[heads[row.measure]] = over_interval(row.value, row.low, row.high)
        if row.measure == "purity":
            own["purity, chance"] = over_interval(row.chance, row.chance_low, row.chance_high)
            own["above chance"] = f"{row.above_chance:.2f}"
            own["p"] = p_text(row.p_value).removeprefix("p = ").removeprefix("p ")
    order = ["purity, chance", "purity, features", "above chance", "p", *list(heads.values())[1:]]
    table = pd.DataFrame.from_dict(cells, orient="index").reindex(columns=order).astype(object).fillna("–")
    return page_table(table, caption).set_table_attributes(_WIDE)


def latent_name(model: str) -> str:
    """Return a model's name for readers of this chapter, in which only one Student is about."""
    return " minus ".join(_NAMES.get(part, model_name(part)) for part in model.split("-"))


def over_interval(value: float, low: float, high: float, form: str = ".2f") -> str:
    """Write a value over its interval, as HTML that does not break within the interval."""
    return f'{value:{form}}<br><span style="white-space: nowrap">{low:{form}} – {high:{form}}</span>'


def difference_sentences(differences: pd.DataFrame, measure: str) -> list[str]:
    """Say for each pair of `difference_frame` on which labels the interval excludes zero."""
    sentences = []
    for pair, rows in differences[differences["measure"] == measure].groupby("model", sort=False):
        told = [
            f"{label_name(row.label)} ({row.value:+.2f}, {row.low:+.2f} to {row.high:+.2f})"
            for row in rows.itertuples()
            if row.low > 0 or row.high < 0
        ]
        sentences.append(
            f"**{latent_name(pair)}**: of {len(rows)} labels, the interval excludes zero on "
            f"{', '.join(told) or 'none'}."
        )
    return sentences


def difference_rows(differences: pd.DataFrame, measure: str) -> pd.DataFrame:
    """Bring one measure of `difference_frame` into the order of a figure.

    Returns:
        head (the label), label (who is compared), value, low, high, sorted by head.
    """
    rows = differences[differences["measure"] == measure]
    order = {label: place for place, label in enumerate(rows["label"].unique())}
    rows = rows.sort_values("label", key=lambda labels: labels.map(order), kind="stable")
    rows = rows.assign(head=rows["label"].map(label_name), label=rows["model"].map(latent_name))
    return rows[["head", "label", "value", "low", "high"]].reset_index(drop=True)


def neighbours_for_page(table: pd.DataFrame, caption: str) -> Styler:
    """Show `riqa.report.latent.neighbour_shares` in per cent."""
    return page_table(table.map(lambda share: "–" if pd.isna(share) else f"{share:.0%}"), caption)
