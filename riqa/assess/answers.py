"""From a model and files to answers: overall class, details, advice, or why the model abstains."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from riqa.assess.advice import advice
from riqa.data.fov import NoFieldError, read_and_crop
from riqa.data.fov.search import NO_FIELD, NOT_ALONE
from riqa.data.read import UnreadableError
from riqa.data.set_names import MADE
from riqa.data.walk import SUFFIXES, PassedOver, as_on_disk, walk_images
from riqa.errors import InputError
from riqa.labels import DETAILS, class_names
from riqa.learn.confidence import Confidence, read_confidence, tempered
from riqa.learn.examples import unlabelled
from riqa.learn.model import QualityNet, load_model, model_file
from riqa.learn.novelty import QUANTILE, VIEWS, Novelty, load_novelty, outputs_with_stages
from riqa.learn.predict import MOST_CLASSES, in_batches, probabilities
from riqa.learn.standing import Standing, most_likely, read_standing, share_below
from riqa.names import shown

NO_NOVELTY = (
    "this model came without its .novelty.safetensors, so it does not recognise photographs unlike those of "
    "training; train it again to have that"
)
NO_CONFIDENCE = (
    "this model came without a temperature, so its probabilities of classes are as it learned to give them, "
    "and may be too high; train it again to have one"
)
PHANTOM_MODEL = (
    "phantom model: it has learned from drawn photographs alone; believe nothing that it says of a patient"
)
"""Warning in every answer of such a model; a colon separates the problem from the advice."""
NO_FUNDUS = f"no fundus: {NO_FIELD}"
UNLIKE = "unlike the training photographs"
UNSURE = "not sure enough"

_WITHOUT_FIELD = {  # reason and advice by what reading says
    NO_FIELD: (NO_FUNDUS, "look at what the photograph shows, and retake"),
    NOT_ALONE: (NOT_ALONE, "cut out each photograph, to a file of its own"),
}


@dataclass(frozen=True)
class Unreadable:
    """A file that could not be read, or a folder without images or that cannot be entered, and why."""

    path: Path
    reason: str
    crop = None


@dataclass(frozen=True)
class Session:
    """A model, what is known of it, and the files that it assesses."""

    model: QualityNet
    novelty: Novelty | None = None  # when a photograph is too unlike those of training; None: never
    standing: Standing = field(default_factory=dict)  # where its training photographs stand, if that is known
    confidence: Confidence | None = None  # how sure its answers are; None: as it was trained to give them
    least: float = 0.0  # probability of the most probable class below which it abstains
    warning: str | None = None  # what every answer says of the model
    notes: list[str] = field(default_factory=list)  # what to know before trusting an answer
    name: str = ""  # the file name of the model without ending
    paths: list[Path] = field(default_factory=list)
    empty: list[Unreadable] = field(default_factory=list)  # folders without images, or that cannot be entered
    passed: PassedOver = field(default_factory=PassedOver)  # what was passed over in the folders


def open_session(
    model: Path, given: Sequence[Path], *, accept_phantoms: bool = False, coverage: float = 1.0
) -> Session:
    """Load a model, named by one of its files or their common stem, and find the images in `given`.

    One that was trained on phantoms has a warning, unless `accept_phantoms`. With a `coverage` below 1 it
    abstains where it is less sure than of that share of its validation photographs. Raises an InputError if
    there is no such model, or only parts of it, no image, or no temperature by which to abstain.
    """
    stem = model.with_name(re.sub(r"((\.novelty)?\.safetensors|\.json)\Z", "", model.name))
    network, description = load_model(stem)
    novelty = load_novelty(stem)
    found = find_images(given)
    standing = read_standing(description, model_file(stem, "json"))
    # Descriptions of before did not say it, but no other set has such a name.
    drawn = description.get("drawn", description.get("trained_on") in MADE)
    warning = PHANTOM_MODEL if drawn and not accept_phantoms else None
    confidence = read_confidence(description, model_file(stem, "json"))
    if coverage < 1 and confidence is None:
        why = "it does not know how sure it is of overall quality; train a model anew that judges it"
        raise InputError(f"{stem}: no --coverage with this model: {why}")
    least = confidence.least(coverage) if coverage < 1 else 0.0
    notes = [NO_NOVELTY] * (novelty is None)
    notes += [NO_CONFIDENCE] * bool(network.architecture["n_overall"] and confidence is None)
    notes += map(str, description.get("warnings") or [])
    return Session(network, novelty, standing, confidence, least, warning, notes, stem.name, *found)


def find_images(given: Sequence[Path]) -> tuple[list[Path], list[Unreadable], PassedOver]:
    """List the files named, whatever their ending, and the images in the folders named and below them.

    Returns each file once, in the order given, a folder's sorted by path; the folders without images, or that
    cannot be entered; and what was passed over in folders. Raises an InputError if there is no file at all.
    """
    passed = PassedOver()
    mixed = len({path.is_absolute() for path in given}) > 1  # a file may be named in both ways
    found: dict[Path, Path] = {}
    empty = []
    for path in map(as_on_disk, given):
        inside = [path]
        if os.path.isdir(path):
            known = len(passed.barred)
            inside = [Path(name) for name in walk_images(path, path.as_posix(), passed)]
            barred = [Unreadable(Path(name), why) for name, why in list(passed.barred.items())[known:]]
            empty += barred if inside or barred else [Unreadable(path, "no image in this folder")]
        for file in inside:
            found.setdefault(file.absolute() if mixed else file, file)
    if not found:
        told = [f"no image in {', '.join(map(str, given)) or 'nothing'}"]
        told += [f"name photographs ({' '.join(SUFFIXES)} and others), or folders of them"]
        told += [f"{name}: {reason}" for name, reason in passed.barred.items()]
        told += [f"passed over: {passed}"] if str(passed) else []
        raise InputError("; ".join(told))
    return list(found.values()), empty, passed


@dataclass(frozen=True)
class Answer:
    """The answer about one photograph; without `overall` and `details` when the model abstains."""

    path: Path  # as it was named
    overall: Mapping[str, float] = field(default_factory=dict)  # probability of each class, if judged
    details: Mapping[str, float] = field(default_factory=dict)  # probability that each is good, if judged
    advice: list[str] = field(default_factory=list)  # what to do, a sentence or more
    reason: str | None = None  # why the model abstains
    # What the model sees: uint8 (size, size, 3) RGB, as curation crops; None where there is no field of view.
    crop: np.ndarray | None = field(default=None, repr=False, compare=False)
    # For each detail the shares of the training photographs of the worst and of the best class that are worse
    # in it, see `riqa.learn.standing`; empty where the model does not know.
    ranks: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    warning: str | None = None  # what to know of the model before believing the answer
    temperature: float | None = None  # at which the classes have their probabilities; None: as trained

    @property
    def label(self) -> str | None:
        """The most probable overall class, None where there is none."""
        return max(self.overall, key=self.overall.__getitem__, default=None)

    def to_json(self) -> dict:
        """Return the answer as `riqa assess --json` prints it; overall is null without an answer."""
        details = {detail: {"good": p_good} for detail, p_good in self.details.items()}
        for detail in details if self.ranks else ():
            details[detail]["worse_in_training"] = self.ranks[detail]
        return {
            "path": shown(self.path),
            "overall": {"label": self.label, "probabilities": dict(self.overall)} if self.overall else None,
            "details": details,
            "advice": self.advice,
            "abstain": bool(self.reason),
            "reason": self.reason,
            "warning": self.warning,
            "temperature": self.temperature,
        }


def read_crop(path: Path, size: int) -> Answer | Unreadable:
    """Read a file and crop it to `size` pixels a side: an answer without judgement, if there is a field."""
    try:
        return Answer(path, crop=read_and_crop(path, size)[0])
    except NoFieldError as error:
        reason, what = _WITHOUT_FIELD[str(error)]
        return Answer(path, advice=[what], reason=reason)
    except UnreadableError as error:
        return Unreadable(path, str(error))


def assess(
    session: Session, photographs: Iterable, *, batch_size: int = 32, quantile: float = QUANTILE
) -> Iterator[Answer | Unreadable]:
    """Judge what `read_crop` has read, in order, `batch_size` crops at a time; pass on what is unreadable.

    The model answers as far as its heads go, and where `Novelty.threshold(quantile)` and `Session.least` let
    it. Raises a ValueError if `batch_size` is below 1, or `quantile` outside (0, 1].
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, must be at least 1")
    waiting, n_crops = [], 0
    for photograph in photographs:
        waiting.append(photograph)
        n_crops += photograph.crop is not None
        if n_crops == batch_size:
            yield from _answer_all(session, waiting, quantile)
            waiting, n_crops = [], 0
    yield from _answer_all(session, waiting, quantile)


