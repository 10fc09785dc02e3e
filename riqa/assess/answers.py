"""A model's answers about photographs: overall class, details, advice, or why it abstains."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from riqa.assess.advice import advice
from riqa.assess.photographs import Photograph, Unreadable
from riqa.data.fov.search import NO_FIELD, NOT_ALONE
from riqa.labels import DETAILS, class_names
from riqa.learn.examples import unlabelled
from riqa.learn.inference import in_batches
from riqa.learn.model import QualityNet
from riqa.learn.novelty import QUANTILE, VIEWS, Novelty
from riqa.learn.predict import MOST_CLASSES, probabilities
from riqa.learn.stages import outputs_with_stages
from riqa.learn.standing import Standing, most_likely, share_below
from riqa.names import shown

NO_FUNDUS = f"no fundus: {NO_FIELD}"
UNLIKE = "unlike the training photographs"

_WITHOUT_FIELD = {  # reason and advice by what reading says
    NO_FIELD: (NO_FUNDUS, "look at what the photograph shows, and retake"),
    NOT_ALONE: (NOT_ALONE, "cut out each photograph, to a file of its own"),
}


@dataclass(frozen=True)
class Answer:
    """The answer about one photograph.

    Attributes:
        path: The file, as it was named.
        overall: Probability of each overall class by name; empty when abstaining, or without such a head.
        details: Probability that each detail is good; empty when abstaining, or without such a head.
        advice: What to do, a sentence or more.
        reason: Why the model abstains; None when it does not.
        crop: uint8 (size, size, 3) that the model has seen, None without a field of view.
        ranks: For each detail the shares of the training photographs of the worst and of the best class that
            are worse in it, see `riqa.learn.standing`; empty where the model does not know.
        warning: What to know of the model before believing the answer; None when there is nothing.
    """

    path: Path
    overall: Mapping[str, float]
    details: Mapping[str, float]
    advice: list[str]
    reason: str | None = None
    crop: np.ndarray | None = field(default=None, repr=False, compare=False)
    ranks: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    warning: str | None = None

    @property
    def label(self) -> str | None:
        """The most probable overall class, None where there is none."""
        return max(self.overall, key=self.overall.__getitem__) if self.overall else None

    @property
    def abstains(self) -> bool:
        """Whether the model abstains from judging quality."""
        return self.reason is not None

    def without_crop(self) -> "Answer":
        """Return the answer without its crop: thousands of crops would fill the memory."""
        return replace(self, crop=None)

    def to_json(self) -> dict:
        """Return the answer as `riqa assess --json` prints it; overall is null without an answer."""
        overall = {"label": self.label, "probabilities": dict(self.overall)} if self.overall else None
        return {
            "path": shown(self.path),
            "overall": overall,
            "details": {
                detail: {"good": p_good, **({"worse_in_training": self.ranks[detail]} if self.ranks else {})}
                for detail, p_good in self.details.items()
            },
            "advice": self.advice,
            "abstain": self.abstains,
            "reason": self.reason,
            "warning": self.warning,
        }


def assess(
    model: QualityNet,
    novelty: Novelty | None,
    photographs: Iterable[Photograph | Unreadable],
    *,
    standing: Standing | None = None,
    batch_size: int = 32,
    quantile: float = QUANTILE,
    warning: str | None = None,
) -> Iterator[Answer | Unreadable]:
    """Judge photographs, one batch at a time.

    Args:
        model: Any `QualityNet`; it answers as far as its heads go.
        novelty: When to abstain because a photograph is unlike those of training; None never abstains so.
        photographs: What `read_ahead` yields.
        standing: Where the model's training photographs stand, for the likeliest reason; None if unknown.
        batch_size: Crops that go through the network at a time.
        quantile: See `riqa.learn.novelty.Novelty.threshold`.
        warning: What every answer says of the model.

    Yields:
        One answer per photograph, in order; unreadable files are passed on.

    Raises:
        ValueError: If `batch_size` is below 1, or `quantile` outside (0, 1].
    """
    if batch_size < 1:
        raise ValueError(f"batch_size is {batch_size}, must be at least 1")
    waiting: list[Photograph | Unreadable] = []
    n_crops = 0
    for photograph in photographs:
        waiting.append(photograph)
        n_crops += _has_crop(photograph)
        if n_crops == batch_size:
            yield from _answer_all(model, novelty, waiting, quantile, standing, warning)
            waiting, n_crops = [], 0
    yield from _answer_all(model, novelty, waiting, quantile, standing, warning)


def speaks_against(answer: Answer) -> tuple[str, int, str, float]:
    """Find the strongest claim against a photograph: a bad detail, or the lowest overall class.

    Returns:
        Task and target for `riqa.evaluate.explain.grad_cam`, the claim in words, and its probability, the
        largest of all such claims.

    Raises:
        ValueError: If the answer is an abstention.
    """
    if answer.abstains:
        raise ValueError(f"{answer.path}: the model abstains, nothing speaks against it")
    claims = [
        (1 - answer.details[detail], "details", DETAILS.index(detail), f"{detail} is bad")
        for detail in answer.details
    ]
    if answer.overall:
        lowest = next(iter(answer.overall))
        claims.append((answer.overall[lowest], "overall", 0, f"overall quality is {lowest}"))
    p, task, target, claim = max(claims)
    return task, target, claim, p


def _answer_all(
    model: QualityNet,
    novelty: Novelty | None,
    batch: list[Photograph | Unreadable],
    quantile: float,
    standing: Standing | None,
    warning: str | None,
) -> Iterator[Answer | Unreadable]:
    crops = [photograph.crop for photograph in batch if _has_crop(photograph)]
    rows = iter(())
    if crops:
        images = np.stack(crops)
        outputs = in_batches(
            model,
            lambda images: outputs_with_stages(model, images),
            unlabelled(images),
            batch_size=len(crops),
        )
        unlike = [None] * len(crops) if novelty is None else _unlike(novelty, outputs, images, quantile)
        ranks = [{}] * len(crops)
        if standing:
            ranks = [share_below(standing, logits) for logits in outputs["details"].double().numpy()]
        rows = zip(probabilities(outputs), unlike, ranks, strict=True)
    for photograph in batch:
        if isinstance(photograph, Unreadable):
            yield photograph
        elif photograph.crop is None:
            reason, what = _WITHOUT_FIELD[photograph.reason]
            yield Answer(photograph.path, {}, {}, [what], reason, warning=warning)
        else:
            yield replace(_answer(model, photograph, *next(rows)), warning=warning)


def _unlike(
    novelty: Novelty, outputs: dict[str, Tensor], images: np.ndarray, quantile: float
) -> list[str | None]:
    """Return why each image is unlike those of training, by the view with the higher score, or None."""
    scores, limit = novelty.scores(outputs, images), novelty.threshold(quantile)
    return [f"{UNLIKE}: {VIEWS[row.argmax()]}" if row.max() > limit else None for row in scores]


def _answer(
    model: QualityNet,
    photograph: Photograph,
    probs: np.ndarray,
    unlike: str | None,
    ranks: Mapping[str, Mapping[str, float]],
) -> Answer:
    """Turn a row of `riqa.learn.predict.PROBABILITIES`, or why it cannot be trusted, into an answer.

    Args:
        model: The network.
        photograph: With its crop.
        probs: The row.
        unlike: Why the answer cannot be trusted; None if it can.
        ranks: Of `riqa.learn.standing.share_below`; empty where unknown.
    """
    path, crop = photograph.path, photograph.crop
    if unlike is not None:
        return Answer(path, {}, {}, ["let a person judge it"], unlike, crop)
    n_overall, n_details = (model.architecture[f"n_{task}"] for task in ("overall", "details"))
    names = class_names(n_overall) if n_overall else ()
    overall = dict(zip(names, probs[:n_overall].tolist(), strict=True))
    answered = zip(DETAILS, probs[MOST_CLASSES:].tolist(), strict=True) if n_details else ()
    details = {detail: p_good for detail, p_good in answered if p_good == p_good}  # silent where NaN
    label = max(overall, key=overall.__getitem__) if overall else None
    told = advice(details, label, likely=most_likely(ranks) if ranks else None)
    return Answer(path, overall, details, told, None, crop, ranks)


def _has_crop(photograph: Photograph | Unreadable) -> bool:
    return isinstance(photograph, Photograph) and photograph.crop is not None
