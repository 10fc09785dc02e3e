"""The kinds of bad input that `benchmarks/bad_inputs.py` makes: one function per kind, from a generator."""

import contextlib
import io
import json
import os
import shutil
import socket
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from PIL import Image

ROOT = Path(__file__).parent.parent
N_GOOD = 6  # photographs of the small table that everything is mixed with
DESCRIPTION = {
    "name": "clinic",
    "labels": "labels.csv",
    "n_classes": 3,
    "columns": {"image": "file", "patient_id": "patient", "overall": "grade", "clarity": "sharp"},
    "codes": {
        "overall": {"A": "good", "B": "usable", "C": "reject"},
        "clarity": {"yes": "good", "no": "bad"},
    },
}
PLAN = {
    "store": "store",
    "out": "models",
    "heads": ["overall"],
    "backbone": "resnet10",
    "seeds": [0],
    "training": {"epochs": 1, "batch_size": 4, "learning_rate": 0.01},
}
JUNK = (
    None, True, False, -1, 0, 1, 2.5, -0.5, 1e308, float("nan"), float("inf"), "", " ", "x", "1e-3", "no",
    "[", "a: b: c", [], [None], [[1]], {}, {"a": 1}, "../..", "/", "\x07", "é" * 300, 10**30, "2025-01-01",
    "0x10",
)  # fmt: skip
NAMES = (
    b"M\374ller.jpg", b"new\nline.jpg", b"\x1b[31mred.jpg", b"[red]bold[x].jpg", "Größe.jpg".encode(),
    b"-rf.jpg", b"--json", b"%s%d.jpg", b"a" * 240 + b".jpg", b" space .jpg", b"quo'te\".jpg", b"tab\t.jpg",
    b"\xff\xfe.jpg", b"dots...jpg", b"<b>&amp;.jpg", b"\xe2\x80\xae.jpg", b"x.jpg.exe", b"noending",
)  # fmt: skip


@dataclass(frozen=True)
class Lab:
    """Good inputs that bad ones are made from.

    Attributes:
        folder: It holds ``table/`` with dataset.yaml, labels.csv and img/, ``store/`` and ``models/``.
    """

    folder: Path

    @property
    def photographs(self) -> list[Path]:
        """The photographs of the table."""
        return sorted((self.folder / "table" / "img").iterdir())

    @property
    def model(self) -> Path:
        """The stem of a model that was trained on them."""
        return next((self.folder / "models").glob("*-s0.json")).with_suffix("")


@dataclass
class Case:
    """One bad input, and the command that reads it.

    Attributes:
        what: The input in words.
        folder: The case's own folder; the command runs there unless `cwd` says otherwise.
        arguments: Of `riqa`.
        codes: Exit codes that it may have.
        judge: Looks at (exit code, stdout, stderr) and at files; returns what is wrong.
        cwd: The folder to run in.
    """

    what: str
    folder: Path
    arguments: list[str | bytes | Path]
    codes: set[int]
    judge: Callable[[int, str, str], list[str]] = field(default=lambda code, out, err: [])
    cwd: Path | None = None

    def tidy(self) -> None:
        """Remove the case's folder, whatever the rights in it."""
        for path in [self.folder, *self.folder.rglob("*")]:
            if path.is_dir() and not path.is_symlink():
                path.chmod(0o777)
        shutil.rmtree(self.folder)


def furnish(lab: Lab) -> None:
    """Draw the photographs, curate them, and train a model for one epoch."""
    from riqa.data.adapters import load
    from riqa.data.curate import curate
    from riqa.learn.plan_file import plan_runs, read_plan
    from riqa.learn.runs import run_all
    from riqa.phantom.fundus import CAMERAS
    from riqa.phantom.photograph import Exposure, render_clean, write_jpeg

    table = lab.folder / "table"
    (table / "img").mkdir(parents=True)
    for k in range(3 * N_GOOD):
        camera = list(CAMERAS)[k % len(CAMERAS)]
        shot = Exposure("phantom_grades", 1, k, k, "left", "macula", camera, 160)
        write_jpeg(table / "img" / f"{k:03d}.jpg", render_clean(shot).image)
    write_labels(table, 3 * N_GOOD).to_csv(table / "labels.csv", index=False)
    curate(load("table", table), lab.folder / "store", 32)
    plan = PLAN | {"store": str(lab.folder / "store"), "out": str(lab.folder / "models")}
    (lab.folder / "plan.yaml").write_text(yaml.safe_dump(plan))
    run_all(plan_runs(read_plan(lab.folder / "plan.yaml")))


def write_labels(folder: Path, n: int) -> pd.DataFrame:
    """Write `DESCRIPTION` into a folder and return the table of labels that belongs to it."""
    (folder / "dataset.yaml").write_text(yaml.safe_dump(DESCRIPTION))
    rows = [
        {"file": f"img/{k:03d}", "patient": f"p{k}", "grade": "ABC"[k % 3], "sharp": "yes"} for k in range(n)
    ]
    return pd.DataFrame(rows)