def _answer_all(session: Session, waiting: list, quantile: float) -> Iterator[Answer | Unreadable]:
    crops = [photograph.crop for photograph in waiting if photograph.crop is not None]
    judged = _judge(session, np.stack(crops), quantile) if crops else iter(())
    temperature = session.confidence.temperature if session.confidence else None
    for photograph in waiting:
        if isinstance(photograph, Answer):
            told = next(judged) if photograph.crop is not None else {}
            photograph = replace(photograph, **told, warning=session.warning, temperature=temperature)
        yield photograph


def _judge(session: Session, images: np.ndarray, quantile: float) -> Iterator[dict]:
    """Yield what an `Answer` says of each crop of a batch, (n, size, size, 3)."""
    model, novelty, standing = session.model, session.novelty, session.standing
    compute = partial(outputs_with_stages, model)
    outputs = in_batches(model, compute, unlabelled(images), batch_size=len(images))
    unlike = [None] * len(images)
    if novelty is not None:
        scores, limit = novelty.scores(outputs, images), novelty.threshold(quantile)
        unlike = [f"{UNLIKE}: {VIEWS[row.argmax()]}" if row.max() > limit else None for row in scores]
    n_overall = model.architecture["n_overall"]
    names = class_names(n_overall) if n_overall else ()
    for k, probs in enumerate(probabilities(outputs)):
        if session.confidence and n_overall:
            probs[:n_overall] = tempered(probs[:n_overall], session.confidence.temperature)
        if not unlike[k] and max(probs[:n_overall], default=1.0) < session.least:
            unlike[k] = f"{UNSURE}: no class reaches {session.least:.2f}"
        if unlike[k]:
            yield {"advice": ["let a person judge it"], "reason": unlike[k]}
            continue
        overall = dict(zip(names, probs[:n_overall].tolist(), strict=True))
        answered = zip(DETAILS, probs[MOST_CLASSES:].tolist(), strict=True)
        details = {detail: p_good for detail, p_good in answered if p_good == p_good}  # silent where NaN
        ranks = share_below(standing, outputs["details"][k].double().numpy()) if standing else {}
        likely = most_likely(ranks) if ranks else None
        told = advice(details, max(overall, key=overall.__getitem__, default=None), likely)
        yield {"overall": overall, "details": details, "advice": told, "ranks": ranks}
