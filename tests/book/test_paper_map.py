"""The page that says where each table and figure of the paper has its counterpart."""

import json
import re

from riqa.publish.chapters import read_chapters
from tests.publish.toy import REPOSITORY

PAGE = (REPOSITORY / "book" / "paper_map.md").read_text()
ROW = re.compile(
    r"^\| \*\*((?:Table|Figure) \d)\*\*[^|]*\| \[([^]]+)\]\(([\w-]+)\), ([^|]+) \|([^|]+)\|([^|]+)\|$", re.M
)


def heading_of(label, text):
    """Return the heading, or caption of a figure, that a label in MyST text stands at."""
    section = re.search(rf"^\({label}\)=\n(?:\([\w-]+\)=\n)*#+ (.+)$", text, flags=re.M)
    figure = re.search(rf"^:name: {label}$.*?\n\n(.+?)\n", text, flags=re.M | re.S)
    found = section or figure
    return found and found[1]


def markdown_of(path):
    found = json.loads(path.read_text())["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in found if cell["cell_type"] == "markdown")


def test_all_twelve_are_listed_once_and_nothing_else():
    listed = [row[0] for row in ROW.findall(PAGE)]
    assert listed == [f"Table {n}" for n in range(1, 6)] + [f"Figure {n}" for n in range(1, 8)]
    assert PAGE.count("| **") == 12


def test_every_link_leads_to_a_section_of_that_name_in_the_chapter_that_is_named():
    texts = {
        f"chapter {name.split('_')[0]}": markdown_of(c.notebook)
        for name, c in read_chapters(REPOSITORY).items()
    }
    texts["preface"] = (REPOSITORY / "book" / "preface.md").read_text()
    for item, title, label, place, *_ in ROW.findall(PAGE):
        heading = heading_of(label, texts[place])
        assert heading is not None, f"{item}: no label {label} in {place}"
        assert heading.startswith(title), f"{item}: {label} stands at {heading!r}, the page says {title!r}"
        others = [name for name, text in texts.items() if f"({label})=" in text and name != place]
        assert not others, f"{label} is defined twice"


def test_every_row_says_what_is_the_same_and_what_differs():
    for row in ROW.findall(PAGE):
        assert all(len(cell.strip()) > 15 for cell in row[4:]), row[0]
