"""How well the field of view is found on phantoms, whose truth is known: this project and the public peers.

Every camera with every defect at every severity, on a margin as the camera leaves it, and again on a white
one with a number burnt into it; every contestant sees every photograph. Each seed adds a photograph per case;
the default takes five to ten minutes on one core. Run by `make bench-fov`, in an environment with the peers.
"""

import argparse
import warnings
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from riqa.data.curate import each_image
from riqa.data.fov import FieldOfView, find_fov
from riqa.data.peers import installed_peers
from riqa.files import write_json
from riqa.phantom.degrade import DEFECTS
from riqa.phantom.fundus import CAMERAS, Field
from riqa.phantom.photograph import JPEG_QUALITY, Exposure, render_clean

MEDIAN, FIRST_PERCENTILE = 0.99, 0.95
"""Intersection over union that is asked for."""

SURROUNDS = ("dark", "white")


def truth_mask(field: Field) -> np.ndarray:
    """Return the true field of view as bool (H, W): circle between its cuts, without notches."""
    width, height, x, y, radius, cut = field
    ys, xs = np.ogrid[:height, :width]
    inside = (xs - x) ** 2 + (ys - y) ** 2 <= radius**2
    return inside & (np.abs(ys - y) <= cut * radius) if cut < 1 else inside


def cases(
    severities: tuple[float, ...], cameras: tuple[str, ...] = tuple(CAMERAS)
) -> list[tuple[int, str, str, float]]:
    """Return every case: its number, camera, defect and severity."""
    every = [(c, d, s) for c in cameras for d in DEFECTS for s in severities]
    return [(number, *case) for number, case in enumerate(every)]


def photographs(
    seed: int, size: int, number: int, camera: str, defect: str, severity: float
) -> Iterator[tuple[dict, np.ndarray, np.ndarray]]:
    """Yield a case on each surround: what it is, its decoded JPEG uint8 (H, W, 3), and its true mask."""
    side, view = ("left", "right")[number % 2], ("macula", "macula", "disc")[number % 3]
    clean = render_clean(Exposure("phantom_grades", seed, number, number, side, view, camera, size))
    image, mask = clean.spoil({defect: severity}).image, truth_mask(Field(**clean.geometry))
    for surround in SURROUNDS:
        if surround == "white":
            page = np.full_like(image, 255)
            place, scale = (3, page.shape[0] // 11), page.shape[0] / 400
            cv2.putText(page, f"{number:05}", place, cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 2)
            image = np.where(clean.fov_mask[..., None], image, page)
        data = cv2.imencode(".jpg", image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])[1]
        what = {"seed": seed, "camera": camera, "defect": defect, "severity": severity, "surround": surround}
        yield what, cv2.imdecode(data, cv2.IMREAD_COLOR_RGB), mask


def overlap(found: FieldOfView | None, mask: np.ndarray) -> float:
    """Return intersection over union of a field and the truth; 0 when none was found."""
    if found is None:
        return 0.0
    inside = found.mask()
    return float((inside & mask).sum() / (inside | mask).sum())


def peer_field(name: str, image: np.ndarray) -> FieldOfView | None:
    """Return the field that an installed peer finds on a photograph, uint8 (H, W, 3); its score is NaN."""
    height, width = shape = image.shape[:2]
    if name == "fundus-image-toolbox":
        from fundus_image_toolbox.circle_crop.eyeq_preprocess import get_mask

        try:
            _, _, (y, x), radius = get_mask(image)
        except (ValueError, IndexError):  # its own `crop` gives up in the same way
            return None
        return FieldOfView(shape, (float(x), float(y)), float(radius), (0, 0, width, height), np.nan)
    from rtnls_fundusprep.mask_extraction import get_cfi_bounds

    found = get_cfi_bounds(image)
    box = found.min_x, found.min_y, found.max_x, found.max_y
    return FieldOfView(shape, (float(found.cx), float(found.cy)), float(found.radius), box, np.nan)


