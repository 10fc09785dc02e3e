"""The frame of a photograph: where its field of view lies, in coordinates that every defect shares."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Frame:
    """Geometry that every defect needs.

    Attributes:
        mask: bool (H, W), the field of view.
        u: float32 (1, W), column relative to the field's centre, in field radii.
        v: float32 (H, 1), row likewise.
        diameter: Diameter of the field, pixels.
    """

    mask: np.ndarray
    u: np.ndarray
    v: np.ndarray
    diameter: float

    def along(self, angle: float) -> np.ndarray:
        """Return the position along a direction, float32 (H, W), in field radii; 0 at the centre."""
        return self.u * float(np.cos(angle)) + self.v * float(np.sin(angle))

    def distance(self, shift: float, angle: float) -> np.ndarray:
        """Return the distance from a point `shift` radii off the centre, float32 (H, W), in field radii."""
        return np.hypot(self.u - float(shift * np.cos(angle)), self.v - float(shift * np.sin(angle)))

    def points(self, places: np.ndarray) -> np.ndarray:
        """Return field coordinates (n, 2) as OpenCV's fixed-point pixels (4 fractional bits), int32."""
        origin = np.array([self.u[0, 0], self.v[0, 0]])
        return np.rint((places - origin) * self.diameter * 8).astype(np.int32)


def find_frame(fov_mask: np.ndarray) -> Frame:
    """Measure the field of view: its centre and radius from the widest extent of the mask.

    Args:
        fov_mask: bool (H, W) with at least one True pixel.
    """
    columns, rows = np.flatnonzero(fov_mask.any(axis=0)), np.flatnonzero(fov_mask.any(axis=1))
    diameter = float(max(columns[-1] - columns[0], rows[-1] - rows[0]) + 1)
    cx, cy = (columns[0] + columns[-1]) / 2, (rows[0] + rows[-1]) / 2
    y, x = np.ogrid[0 : fov_mask.shape[0], 0 : fov_mask.shape[1]]
    u, v = (((x - cx) * 2 / diameter).astype(np.float32), ((y - cy) * 2 / diameter).astype(np.float32))
    return Frame(np.asarray(fov_mask, bool), u, v, diameter)
