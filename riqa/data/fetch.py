"""Downloads of what may be had without an account: addresses, checksums, licences, in the layout of adapters.

Label files and predictions come from GitHub at a fixed commit, with the SHA-256 of the file then. DeepDRiD
comes from Zenodo and FIVES from figshare, with the MD5 sums that are published there. For MSHF figshare is
asked, by the dataset's DOI, for the name and the MD5 sum of its archive.
"""

import shutil
import subprocess
import tempfile
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path

from riqa.errors import InputError
from riqa.files import atomic_write
from riqa.terminal import watched


@dataclass(frozen=True)
class Download:
    """One file."""

    url: str  # where it is; or `doi:` and the DOI of a dataset that consists of one zip file
    name: str  # its name here
    checksum: str | None  # as pooch writes it: SHA-256, or `md5:` and an MD5 sum; None asks behind the DOI
    keep: str | None = None  # of an archive the one folder that is unpacked, wherever in it that folder lies


@dataclass(frozen=True)
class Source:
    """What `riqa fetch NAME` downloads."""

    title: str
    licence: str
    size: str  # in words
    files: tuple[Download, ...]  # none where only instructions can be given
    then: str  # what to do next; {folder} stands for where it lies


EYEPACS = """\
EyeQ's photographs are those of Kaggle's competition "diabetic-retinopathy-detection": 35,126 for training and
53,576 for testing, of which EyeQ labels 12,543 and 16,249. Kaggle gives them to those who have an account and
accept the rules of the competition:

 1. Log in and accept the rules: https://www.kaggle.com/c/diabetic-retinopathy-detection/rules
 2. Download train.zip.001 to .005 and test.zip.001 to .007, in a browser or with
        kaggle competitions download -c diabetic-retinopathy-detection
 3. Join and unpack them where EyeQ's label files are (riqa fetch eyeq):
        cat train.zip.* > train.zip && unzip train.zip -d {folder}
        cat test.zip.* > test.zip && unzip test.zip -d {folder}
    which gives {folder}/train/10_left.jpeg and so on.
 4. riqa check eyeq --root {folder}

Any part of the photographs will do; what is missing is counted."""

_RAW = "https://raw.githubusercontent.com/"
_EYEQ = f"{_RAW}HzFu/EyeQ/fbe4618b4d797aa515438b5e7206109df93ded1e"
_EYEQ_D = (
    f"{_RAW}ltelesco/Semi-Supervised-Multi-Task-Learning-for-Interpretable-Quality-Assessment-of-Fundus-Images"
    "/5954e303bf3e97dd7b136a8f9fd9701763c9ffc5"
)
_QUICKQUAL = f"{_RAW}justinengelmann/QuickQual/582dcfe0d3263b37edf34162bb08a10f4237c305"
_ZENODO = "https://zenodo.org/api/records/8248825/files/deepdrdoc/DeepDRiD-v1.1.zip/content"
_FIVES = "FIVES A Fundus Image Dataset for AI-based Vessel Segmentation"
_SUMS = {
    "Label_EyeQ_train.csv": "34f39f8923f62a13fcaeccef7e5da7ec607b45805e7736042fa274b2731b9480",
    "Label_EyeQ_test.csv": "209135bb0dff2d6203c445ee010cbdcb925edb5338a040dc6ae62c06649047b3",
    "EyeQ-D-Quality-Details.csv": "e30ee6c9a6f779440d6c6eb7fa03d945ef48eaa514e22a7e3da0fae501770cf7",
    "mcf_net_eyeq_test.csv": "2e748ef9ed3051d985f466ef02803a3ccbabf9989a89b562cfbec37a8a1c0bd6",
    "quickqual_eyeq_test.csv": "1c6c3eb8aaeb4c2c674d2ffd78f7a426067edd67f238dc902725dd9959419cda",
    "MSHF dataset 2.0.zip": None,
    "DeepDRiD-v1.1.zip": "md5:3379e2fd7a2dd398545a67148420a5d3",
    "FIVES.rar": "md5:789c80dd5376a82063e27fa49192bac9",
}


def _file(url: str, name: str = "", keep: str | None = None) -> Download:
    name = name or url.rsplit("/", 1)[1]
    return Download(url, name, _SUMS[name], keep)


SOURCES = {
    "eyeq": Source(
        "EyeQ's labels (photographs: eyepacs)",
        "see the repository HzFu/EyeQ",
        "0.7 MB",
        tuple(_file(f"{_EYEQ}/data/Label_EyeQ_{part}.csv") for part in ("train", "test")),
        "Add the photographs (riqa fetch eyepacs), then: riqa check eyeq --root {folder}",
    ),
    "eyepacs": Source(
        "EyeQ's photographs", "rules of the Kaggle competition", "needs an account", (), EYEPACS
    ),
    "eyeq_d": Source(
        "EyeQ-D: details of 160 EyeQ test photographs",
        "see the paper's repository",
        "3 kB",
        (_file(f"{_EYEQ_D}/data/EyeQ-D-Quality-Details.csv"),),
        "Its photographs are EyeQ's, of the test set: put them into {folder}/test, or eyeq beside it. "
        "Then: riqa check eyeq_d --root {folder}",
    ),
    "mshf": Source(
        "MSHF: photographs and scores",
        "CC BY 4.0",
        "1.1 GB",
        (_file("doi:10.6084/m9.figshare.21507564", "MSHF dataset 2.0.zip", "MSHF dataset 2.0"),),
        "Next: riqa check mshf --root {folder}",
    ),
    "deepdrid": Source(
        "DeepDRiD: regular fundus photographs and labels",
        "CC BY-SA 4.0",
        "1.4 GB",
        (_file(_ZENODO, "DeepDRiD-v1.1.zip", "regular_fundus_images"),),
        "Next: riqa check deepdrid --root {folder}",
    ),
    "fives": Source(
        "FIVES: photographs and scores of their quality",
        "CC BY 4.0",
        "1.8 GB",
        (_file("https://ndownloader.figshare.com/files/34969398", "FIVES.rar", _FIVES),),
        "Next: riqa check fives --root {folder}",
    ),
    "published": Source(
        "Predictions of MCF-Net and QuickQual on EyeQ's test set",
        "see the repositories HzFu/EyeQ and justinengelmann/QuickQual",
        "2.2 MB",
        (
            _file(f"{_EYEQ}/MCF_Net/result/DenseNet121_v3_v1.csv", "mcf_net_eyeq_test.csv"),
            _file(f"{_QUICKQUAL}/Results/quickqual_results.csv", "quickqual_eyeq_test.csv"),
        ),
        "Columns: image_name, and the probabilities Good, Usable, Reject.",
    ),
}
"""Everything that can be fetched, by name. Commits and sums were looked up in November 2026."""


