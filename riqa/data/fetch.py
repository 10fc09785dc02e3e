"""Downloads of `riqa.data.sources`: each file with its checksum, in the layout that adapters read."""

import shutil
import subprocess
import tempfile
import warnings
import zipfile
from pathlib import Path

from riqa.data.sources import SOURCES, Download
from riqa.errors import InputError
from riqa.files import atomic_write
from riqa.terminal import watched


def fetch(name: str, to: Path | str) -> list[Path]:
    """Download what a name stands for; a file that is there is never changed.

    Args:
        name: One of `SOURCES`.
        to: Folder to put it into.

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

    target = to / (file.keep or file.name)
    if file.keep and target.is_dir():
        return target
    archive = to / file.name
    by_hand = f"or download it in a browser to {archive}"
    pooch.get_logger().setLevel("WARNING")
    url, checksum = file.url, file.checksum
    try:
        if checksum is None:
            url, checksum = _ask_archive(file.url, by_hand)
        if not archive.exists():
            atomic_write(archive, lambda aside: _download(url, checksum, aside))
        elif not pooch.hashes.hash_matches(str(archive), checksum):
            raise InputError(
                f"{archive} is there but is not the published file; move it away and fetch again"
            )
    except HTTPError as error:
        raise InputError(f"{url} answers {error.response.status_code}; try again later, {by_hand}") from None
    except RequestException:
        raise InputError(f"{url} cannot be reached; check the connection, {by_hand}") from None
    except InputError:
        raise
    except ValueError:  # pooch's word for a checksum that differs
        raise InputError(
            f"{url} gave another file than the published one (its checksum differs); it was not kept, "
            "try again later"
        ) from None
    if file.keep:
        _unpack(archive, file.keep, to)
    return target


def _download(url: str, checksum: str, file: Path) -> None:
    """Download what an address or a DOI stands for, and compare its checksum."""
    import pooch

    kind = pooch.DOIDownloader if url.startswith("doi:") else pooch.HTTPDownloader
    downloader = kind(progressbar=watched(), chunk_size=1 << 16)
    pooch.retrieve(url, checksum, file.name, file.parent, downloader=downloader)


def _ask_archive(doi: str, by_hand: str) -> tuple[str, str]:
    """Return the address and the checksum of a dataset's one zip file, as the archive behind its DOI says."""
    import pooch

    shelf = pooch.create(path=Path(), base_url=doi)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a DOI without a version means the latest one, which is wanted
            shelf.load_registry_from_doi()
    except (LookupError, ValueError) as error:
        if isinstance(error, OSError):  # no connection; requests' errors are OSErrors, some ValueErrors too
            raise
        raise InputError(f"{doi} is not where pooch can look for it; try again later, {by_hand}") from None
    archives = [name for name in shelf.registry if name.endswith(".zip")]
    if len(archives) != 1:
        raise InputError(f"{doi} holds {len(archives)} zip files where one was published; {by_hand[3:]}")
    return f"{doi}/{archives[0]}", shelf.registry[archives[0]]


def _unpack(archive: Path, keep: str, to: Path) -> None:
    """Unpack the folder `keep` of an archive into `to`, where it appears when whole; delete the archive."""
    with tempfile.TemporaryDirectory(prefix=".partial-", dir=to) as partial:
        (_unzip if archive.suffix == ".zip" else _unrar)(archive, keep, partial)
        found = [path for path in sorted(Path(partial).rglob(keep)) if path.is_dir()]
        if not found:
            raise InputError(f"{archive} holds no folder {keep}; unpack it by hand")
        shutil.move(found[0], to / keep)
    archive.unlink()


def _unzip(archive: Path, keep: str, to: str) -> None:
    """Unpack what lies in a folder `keep` of a zip file."""
    with zipfile.ZipFile(archive) as content:
        content.extractall(to, [name for name in content.namelist() if keep in Path(name).parts])


def _unrar(archive: Path, keep: str, to: str) -> None:
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
