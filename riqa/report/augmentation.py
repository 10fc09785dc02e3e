"""What augmentation does to a Teacher's answers, laid out for a page, and as records."""

import pandas as pd
from pandas.io.formats.style import Styler

from riqa.learn.augment import Augmentation
from riqa.report.results import Result, record
from riqa.report.tables import page_table


def strength_text(name: str, strength: float, augmentation: Augmentation) -> str:
    """Write a strength in the units of its transformation: "+15°", "-2 %"; a flip has none."""
    if name == "rotation":
        return f"{strength * augmentation.max_rotation:+.3g}°"
    if name in ("brightness", "contrast", "saturation"):
        return f"{100 * strength * augmentation.max_colour_change:+.3g} %"
    return ""


def flips_for_page(table: pd.DataFrame, augmentation: Augmentation, caption: str) -> Styler:
    """Show the table of `riqa.learn.flips.flip_table`, with strengths in degrees and per cent."""
    inside = (table["strength"].abs() <= 1) | table["strength"].isna()
    cells = {
        "transformation": table["transformation"].str.replace("_", " "),
        "strength": [
            strength_text(row.transformation, row.strength, augmentation) for row in table.itertuples()
        ],
        "in training": inside.map({True: "yes", False: "no, beyond"}),
        "answers that flip": table["flipped"].map("{:.1%}".format),
        "of these, good to bad": [
            "–" if row.flipped == 0 else f"{row.to_bad / row.flipped:.0%}" for row in table.itertuples()
        ],
        "clear answers that flip": table["flipped_clear"].map(lambda x: "–" if pd.isna(x) else f"{x:.1%}"),
    }
    return page_table(pd.DataFrame(cells), caption, index=False)


def flip_records(table: pd.DataFrame, dataset: str, seed: int) -> list[Result]:
    """Make records ``augmentation.<dataset>.<transformation>.<where>.flipped`` and ``.flipped_clear``.

    `where` is ``inside`` (the worse end of the interval), ``beyond``, or ``drawn`` for what training does.
    """
    where = table["strength"].abs().gt(1).map({True: "beyond", False: "inside"})
    where = where.mask(table["strength"].isna(), "drawn")
    records = []
    for (name, place), rows in table.groupby(["transformation", where], sort=False):
        prefix = f"augmentation.{dataset}.{name.replace(' ', '_')}.{place}"
        shared = {"seeds": [seed], "method": "share of the Teacher's answers on validation images"}
        for key, n in (("flipped", "n"), ("flipped_clear", "n_clear")):
            records.append(record(f"{prefix}.{key}", rows[key].max(), n=rows[n].max(), **shared))
    return records