def fetch(name: str, to: Path | str) -> list[Path]:
    """Download what a name of `SOURCES` stands for into a folder; a file that is there is never changed.

    Returns:
        What lies there now: files, or the folder that was unpacked.

    Raises:
        InputError: If nothing has that name, a host cannot be reached, a checksum differs (of a download,
            or of a file of that name that is there), or the folder cannot be written. Nothing is left
            half-written.
    """
    if name not in SOURCES:
        raise InputError(f"nothing named {name!r} can be fetched; there are {', '.join(SOURCES)}")
    to = Path(to)
    missing = [folder for folder in (to, *to.parents) if not folder.exists()]
    try:
        return [_fetch(file, to) for file in SOURCES[name].files]
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{to} cannot be written ({reason}); give another folder with --to") from None
    finally:
        for folder in missing:  # pooch makes them before it knows whether there will be a file
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def _fetch(file: Download, to: Path) -> Path:
    """Download one file, and unpack it if it is an archive."""
    import pooch
    from requests.exceptions import HTTPError, RequestException

    target, archive = to / (file.keep or file.name), to / file.name
    if file.keep and target.is_dir():
        return target
    by_hand = f"or download it in a browser to {archive}"
    pooch.get_logger().setLevel("WARNING")
    url, checksum = file.url, file.checksum
    try:
        if checksum is None:
            url, checksum = _ask_archive(file.url, by_hand)
        if not archive.exists():
            kind = pooch.DOIDownloader if url.startswith("doi:") else pooch.HTTPDownloader
            get = kind(progressbar=watched(), chunk_size=1 << 16)
            atomic_write(archive, lambda a: pooch.retrieve(url, checksum, a.name, a.parent, downloader=get))
        elif not pooch.hashes.hash_matches(str(archive), checksum):
            raise InputError(f"{archive} is not the published file; move it away and fetch again")
    except HTTPError as error:
        raise InputError(f"{url} answers {error.response.status_code}; try again later, {by_hand}") from None
    except RequestException:
        raise InputError(f"{url} cannot be reached; check the connection, {by_hand}") from None
    except InputError:
        raise
    except ValueError:  # pooch's word for a checksum that differs
        other = "gave another file than the published one (its checksum differs)"
        raise InputError(f"{url} {other}; it was not kept, try again later") from None
    if file.keep:
        _unpack(archive, file.keep, to)
    return target


def _ask_archive(doi: str, by_hand: str) -> tuple[str, str]:
    """Return the address and the checksum of a dataset's one zip file, as the archive behind its DOI says."""
    import pooch

    shelf = pooch.create(path=Path(), base_url=doi)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a DOI without a version means the latest one, which is wanted
            shelf.load_registry_from_doi()
    except OSError:  # no connection; some of requests' errors are ValueErrors, too
        raise
    except (LookupError, ValueError):
        raise InputError(f"{doi} is not where pooch can look for it; try again later, {by_hand}") from None
    archives = [name for name in shelf.registry if name.endswith(".zip")]
    if len(archives) != 1:
        raise InputError(f"{doi} holds {len(archives)} zip files where one was published; {by_hand[3:]}")
    return f"{doi}/{archives[0]}", shelf.registry[archives[0]]


def _unpack(archive: Path, keep: str, to: Path) -> None:
    """Unpack the folder `keep` of an archive into `to`, where it appears when whole; delete the archive."""
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=to) as partial:
        if archive.suffix == ".zip":
            with zipfile.ZipFile(archive) as content:
                content.extractall(partial, [n for n in content.namelist() if keep in Path(n).parts])
        else:
            _unrar(archive, partial)
        found = [path for path in sorted(Path(partial).rglob(keep)) if path.is_dir()]
        if not found:
            raise InputError(f"{archive} holds no folder {keep}; unpack it by hand")
        shutil.move(found[0], to / keep)
    archive.unlink()


def _unrar(archive: Path, to: str) -> None:
    """Unpack a RAR 5 archive, which Python cannot read: by bsdtar, or the user is told how."""
    by_hand = f"bsdtar -xf '{archive}' -C '{archive.parent}'"
    if shutil.which("bsdtar") is None:
        raise InputError(
            f"{archive} is there, but only bsdtar can unpack it; install it (Debian: libarchive-tools), then "
            f"fetch again or type: {by_hand}"
        )
    done = subprocess.run(
        ["bsdtar", "-xf", archive, "-C", to], capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InputError(f"{archive} cannot be unpacked ({reason}); look at it by hand: {by_hand}")
