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
from importlib.resources import files
from pathlib import Path

from pydantic import TypeAdapter

from riqa.errors import InputError
from riqa.files import atomic_write
from riqa.terminal import watched
from riqa.yaml_text import parse_yaml


@dataclass(frozen=True)
class Download:
    """One file, see `sources.yaml`."""

    url: str
    name: str
    checksum: str | None = None
    keep: str | None = None


@dataclass(frozen=True)
class Source:
    """What `riqa fetch NAME` downloads, see `sources.yaml`."""

    title: str
    licence: str
    size: str  # in words
    then: str
    files: tuple[Download, ...] = ()  # none where only instructions can be given


SOURCES = TypeAdapter(dict[str, Source]).validate_python(
    parse_yaml((files("riqa.data.fetch") / "sources.yaml").read_text(encoding="utf-8"), as_text=True)
)
"""Everything that can be fetched, by name."""


def fetch(name: str, to: Path | str) -> list[Path]:
    """Download what a name of `SOURCES` stands for into a folder, and return what lies there now.

    A file that is there is never changed, and nothing is left half-written. Raises an InputError if nothing
    has that name, a host cannot be reached, a checksum differs (of a download, or of a file of that name that
    is there), or the folder cannot be written.
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
        advice = "install it (Debian: libarchive-tools), then fetch again or type"
        raise InputError(f"{archive} is there, but only bsdtar can unpack it; {advice}: {by_hand}")
    command = ["bsdtar", "-xf", archive, "-C", to]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise InputError(f"{archive} cannot be unpacked ({reason}); look at it by hand: {by_hand}")
