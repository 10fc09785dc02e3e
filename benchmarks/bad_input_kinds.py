"""The kinds of bad input that `benchmarks/bad_inputs.py` makes: one function per kind, from a generator."""

import contextlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import yaml

from benchmarks.bad_files import broken_image, special_file, torn
from benchmarks.bad_input_lab import DESCRIPTION, N_GOOD, PLAN, Case, Lab, copy_table, write_labels

ROOT = Path(__file__).parent.parent
JUNK = (
    None, True, False, -1, 0, 1, 2.5, -0.5, 1e308, float("nan"), float("inf"), "", " ", "x", "1e-3", "no",
    "[", "a: b: c", [], [None], [[1]], {}, {"a": 1}, "../..", "/", "\x07", "é" * 300, 10**30, "2025-01-01",
    "0x10",
)  # fmt: skip
WRONG = (
    "nan", ".inf", "-.inf", "-1e30", "[1]", "text", "{a: 1}", "true", "", "~", "-7", '"3"', "[]",
    "2025-01-01",
)  # fmt: skip
NAMES = (
    b"M\374ller.jpg", b"new\nline.jpg", b"\x1b[31mred.jpg", b"[red]bold[x].jpg", "Größe.jpg".encode(),
    b"-rf.jpg", b"--json", b"%s%d.jpg", b"a" * 240 + b".jpg", b" space .jpg", b"quo'te\".jpg", b"tab\t.jpg",
    b"\xff\xfe.jpg", b"dots...jpg", b"<b>&amp;.jpg", b"\xe2\x80\xae.jpg", b"x.jpg.exe", b"noending",
)  # fmt: skip


# Images


def images(rng: np.random.Generator, folder: Path, lab: Lab) -> Case:
    """A bad photograph beside a good one, assessed, curated or checked."""
    command = rng.choice(["assess", "assess", "curate", "check"])
    names = NAMES if rng.random() < 0.3 else [b"bad.jpg", b"bad.png", b"bad.tif"]
    name = os.fsdecode(rng.choice(names))
    table = copy_table(lab, folder)
    bad = table / "img" / name
    if rng.random() < 0.15:
        what = special_file(rng, bad)
    else:
        data, what = broken_image(rng, lab.photographs[rng.integers(len(lab.photographs))])
        bad.write_bytes(data)
    what = f"{command}: {what}, named {os.fsencode(name)!r}"
    if command == "assess":
        arguments = ["assess", lab.model, "--json"]
        page = folder / "page.html"
        arguments += ["--html", page] if rng.random() < 0.5 else []
        arguments += ["--", bad, table / "img" / "000.jpg"] if rng.random() < 0.5 else ["--", table / "img"]

        def judge(code: int, out: str, err: str) -> list[str]:
            answered = {json.loads(line)["path"] for line in out.splitlines()}
            lost = [] if str(table / "img" / "000.jpg") in answered else ["the good one has no answer"]
            if "--html" in arguments and not page.read_text("utf-8").rstrip().endswith("</html>"):
                lost.append("the page is not whole")
            return lost

        return Case(what, folder, arguments, {0, 1}, judge)
    with (table / "labels.csv").open("ab") as labels:
        labels.write(b'"img/%s",p_bad,A,no\n' % os.fsencode(name).replace(b'"', b'""'))
    if command == "curate":
        store = folder / "store"

        def judge(code: int, out: str, err: str) -> list[str]:
            if code != 0:
                return []
            kept, aside = pd.read_parquet(store / "manifest.parquet"), pd.read_csv(store / "set_aside.csv")
            whole = N_GOOD <= len(kept) + len(aside) <= N_GOOD + 1
            return [] if whole else [f"{len(kept)} kept, {len(aside)} not"]

        arguments = ["curate", "table", "--root", table, "--out", store, "--size", "32"]
        return Case(what, folder, arguments, {0, 2}, judge)
    return check_of(table, what, images=True)


def check_of(table: Path, what: str, images: bool = False) -> Case:
    """Let `riqa check` look at a table, whose parent is the case's folder."""
    arguments = ["check", "table", "--root", table, *["--no-images"] * (not images), "--json"]
    return Case(what, table.parent, arguments, {0, 2}, json_document)


def json_document(code: int, out: str, err: str) -> list[str]:
    """Refuse output that is no JSON document, unless there is none and exit code 2."""
    if out.strip() or code != 2:
        json.loads(out)
    return []


# Tables and their description


