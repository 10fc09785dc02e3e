"""The images of a folder, and what was passed over on the way; every command uses this walk."""

import heapq
import os
import posixpath
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from unicodedata import normalize

from PIL import Image, ImageFile

from riqa.data.findings import Finding, found

SUFFIXES = (".jpeg", ".jpg", ".png", ".tif", ".tiff", ".bmp")
"""Usual endings of images, the preferred first when a stem occurs with several; `is_read` knows them all."""

_SERVICE = (
    {"@eadir", "@tmp", "@recycle", "@recently-snapshot", "@__thumb", "#recycle", "#snapshot", "lost+found"}
    | {"$recycle.bin", "recycler", "system volume information", "thumbs.db", "ehthumbs.db", "desktop.ini"}
    | {"__macosx", "network trash folder", "temporary items"}
)
"""What file servers, Windows and macOS keep beside what people put into a folder; lower case."""

_NO_PHOTOGRAPHS = {"EPS", "MPEG"}  # a drawing that another program has to draw; a film without decoder
_EXAMPLES = 3  # names that a line gives of what was passed over


@dataclass
class PassedOver:
    """What a walk left out, by reason; names as the walk calls them."""

    hidden: list[str] = field(default_factory=list)  # and what systems keep for themselves
    unread: list[str] = field(default_factory=list)  # files with an ending that is not read
    circles: list[str] = field(default_factory=list)  # links to a folder that holds them
    broken: list[str] = field(default_factory=list)  # links to nothing, and what is no file
    barred: dict[str, str] = field(default_factory=dict)  # folders that cannot be entered, and why

    def __str__(self) -> str:
        """Count everything but folders that cannot be entered, in a line; empty where there is nothing."""
        endings = Counter(ending_of(name) or "none" for name in dict.fromkeys(self.unread))
        kinds = "".join(f"{ending} {n}, " for ending, n in endings.most_common(_EXAMPLES))
        groups = {
            "hidden or of the system (": self.hidden,
            f"with an ending that is not read ({kinds}e.g. ": self.unread,
            "linked back to a folder above (": self.circles,
            "that are no files or lead to none (": self.broken,
        }
        return ", ".join(f"{len(set(names))} {why}{_some(names)})" for why, names in groups.items() if names)

    def findings(self, where: str) -> list[Finding]:
        """Say what was passed over in `where`, and warn where that may have been photographs with labels."""
        barred = [f"{name}: {reason}" for name, reason in self.barred.items()]
        text = "folder(s) cannot be entered, and what they hold is left out, e.g. {first}"
        findings = found("folders-barred", "warning", barred, f"{where}: {{n}} {text}")
        if items := (*self.hidden, *self.unread, *self.circles, *self.broken):
            findings.append(Finding("passed-over", "info", f"{where}: passed over: {self}", items))
        return findings


def _some(names: Sequence[str]) -> str:
    """Return the first of some paths' last parts."""
    names = list(dict.fromkeys(names))  # a folder may be searched twice
    more = ", ..." if len(names) > _EXAMPLES else ""
    return ", ".join(posixpath.basename(name) for name in names[:_EXAMPLES]) + more


def ending_of(name: str) -> str:
    """Return the ending of a file's name, in lower case."""
    return posixpath.splitext(name)[1].lower()


def is_read(name: str) -> bool:
    """Tell whether a file is an image that can be read, by its ending."""
    ending = ending_of(name)
    return ending in SUFFIXES or (ending != "" and ending in _endings())


@cache
def _endings() -> set[str]:
    """Return all endings of images that Pillow can read."""
    Image.preinit()  # first, for the order in which formats are tried: the frequent ones before all others
    Image.init()
    read = set(Image.OPEN) - _NO_PHOTOGRAPHS | {"MPO"}  # several JPEGs in a file, which is opened as JPEG
    for name, (factory, _) in Image.OPEN.items():
        if isinstance(factory, type) and issubclass(factory, ImageFile.StubImageFile):
            read.discard(name)  # recognised, but not decoded
    return {ending for ending, name in Image.registered_extensions().items() if name in read}


def composed(name: str) -> str:
    """Return a name in Unicode's composed form, in which equal names are equal.

    A name that is not UTF-8 is taken for one of Windows-1252, as from an archive that was packed there.
    """
    try:
        name.encode()
    except UnicodeEncodeError:
        name = os.fsencode(name).decode("cp1252", "replace")
    return normalize("NFC", name)


def as_on_disk(path: Path) -> Path:
    """Return a path as the disk writes it, where that differs in composed and decomposed characters alone."""
    if os.path.lexists(path) or path.parent == path:
        return path
    folder = as_on_disk(path.parent)
    try:
        alike = [name for name in os.listdir(folder) if composed(name) == composed(path.name)]
    except OSError:
        return path
    return folder / alike[0] if len(alike) == 1 else path


def walk_images(folder: Path, called: str, passed: PassedOver, nested: bool = True) -> list[str]:
    """Return the images in a folder, and below it if `nested`, sorted; no file is opened.

    Links to folders are followed, each folder is searched once. Nothing hidden is, except `folder` itself. In
    the paths that are returned the folder is `called` so. What was passed over goes into `passed`.
    """
    images, seen = [], set()
    ahead = [(called, os.fspath(folder), os.path.realpath(folder))]
    links: list[tuple[str, str, str]] = []  # taken last, so that a folder is found where it is
    while ahead or links:
        called, place, real = ahead.pop() if ahead else heapq.heappop(links)
        if real in seen:
            continue
        seen.add(real)
        try:
            entries = list(os.scandir(place))
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            denied = isinstance(error, PermissionError)
            passed.barred[called or "."] = "no permission to enter it" if denied else str(error.strerror)
            continue
        for entry in entries:
            name = posixpath.join(called, entry.name)
            if entry.name.startswith(".") or entry.name.casefold() in _SERVICE:
                passed.hidden.append(name)
                continue
            try:
                is_folder, is_file = entry.is_dir(), entry.is_file()
            except OSError:  # a link to itself, or into a folder that cannot be entered
                is_folder = is_file = False
            if is_folder and nested and entry.is_symlink():
                target = os.path.realpath(entry.path)
                if os.path.commonpath([target, real]) == target:
                    passed.circles.append(name)
                else:
                    heapq.heappush(links, (name, entry.path, target))
            elif is_folder and nested:
                ahead.append((name, entry.path, os.path.join(real, entry.name)))
            elif is_file:
                (images if is_read(name) else passed.unread).append(name)
            elif not is_folder:
                passed.broken.append(name)
    for names in (images, passed.hidden, passed.unread, passed.circles, passed.broken):
        names.sort(key=lambda name: name.split("/"))
    return images