def examine(seed: int, size: int, number: int, camera: str, defect: str, severity: float) -> list[dict]:
    """Return one row per surround and contestant of a case: what it is, `by` whom it was found, and `iou`."""
    rows = []
    for what, image, mask in photographs(seed, size, number, camera, defect, severity):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            fields = {"ours": find_fov(image)} | {name: peer_field(name, image) for name in installed_peers()}
        rows += [what | {"by": name, "iou": overlap(field, mask)} for name, field in fields.items()]
    return rows


def summarise(rows: list[dict]) -> list[dict]:
    """Return one row per contestant and surround: number, median, first percentile, how many set aside."""
    table = []
    for surround in SURROUNDS:
        for name in dict.fromkeys(row["by"] for row in rows):
            values = [row["iou"] for row in rows if row["by"] == name and row["surround"] == surround]
            told = {"surround": surround, "by": name, "n": len(values), "median": float(np.median(values))}
            told["first_percentile"] = float(np.quantile(values, 0.01))
            table.append(told | {"set_aside": values.count(0)})
    return table


def verdicts(table: list[dict]) -> list[tuple[str, bool]]:
    """Return what is asked for, in words, and whether it is met on every surround.

    Args:
        table: What `summarise` returns.
    """
    ours = [row for row in table if row["by"] == "ours"]
    peers = [row for row in table if row["by"] != "ours"]
    asked = [
        (f"median at least {MEDIAN}", all(row["median"] >= MEDIAN for row in ours)),
        (
            f"first percentile at least {FIRST_PERCENTILE}",
            all(row["first_percentile"] >= FIRST_PERCENTILE for row in ours),
        ),
        ("no photograph set aside", not any(row["set_aside"] for row in ours)),
    ]
    for value in ("median", "first_percentile") if peers else ():
        at_least = [
            mine[value] >= theirs[value]
            for mine in ours
            for theirs in peers
            if mine["surround"] == theirs["surround"]
        ]
        asked.append((f"{value.replace('_', ' ')} at least the best peer's", all(at_least)))
    return asked


def main() -> None:
    """Measure, print the table and the worst cases, write the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    # Seeds 7 to 9 were looked at while the search was made; these were not.
    parser.add_argument(
        "--seeds", type=int, nargs="+", default=[211, 212], help="one photograph per case each"
    )
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--severities", type=float, nargs="+", default=[0.1, 0.25, 0.5, 0.75, 1.0])
    parser.add_argument("--jobs", type=int, default=1, help="processes side by side")
    parser.add_argument("--out", type=Path, default=Path("_build/bench/fov_accuracy.json"))
    options = parser.parse_args()
    cv2.setNumThreads(1)
    grid = cases(tuple(options.severities))
    jobs = [(seed, options.size, *case) for seed in options.seeds for case in grid]
    print(
        f"{len(grid)} cases ({len(CAMERAS)} cameras, {len(DEFECTS)} defects, {len(options.severities)} "
        f"severities), {len(options.seeds)} photographs per case, {len(SURROUNDS)} margins; all see all"
    )
    rows = [row for several in each_image(examine, jobs, options.jobs, "cases") for row in several]
    table = summarise(rows)
    print(f"{'margin':8} {'by':24} {'n':>6} {'median':>8} {'1st pct':>8} {'set aside':>10}")
    for row in table:
        numbers = f"{row['n']:6} {row['median']:8.4f} {row['first_percentile']:8.4f} {row['set_aside']:10}"
        print(f"{row['surround']:8} {row['by']:24} {numbers}")
    asked = verdicts(table)
    for words, met in asked:
        print(f"{words}: {'met' if met else 'MISSED'}")
    print("our worst:")
    for row in sorted((row for row in rows if row["by"] == "ours"), key=lambda row: row["iou"])[:6]:
        case = f"{row['camera']}, {row['defect']} {row['severity']}, {row['surround']} margin"
        print(f"  {row['iou']:.3f}  {case}, seed {row['seed']}")
    write_json(options.out, {"asked": dict(asked), "table": table, "photographs": rows})


if __name__ == "__main__":
    main()
