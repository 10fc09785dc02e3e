"""What the paper prints and claims (Telesco et al. 2025, arXiv:2511.13353): CSV and YAML files, one reader.

Beside its claims stand the signs by which methods like it are known to fail (`signatures.yaml`), in the same
form: a failure that is absent is a claim like any other.

Where the paper contradicts itself the table is followed: Section 4.2 gives contrast on MSHF as 0.875
(Student) and 0.940 (Teacher), Table 4 prints 0.840 and 0.875.
"""

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

import pandas as pd

from riqa.yaml_text import parse_yaml

COUNTERPART = {3: "eyeq", 2: "deepdrid"}
"""Number of overall classes -> the paper's set that has as many."""


def numbers(*sources: str) -> pd.DataFrame:
    """Read numbers printed in "Table 2" to "Table 5" or "Section 4.1", or all, one row each, in that order.

    Returns:
        source; paper_set (eyeq, deepdrid, mshf, eyeq_d); printed_as, the method's name there; model, ours for
        the paper's own models, empty for other people's; target, metric and group as `riqa.results` has them
        (macro averages on three classes, else the class that is positive); paper, the number; significant,
        "*" where the paper marks a difference from the Teacher, or says so in section 4.1 (Table 2).
    """
    table = _csv("numbers")
    return table[table["source"].isin(sources)].reset_index(drop=True) if sources else table


def methods(printed_in: str = "Table 1") -> pd.DataFrame:
    """Read what recent methods answer, learn from and show: those of Table 1, or the literature since.

    "Table 1" gives the columns that it has; "since" one row per number, and adds paper_set, target, metric
    and value, as the abstract of `source` prints it (empty where we could not read one), and comparable,
    whether it may stand beside the paper's.
    """
    table = _csv("methods")
    table = table[table["printed_in"] == printed_in].drop(columns="printed_in").reset_index(drop=True)
    return table.loc[:, :"interpretability"] if printed_in == "Table 1" else table


def datasets(*names: str) -> pd.DataFrame:
    """Read the cards of sets (the book's or a reader's own; all of the book's, if none is given) in order.

    Returns:
        One row per set: title; photographs (who took them, of whom, why); cameras; labels (who said what
        about them); plays (the set of the paper whose part a made set plays); empty where nothing is to say.
    """
    cards = _yaml("datasets")
    blank = dict.fromkeys(["title", "photographs", "cameras", "labels", "plays"], "")
    own = {"photographs": "a reader's own", "labels": "see its dataset.yaml"}
    table = {name: blank | cards.get(name, {"title": name} | own) for name in names or cards}
    return pd.DataFrame(table.values(), list(table))


def claims(of: str = "claims") -> pd.DataFrame:
    """Read claims, one row per claim, with the keys of the `parts` that each needs.

    `of` says whose: "claims", the paper's; "mechanisms", the reasons that a reading of the paper names;
    "neighbours", those of systems whose ideas are tried here; or "signatures", that failures are absent.
    """
    return pd.DataFrame(_yaml(of)["claims"]).T


def parts(of: str = "claims") -> pd.DataFrame:
    """Read the questions that claims are made of, one row per part; `claims.yaml` says what columns mean."""
    asked, papers = _yaml(of), _yaml("claims")["parts"]
    found = {key: papers[key] for key in asked.get("shared", ())} | asked["parts"]
    blank = {"one_answer": [], "at_least": 1, "reference": 0.0, "noise": 0.0, "truth": 1.0, "turned": False}
    table = pd.DataFrame({key: blank | part for key, part in found.items()}).T
    return table.astype({"at_least": int, "reference": float, "turned": bool})


def decided() -> tuple[pd.DataFrame, dict]:
    """Read what profile `decide` found: rows of `riqa.results` that claims rest on, and date and verdicts.

    The second has date, code, versions, machine, minutes (of all chapters, one after another), and verdicts
    (whose -> claim -> its word, by the margins that chapters declare). `benchmarks/decided.py` writes both.
    """
    table = _csv("decided")
    table["seeds"] = [tuple(map(int, seeds.split())) for seeds in table["seeds"]]
    numbers = ["value", "low", "high", "confidence", "p"]
    table[numbers] = table[numbers].apply(pd.to_numeric)
    table["n"] = pd.to_numeric(table["n"]).astype("Int64")
    return table, _yaml("decided")


def quoted(table: pd.DataFrame, what: str) -> pd.DataFrame:
    """Find the rows that a part, or one of `others`, in `claims.yaml` asks for, see `answering`."""
    return answering(table, (_yaml("claims")["parts"] | _yaml("claims")["others"])[what])


def answering(table: pd.DataFrame, asked: Mapping[str, str]) -> pd.DataFrame:
    """Find those rows of all chapters' results that a part asks for, by its `chapter` and its `query`."""
    own = table[table["chapter"] == asked["chapter"]]
    return own if own.empty else own.query(asked["query"], engine="python")


@cache
def _yaml(name: str) -> dict:
    return parse_yaml((files(__name__) / f"{name}.yaml").read_text(encoding="utf-8"))


def _csv(name: str) -> pd.DataFrame:
    with (files(__name__) / f"{name}.csv").open(encoding="utf-8") as file:
        return pd.read_csv(file, keep_default_na=False, dtype={"paper": float})