def copy_table(lab: Lab, folder: Path) -> Path:
    """Copy the first photographs of the table, with their labels, into a case's folder."""
    table = folder / "table"
    (table / "img").mkdir(parents=True)
    for path in lab.photographs[:N_GOOD]:
        os.link(path, table / "img" / path.name)
    write_labels(table, N_GOOD).to_csv(table / "labels.csv", index=False)
    return table


# Images


def encoded(rng: np.random.Generator, image: Image.Image) -> tuple[bytes, str]:
    """Save an image in some mode and format; return the bytes and both names."""
    while True:
        kind = rng.choice(
            ["JPEG", "PNG", "TIFF", "BMP", "GIF", "WEBP", "PPM", "TGA", "ICO", "JPEG2000", "MPO"]
        )
        mode = rng.choice(
            ["1", "L", "LA", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "I;16", "F"]
        )
        buffer = io.BytesIO()
        with contextlib.suppress(Exception):
            image.convert("L").convert(mode).save(buffer, str(kind)) if mode in (
                "I",
                "I;16",
                "F",
            ) else image.convert(mode).save(buffer, str(kind))
            return buffer.getvalue(), f"{kind} {mode}"


def broken_image(rng: np.random.Generator, lab: Lab) -> tuple[bytes, str]:
    """Make bytes that claim to be a photograph."""
    path = lab.photographs[rng.integers(len(lab.photographs))]
    image = Image.open(path)
    jpeg = path.read_bytes()
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    png = buffer.getvalue()
    data, kind = encoded(rng, image)
    match rng.integers(13):
        case 0:
            return data[: rng.integers(len(data))], f"{kind}, truncated"
        case 1:
            torn = bytearray(data)
            for at in rng.integers(len(torn), size=rng.integers(1, 200)):
                torn[at] = rng.integers(256)
            return bytes(torn), f"{kind}, bytes changed"
        case 2:
            torn = bytearray(data)
            for at in rng.integers(min(len(torn), 200), size=rng.integers(1, 12)):
                torn[at] = rng.integers(256)
            return bytes(torn), f"{kind}, header changed"
        case 3:
            return rng.bytes(rng.integers(0, 3000)), "random bytes"
        case 4:
            return [
                b"",
                b"<html></html>",
                b"\xff\xd8\xff",
                b"\x89PNG\r\n\x1a\n",
                b"II*\0",
                b"RIFF\0\0\0\0WEBP",
            ][rng.integers(6)], "hardly anything"
        case 5:
            exif = (
                b"Exif\0\0"
                + rng.choice([b"II*\0\x08\0\0\0", b"MM\0*\0\0\0\x08"])
                + rng.bytes(rng.integers(200))
            )
            return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:], "random EXIF"
        case 6:
            kind, count = rng.integers(0, 14), rng.integers(0, 4)
            entries = struct.pack("<HHII", 0x0112, kind, count, rng.integers(2**32))
            entries += struct.pack(
                "<HHII", rng.integers(65536), kind, rng.integers(2**32), rng.integers(2**32)
            )
            exif = b"Exif\0\0II*\0\x08\0\0\0\2\0" + entries + b"\0\0\0\0"
            return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[
                2:
            ], f"EXIF type {kind}"
        case 7:
            name = rng.choice(
                [b"tEXt", b"zTXt", b"iTXt", b"iCCP", b"sBIT", b"eXIf", b"tRNS", b"PLTE", b"gAMA"]
            )
            body = rng.choice([rng.bytes(rng.integers(40)), b"a\0\0" + zlib.compress(bytes(3_000_000))])
            checksum = zlib.crc32(name + body) if rng.random() < 0.7 else 0
            chunk = struct.pack(">I", len(body)) + name + body + struct.pack(">I", checksum)
            return png[:33] + chunk + png[33:], f"PNG with {name.decode()}"
        case 8:
            sides = struct.pack(">II", *rng.choice([0, 1, 100, 65_535, 200_000, 2**31 - 1], 2))
            header = b"IHDR" + sides + png[24:29]
            return png[:12] + header + struct.pack(">I", zlib.crc32(header)) + png[33:], "PNG of other sides"
        case 9:
            sides = rng.choice([1, 2, 3, 5, 17, 3000], 2)
            odd = Image.fromarray(rng.integers(0, 256, (*sides, 3), np.uint8))
            buffer = io.BytesIO()
            odd.save(buffer, "PNG")
            return buffer.getvalue(), f"{sides[0]} x {sides[1]} pixels of noise"
        case 10:
            deep = (np.asarray(image.convert("L")).astype(np.uint16) << rng.integers(0, 9)).astype(np.uint16)
            buffer = io.BytesIO()
            Image.fromarray(deep).save(buffer, rng.choice(["PNG", "TIFF", "PPM"]))
            return buffer.getvalue(), f"grey up to {deep.max()}"
        case 11:
            return jpeg + rng.bytes(rng.integers(5000)), "JPEG with something behind it"
        case _:
            return data, kind