def tables(rng: np.random.Generator, folder: Path, lab: Lab) -> Case:
    """A table of labels as somebody's program wrote it."""
    table = copy_table(lab, folder)
    frame = write_labels(table, N_GOOD)
    words = []
    for _ in range(rng.integers(0, 4)):
        row, column = rng.integers(len(frame)), rng.integers(frame.shape[1])
        value = JUNK[rng.integers(len(JUNK))]
        frame = frame.astype(object)
        frame.iat[row, column] = None if isinstance(value, list | dict) else value
        words.append(f"{frame.columns[column]}={value!r:.20}")
    if rng.random() < 0.2:
        frame = frame.iloc[: rng.integers(0, 2)]
    if rng.random() < 0.2:
        frame = pd.concat([frame, frame.iloc[:1]])
    if rng.random() < 0.15:
        frame.columns = rng.permutation(frame.columns)
    if rng.random() < 0.15:
        frame = frame.rename(columns={"grade": rng.choice(["Grade", " grade", "file", ""])})
    ending = rng.choice(["csv", "csv", "csv", "xlsx", "parquet", "txt"])
    path = table / f"labels.{ending}"
    description = DESCRIPTION | {"labels": path.name}
    (table / "dataset.yaml").write_text(yaml.safe_dump(description))
    with contextlib.suppress(Exception):  # what this writer cannot write is left out
        if ending == "xlsx":
            frame.to_excel(path, index=False, startrow=int(rng.integers(0, 3)))
        elif ending == "parquet":
            kind = rng.choice(["object", "string", "category"])
            frame.astype(str).astype(kind).to_parquet(path)
        else:
            separator, end = rng.choice(list(",;\t|")), rng.choice(["\n", "\r\n"])
            text = frame.to_csv(index=False, sep=separator, lineterminator=end)
            if rng.random() < 0.3:
                text = text.replace("\n", rng.choice([",\n", "\n\n", "\n,,,\n", ";\n", '"\n']))
            encoding = rng.choice(["utf-8", "utf-8-sig", "utf-16", "cp1252", "utf-16-le"])
            path.write_bytes(text.encode(encoding, "replace"))
    if path.exists() and rng.random() < 0.3:
        data = torn(rng, path.read_bytes(), 20)
        path.write_bytes(data[: rng.integers(len(data) + 1)] if rng.random() < 0.4 else data)
        words.append("bytes changed")
    return check_of(table, f"{ending} {', '.join(words)}")


def spoiled(rng: np.random.Generator, content: dict) -> tuple[bytes, str]:
    """Change a few entries of a nested mapping, or bytes of its YAML, and return it as YAML."""
    content = json.loads(json.dumps(content))
    words = []
    for _ in range(rng.integers(1, 3)):
        place = content
        key = rng.choice(list(place))
        while isinstance(place.get(key), dict) and place[key] and rng.random() < 0.6:
            place = place[key]
            key = rng.choice(list(place))
        match rng.integers(4):
            case 0:
                place.pop(key)
                words.append(f"without {key}")
            case 1:
                place[f"{key}s"] = place[key]
                words.append(f"{key}s")
            case _:
                place[key] = JUNK[rng.integers(len(JUNK))]
                words.append(f"{key}={place[key]!r:.30}")
        if not content:
            break
    data = yaml.dump(content, allow_unicode=True).encode("utf-8", "surrogateescape")
    if rng.random() < 0.25:
        data = torn(rng, data, 10)
        words.append("bytes changed")
    return data, ", ".join(words)


def descriptions(rng: np.random.Generator, folder: Path, lab: Lab) -> Case:
    """A `dataset.yaml` with something wrong in it."""
    table = copy_table(lab, folder)
    data, what = spoiled(rng, DESCRIPTION)
    (table / "dataset.yaml").write_bytes(data)
    return check_of(table, what)


def trainings(rng: np.random.Generator, folder: Path, lab: Lab) -> Case:
    """A file of `riqa train` with something wrong in it."""
    data, what = spoiled(rng, PLAN | {"store": str(lab.folder / "store"), "threads": 1, "device": "cpu"})
    if b"1e+308" in data or b"10000000000000000" in data:  # so many epochs are legal, and too long to wait
        data, what = b"training: {epochs: 0}\n", "epochs 0 and nothing else"
    (folder / "plan.yaml").write_bytes(data)
    return Case(what, folder, ["train", "--config", folder / "plan.yaml", "--jobs", "1"], {0, 1, 2})


# Chapters


