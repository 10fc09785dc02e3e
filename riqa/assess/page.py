"""Answers as one HTML file that needs nothing else: pictures inside, no script, no request."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from jinja2 import Environment, PackageLoader, StrictUndefined

from riqa.assess.advice import BAD_BELOW
from riqa.assess.answers import Answer
from riqa.assess.photographs import Unreadable
from riqa.assess.pictures import crop_for_page, data_uri, heat_map, overlay
from riqa.errors import InputError
from riqa.files import atomic_write
from riqa.learn.model import QualityNet
from riqa.names import shown

CROPPED, WHOLE = "cropped to the field of view", "all of the photograph"


@dataclass(frozen=True)
class Card:
    """One photograph on the page.

    Attributes:
        answer: The model's answer.
        framing: What the picture shows of it.
        photograph: Data URI of the picture; None beyond the limit, or if the file has vanished.
        heat: Data URI of the picture under its heat map; None also when the model abstains or has no map.
        claim: What the heat map shows, or why there is none; None when none was wanted.
    """

    answer: Answer
    framing: str = ""
    photograph: str | None = None
    heat: str | None = None
    claim: str | None = None


def card(model: QualityNet, answer: Answer, *, picture: bool) -> tuple[Card, str | None]:
    """Make a photograph's card.

    Args:
        model: The network that gave the answer.
        answer: Its answer.
        picture: Whether the card shows the photograph and the heat map.

    Returns:
        The card, and a note for the top of the page if this model can make no heat map.
    """
    bare, framing = answer.without_crop(), CROPPED if answer.crop is not None else WHOLE
    image = crop_for_page(answer) if picture else None
    if image is None:
        return Card(bare), None
    if answer.abstains:
        return Card(bare, framing, data_uri(image)), None
    try:
        heat, claim, p = heat_map(model, answer)
    except InputError as error:
        return Card(bare, framing, data_uri(image)), f"no heat maps: {error}"
    if not heat.any():
        return Card(bare, framing, data_uri(image), None, f"no place speaks for: {claim} ({p:.2f})"), None
    return Card(bare, framing, data_uri(image), data_uri(overlay(image, heat)), f"{claim} ({p:.2f})"), None


def write_page(
    file: Path,
    cards: Sequence[Card],
    unreadable: Sequence[Unreadable],
    *,
    model_name: str,
    summary: str,
    notes: Sequence[str],
    most_pictures: int,
) -> None:
    """Write the page, aside and then renamed.

    Args:
        file: Path of the page.
        cards: One card per photograph.
        unreadable: Files that could not be read.
        model_name: Name of the model.
        summary: One line with the counts.
        notes: What readers must know before the answers.
        most_pictures: Most cards with pictures; stated where there are more cards.

    Raises:
        InputError: If the file cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("riqa.assess"),
        autoescape=True,
        finalize=lambda value: shown(value) if isinstance(value, str | PurePath) else value,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = environment.get_template("page.html").render(
        cards=cards,
        unreadable=unreadable,
        model_name=model_name,
        summary=summary,
        notes=notes,
        most_pictures=most_pictures,
        bad_below=BAD_BELOW,
    )
    try:
        atomic_write(file, lambda aside: aside.write_text(text, encoding="utf-8"))
    except OSError as error:
        raise InputError(
            f"{file} cannot be written ({error.strerror}); give another file to --html"
        ) from None