def special_file(rng: np.random.Generator, path: Path) -> str:
    """Put something there that is no plain file, or that nobody may read."""
    match rng.integers(6):
        case 0:
            path.mkdir()
            return "a folder"
        case 1:
            os.mkfifo(path)
            return "a pipe"
        case 2:
            path.symlink_to("nowhere")
            return "a broken link"
        case 3:
            path.symlink_to(path.name)
            return "a link to itself"
        case 4:
            with socket.socket(socket.AF_UNIX) as end, contextlib.chdir(path.parent):
                end.bind("s")
            (path.parent / "s").rename(path)
            return "a socket"
        case _:
            path.write_bytes(b"x")
            path.chmod(0)
            return "no permission"


def images(rng: np.random.Generator, folder: Path, lab: Lab) -> Case:
    """A bad photograph beside a good one, assessed, curated or checked."""
    command = rng.choice(["assess", "assess", "curate", "check"])
    name = os.fsdecode(
        rng.choice(NAMES) if rng.random() < 0.3 else rng.choice([b"bad.jpg", b"bad.png", b"bad.tif"])
    )
    table = copy_table(lab, folder)
    bad = table / "img" / name
    if rng.random() < 0.15:
        what = special_file(rng, bad)
    else:
        data, what = broken_image(rng, lab)
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
            return (
                []
                if N_GOOD <= len(kept) + len(aside) <= N_GOOD + 1
                else [f"{len(kept)} kept, {len(aside)} not"]
            )

        return Case(
            what, folder, ["curate", "table", "--root", table, "--out", store, "--size", "32"], {0, 2}, judge
        )
    return Case(what, folder, ["check", "table", "--root", table, "--json"], {0, 2}, json_document)


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
            text = frame.to_csv(
                index=False, sep=rng.choice(list(",;\t|")), lineterminator=rng.choice(["\n", "\r\n"])
            )
            if rng.random() < 0.3:
                text = text.replace("\n", rng.choice([",\n", "\n\n", "\n,,,\n", ";\n", '"\n']))
            path.write_bytes(
                text.encode(rng.choice(["utf-8", "utf-8-sig", "utf-16", "cp1252", "utf-16-le"]), "replace")
            )
    if path.exists() and rng.random() < 0.3:
        torn = bytearray(path.read_bytes())
        for at in rng.integers(max(len(torn), 1), size=rng.integers(1, 20)):
            if torn:
                torn[at] = rng.integers(256)
        path.write_bytes(bytes(torn[: rng.integers(len(torn) + 1)] if rng.random() < 0.4 else torn))
        words.append("bytes changed")
    what = f"{ending} {', '.join(words)}"
    return Case(
        what, folder, ["check", "table", "--root", table, "--no-images", "--json"], {0, 2}, json_document
    )


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
        torn = bytearray(data)
        for at in rng.integers(max(len(torn), 1), size=rng.integers(1, 10)):
            if torn:
                torn[at] = rng.integers(256)
        data = bytes(torn)
        words.append("bytes changed")
    return data, ", ".join(words)


def descriptions(rng: np.random.Generator, folder: Path, lab: Lab) -> Case:
    """A `dataset.yaml` with something wrong in it."""
    table = copy_table(lab, folder)
    data, what = spoiled(rng, DESCRIPTION)
    (table / "dataset.yaml").write_bytes(data)
    return Case(
        what, folder, ["check", "table", "--root", table, "--no-images", "--json"], {0, 2}, json_document
    )


def trainings(rng: np.random.Generator, folder: Path, lab: Lab) -> Case:
    """A file of `riqa train` with something wrong in it."""
    data, what = spoiled(rng, PLAN | {"store": str(lab.folder / "store"), "threads": 1, "device": "cpu"})
    if (
        b"1e+308" in data or b"10000000000000000" in data
    ):  # so many epochs are legal, and too long to wait for
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
    wrong = [
        "nan",
        ".inf",
        "-.inf",
        "-1e30",
        "[1]",
        "text",
        "{a: 1}",
        "true",
        "",
        "~",
        "-7",
        '"3"',
        "[]",
        "2025-01-01",
    ]
    value = str(rng.choice(wrong))
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
            torn = bytearray(path.read_bytes())
            for at in rng.integers(min(len(torn), 3000), size=rng.integers(1, 40)):
                torn[at] = rng.integers(256)
            path.write_bytes(bytes(torn))
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
            (folder / "plan.yaml").write_text(
                yaml.safe_dump(PLAN | {"store": str(lab.folder / "store"), "out": str(where)})
            )
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
