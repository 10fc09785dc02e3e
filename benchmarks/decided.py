"""Keep what profile `decide` has found, for chapters 12, 29 and 29b (`make decide-keep`).

From the results of a built profile (`_build/decide`) the rows that the claims of the paper, of its mechanisms
and of its neighbours ask for go into riqa/paper/decided.csv, and date, versions, machine, time and verdicts
into riqa/paper/decided.yaml.
"""

import sys
from pathlib import Path

import pandas as pd
import yaml

from riqa import paper, results
from riqa.files import read_json, write_whole
from riqa.publish.provenance import machine

FACTS = ("date", "code", "versions")
OF = {
    "12_weigh_claims": "claims",
    "29_weigh_the_mechanisms": "mechanisms",
    "29b_weigh_the_neighbours": "neighbours",
}
"""Chapter that weighs -> whose claims (`riqa.paper.claims`)."""


def asked_for(everything: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of all chapters that parts of claims ask for, and those that set their margins."""
    asked = []
    for _, part in pd.concat(map(paper.parts, OF.values())).iterrows():
        asked.append(paper.answering(everything, part))
        of_chapter = everything[everything["chapter"] == part["chapter"]]
        ends = [end for end in part[["noise", "truth"]] if isinstance(end, str)]
        asked += [of_chapter.query(end, engine="python") for end in ends]
    return pd.concat(asked).sort_index().drop_duplicates(results.KEYS).reset_index(drop=True)


def main(build: Path, folder: Path) -> None:
    """Write both files."""
    records = {path.stem: read_json(path) for path in sorted((build / "records").glob("*.json"))}
    everything = pd.concat([results.read(build / "work" / chapter) for chapter in records], ignore_index=True)
    rows = asked_for(everything)
    verdicts = everything[everything["metric"] == "verdict"].set_index(["chapter", "target"])["group"]
    facts = records["12_weigh_claims"]["facts"]
    about = {fact: facts[fact] for fact in FACTS} | {"machine": machine(facts["hardware"])}
    about["minutes"] = round(sum(one["facts"]["seconds"] for one in records.values()) / 60)
    about["verdicts"] = {
        OF[chapter]: own.droplevel(0).to_dict() for chapter, own in verdicts.groupby("chapter")
    }
    table = rows.assign(seeds=rows["seeds"].map(lambda seeds: " ".join(map(str, seeds))))
    write_whole(folder / "decided.csv", table.to_csv(index=False, float_format="%.6g"))
    write_whole(folder / "decided.yaml", yaml.safe_dump(about, sort_keys=False, allow_unicode=True))
    print(f"{len(rows)} rows and {len(verdicts)} verdicts of {build} kept in {folder}")


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "_build/decide"), Path(paper.__file__).parent)