def parameters(rng: np.random.Generator, folder: Path, lab: Lab) -> Case:
    """A chapter's parameter with a value that it cannot have; no kernel may start for it."""
    from riqa.publish.chapters import read_chapters
    from riqa.publish.parameters import declared_parameters

    chapters = read_chapters(ROOT)
    chapter = chapters[rng.choice(list(chapters))]
    declared = declared_parameters(chapter.notebook)
    numbers = [name for name, one in declared.items() if one.type in ("int", "float")]
    name = rng.choice(numbers)
    value = str(rng.choice(WRONG))
    if rng.random() < 0.2:
        name, value = f"{name}x", "1"
    arguments = ["run", chapter.name, "-p", f"{name}={value}", "--out", folder / "run"]

    def judge(code: int, out: str, err: str) -> list[str]:
        started = ["a kernel started"] if (folder / "run").exists() else []
        return started + ([] if name in err else ["the parameter is not named"])

    return Case(f"{chapter.name} {name}={value}", folder, arguments, {2}, judge, cwd=ROOT)


def profiles(rng: np.random.Generator, folder: Path, lab: Lab) -> Case:
    """A profile with something wrong in it."""
    book = folder / "book"
    (book / "profiles").mkdir(parents=True)
    for name in ("notebooks", "Snakefile"):
        (book / name).symlink_to(ROOT / name)
    source = rng.choice(["smoke", "quick", "eyeq_thumbs", "paper"])
    data, what = spoiled(rng, yaml.safe_load((ROOT / "profiles" / f"{source}.yaml").read_text()))
    (book / "profiles" / "mine.yaml").write_bytes(data)
    chapter = rng.choice(["01", "04", "05", "06"])
    return Case(f"{source} {what}", folder, ["chapters", chapter, "--profile", "mine"], {0, 2}, cwd=book)


# Models and folders


def models(rng: np.random.Generator, folder: Path, lab: Lab) -> Case:
    """A model of which a file is torn, changed or gone."""
    stem = folder / lab.model.name
    endings = (".safetensors", ".json", ".novelty.safetensors")
    for ending in endings:
        shutil.copy(f"{lab.model}{ending}", f"{stem}{ending}")
    ending = str(rng.choice(endings))
    path = Path(f"{stem}{ending}")
    match rng.integers(4):
        case 0:
            path.write_bytes(path.read_bytes()[: rng.integers(path.stat().st_size)])
            what = "truncated"
        case 1:
            path.unlink()
            what = "gone"
        case 2 if ending == ".json":
            data, what = spoiled(rng, json.loads(path.read_text()))
            path.write_bytes(data)
            with contextlib.suppress(yaml.YAMLError, UnicodeDecodeError):
                path.write_text(json.dumps(yaml.safe_load(data), default=str))
        case _:
            path.write_bytes(torn(rng, path.read_bytes(), 40, within=3000))
            what = "bytes changed"
    return Case(f"{ending} {what}", folder, ["assess", stem, lab.photographs[0], "--json"], {0, 1, 2})


def folders(rng: np.random.Generator, folder: Path, lab: Lab) -> Case:
    """A place to write or read that cannot be used."""
    table = lab.folder / "table"
    place = folder / "place"
    match rng.integers(5):
        case 0:
            place.mkdir(mode=0o555)
            where, what = place / "x", "read-only"
        case 1:
            place.write_text("a file")
            where, what = place / "x", "below a file"
        case 2:
            where, what = Path("/proc/nowhere/x"), "in /proc"
        case 3:
            where, what = folder / ("n" * 300), "too long a name"
        case _:
            place.symlink_to(place.name)
            where, what = place / "x", "below a link to itself"
    match rng.integers(5):
        case 0:
            command = ["curate", "table", "--root", table, "--out", where, "--size", "32"]
        case 1:
            command = ["assess", lab.model, lab.photographs[0], "--html", where]
        case 2:
            plan = PLAN | {"store": str(lab.folder / "store"), "out": str(where)}
            (folder / "plan.yaml").write_text(yaml.safe_dump(plan))
            command = ["train", "--config", folder / "plan.yaml", "--jobs", "1"]
        case 3:
            command = ["check", "table", "--root", where]
        case _:
            command = ["curate", "table", "--root", where, "--out", folder / "store", "--size", "32"]
    return Case(f"{command[0]} {what}", folder, command, {2})


KINDS: dict[str, Callable[[np.random.Generator, Path, Lab], Case]] = {
    "image": images,
    "table": tables,
    "description": descriptions,
    "training": trainings,
    "parameter": parameters,
    "profile": profiles,
    "model": models,
    "folder": folders,
}
