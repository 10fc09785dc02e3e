"""A model and the files to assess, opened once."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from riqa.assess.answers import Answer, assess
from riqa.assess.photographs import Unreadable, find_images, read_ahead
from riqa.data.set_names import MADE
from riqa.data.walk import PassedOver
from riqa.learn.model import QualityNet, load_model, model_file
from riqa.learn.novelty import Novelty, load_novelty
from riqa.learn.standing import Standing, read_standing
from riqa.terminal import progress_bar

NO_NOVELTY = (
    "this model came without its .novelty.safetensors, so it does not recognise photographs unlike those of "
    "training; train it again to have that"
)
PHANTOM_MODEL = (
    "phantom model: it has learned from drawn photographs alone; believe nothing that it says of a patient"
)
"""Warning in every answer of such a model; a colon separates the problem from the advice."""
_BATCHES_AHEAD = 2  # so that the network finds a full batch whenever it has done one
_ENDINGS = (".novelty.safetensors", ".safetensors", ".json")


@dataclass(frozen=True)
class Session:
    """A model and the files that it assesses.

    Attributes:
        name: The model's file name without ending.
        model: The network.
        novelty: When it abstains; None if the model has none.
        standing: Where its training photographs stand; empty if the model has none.
        paths: The files to assess.
        empty: Folders that were named and hold no image, or that cannot be entered.
        passed: What was passed over in the folders.
        notes: What to know before trusting an answer.
        warning: What every answer says of the model, or None.
    """

    name: str
    model: QualityNet
    novelty: Novelty | None
    standing: Standing
    paths: list[Path]
    empty: list[Unreadable]
    passed: PassedOver
    notes: list[str]
    warning: str | None = None


def open_session(model: Path, given: Sequence[Path], *, accept_phantoms: bool = False) -> Session:
    """Load a model and find the files.

    Args:
        model: One of a model's files, or their common stem.
        given: Files and folders.
        accept_phantoms: Whether a model that was trained on phantoms gets no warning.

    Raises:
        InputError: If there is no such model, a file of it is cut short, or there is no image.
    """
    ending = next((ending for ending in _ENDINGS if model.name.endswith(ending)), "")
    stem = model.with_name(model.name.removesuffix(ending))
    network, description = load_model(stem)
    novelty = load_novelty(stem)
    passed = PassedOver()
    paths, empty = find_images(given, passed)
    standing = read_standing(description, model_file(stem, "json"))
    notes = [] if novelty else [NO_NOVELTY]
    notes += [str(text) for text in description.get("warnings") or []]
    # Descriptions of before did not say it, but no other set has such a name.
    drawn = description.get("drawn", description.get("trained_on") in MADE)
    warning = PHANTOM_MODEL if drawn and not accept_phantoms else None
    return Session(stem.name, network, novelty, standing, paths, empty, passed, notes, warning)


def answers(
    session: Session, *, batch_size: int, threads: int, quantile: float
) -> Iterator[Answer | Unreadable]:
    """Assess the files of a session, in order, with a progress bar.

    Args:
        session: Result of `open_session`.
        batch_size: See `riqa.assess.answers.assess`.
        threads: See `riqa.assess.photographs.read_ahead`.
        quantile: See `riqa.learn.novelty.Novelty.threshold`.
    """
    size = session.model.architecture["image_size"]
    photographs = read_ahead(session.paths, size, threads=threads, ahead=_BATCHES_AHEAD * batch_size)
    knobs = {"standing": session.standing, "batch_size": batch_size, "quantile": quantile}
    knobs["warning"] = session.warning
    with progress_bar(total=len(session.paths), unit="image", desc="assess") as progress:
        for answer in assess(session.model, session.novelty, photographs, **knobs):
            yield answer
            progress.update()
