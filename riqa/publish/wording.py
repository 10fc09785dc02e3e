"""What pages say about their origin: the words stand in `templates/`, as Jinja; code supplies the numbers."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from riqa.publish.progress import duration
from riqa.publish.provenance import machine

_ENVIRONMENT = Environment(
    loader=PackageLoader("riqa.publish"), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
)
_ENVIRONMENT.filters |= {
    "duration": duration,
    "machine": machine,
    "gigabytes": lambda megabytes: f"{megabytes / 1000:.1f} GB",
    "code": lambda value: "`" + repr(value).replace("|", r"\|") + "`",  # in a cell of a table
    # About three digits, never as a power of ten.
    "digits": lambda value: f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}",
    "packages": lambda versions: ", ".join(f"{name} {number}" for name, number in versions.items()),
}


def fill(template: str, **values: object) -> str:
    """Return a template of MyST (`templates/<template>.md`) with these values filled in."""
    return _ENVIRONMENT.get_template(f"{template}.md").render(values)
