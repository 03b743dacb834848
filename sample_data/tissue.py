"""What lies where in an invented breast cancer section: outline, nests, stroma, fat, immune cells and every nucleus."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import cKDTree

Image: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]

COMPARTMENTS = ("tumour", "stroma", "fat", "immune")


@dataclass(frozen=True)
class Frame:
    """Size of a picture: width and height in micrometres, and micrometres per pixel."""

    width_um: float
    height_um: float
    um_per_px: float

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the picture."""
        return round(self.height_um / self.um_per_px), round(self.width_um / self.um_per_px)


@dataclass(frozen=True, eq=False)
class Nuclei:
    """Nuclei of one kind: centre, half axes (long, short) and direction, all in pixels and radians."""

    xy: Image
    axes: Image
    angle: Image
    darkness: Image


@dataclass(frozen=True, eq=False)
class Tissue:
    """One section before it is stained; every map has the shape of the frame.

    ``tissue`` is true on tissue; ``tumour``, ``fat`` and ``immune`` run from 0 to 1 with soft borders; ``core`` says
    how deep inside a nest a place lies (0 to 1); ``fibres`` is the streaky texture of stroma (0 to 1); ``rims`` draws
    the thin walls of fat cells (0 to 1).
    """

    frame: Frame
    tissue: Mask
    tumour: Image
    fat: Image
    immune: Image
    core: Image
    fibres: Image
    rims: Image
    nuclei: tuple[Nuclei, ...]

    def compartments(self) -> dict[str, Image]:
        """Share of each compartment at each place; they add up to 1 on tissue and to 0 elsewhere."""
        stroma = 1 - np.clip(self.tumour + self.fat + self.immune, 0, 1)
        maps = {"tumour": self.tumour, "stroma": stroma, "fat": self.fat, "immune": self.immune}
        total = sum(maps.values())
        return {name: np.where(self.tissue, values / total, 0.0) for name, values in maps.items()}


def grow(frame: Frame, patient_seed: int, section_seed: int) -> Tissue:
    """Invent one section; sections of one patient share their coarse plan, as neighbouring sections do."""
    noise = Noise(frame, patient_seed, section_seed)
    tissue = _outline(frame, noise)
    lobes = _above(noise(420) + 0.8 * _corner(frame, patient_seed), tissue, 0.13)
    fat, rims, walls = _fat_cells(frame, noise.rng, lobes, tissue)
    nests = noise(95) + 0.45 * noise(45) + 0.9 * noise(650) - 5 * _soft(lobes + 0.25, 0.1)
    level = np.quantile(nests[tissue], 0.58)
    nests = nests - level - 1.1 * np.exp(-((noise(170) / 0.11) ** 2))
    immune = _aggregates(frame, noise, tissue & (fat < 0.05), nests)
    tumour = _soft(nests, 0.07) * tissue * (1 - immune) * (1 - fat)
    core = np.clip(nests / 1.6, 0, 1) * tumour
    slope = _slope(_bundles(frame, noise) + 4 * ndimage.gaussian_filter(tumour, 40 / frame.um_per_px))
    fibres = _fibres(noise, slope)
    maps = {"tumour": tumour, "fat": fat, "immune": immune, "core": core}
    nuclei = _all_nuclei(frame, noise.rng, tissue, maps, slope, walls)
    return Tissue(frame=frame, tissue=tissue, fibres=fibres, rims=rims, nuclei=nuclei, **maps)


class Noise:
    """Smooth random maps of mean 0 and deviation 1; mostly the patient's, a little the section's."""

    def __init__(self, frame: Frame, patient_seed: int, section_seed: int) -> None:
        self.frame = frame
        self.patient = np.random.default_rng(patient_seed)
        self.rng = np.random.default_rng(section_seed)

    def __call__(self, scale_um: float, own: float = 0.35) -> Image:
        """A map whose features are about `scale_um` wide; `own` is the section's own share of it."""
        shared, single = self._grid(self.patient, scale_um), self._grid(self.rng, scale_um)
        values = self._enlarge(np.sqrt(1 - own**2) * shared + own * single)
        return (values - values.mean()) / values.std()

    def _grid(self, rng: np.random.Generator, scale_um: float) -> Image:
        rows = int(self.frame.height_um / scale_um) + 5
        columns = int(self.frame.width_um / scale_um) + 5
        return rng.standard_normal((rows, columns))

    def _enlarge(self, grid: Image) -> Image:
        height, width = self.frame.shape
        rows = np.linspace(1.5, grid.shape[0] - 2.5, height)
        columns = np.linspace(1.5, grid.shape[1] - 2.5, width)
        tall = ndimage.map_coordinates(
            grid, np.meshgrid(rows, np.arange(grid.shape[1]), indexing="ij"), order=3, mode="reflect"
        )
        return ndimage.map_coordinates(
            tall, np.meshgrid(np.arange(height), columns, indexing="ij"), order=3, mode="reflect"
        )


def lattice(frame: Frame, spacing_um: float, rng: np.random.Generator, jitter: float) -> Image:
    """Points (n, 2) x, y in pixels: a hexagonal lattice over the frame, each point moved by `jitter` of the spacing."""
    step = spacing_um / frame.um_per_px
    height, width = frame.shape
    rows = np.arange(0, height, step * np.sqrt(3) / 2)
    columns = np.arange(0, width, step)
    x = columns[None, :] + np.where(np.arange(len(rows)) % 2, step / 2, 0)[:, None]
    y = np.broadcast_to(rows[:, None], x.shape)
    xy = np.stack([x.ravel(), y.ravel()], axis=1)
    return xy + rng.normal(0, jitter * step, xy.shape)


def look_up(values: Image, xy: Image) -> Image:
    """Values of a map at points (n, 2) x, y; points outside take the nearest edge."""
    rows = np.clip(np.rint(xy[:, 1]).astype(int), 0, values.shape[0] - 1)
    columns = np.clip(np.rint(xy[:, 0]).astype(int), 0, values.shape[1] - 1)
    return values[rows, columns]


def _soft(values: Image, width: float) -> Image:
    return 1 / (1 + np.exp(np.clip(-values / width, -60, 60)))


def _above(values: Image, where: Mask, share: float) -> Image:
    """`values` shifted so that `share` of the places in `where` are above 0."""
    return values - np.quantile(values[where], 1 - share)


def _square(frame: Frame) -> tuple[Image, Image]:
    height, width = frame.shape
    return np.meshgrid(np.linspace(-1, 1, width), np.linspace(-1, 1, height))


def _corner(frame: Frame, seed: int) -> Image:
    """Rises towards one side of the picture: fat lies at the edge of a gland, not in the middle."""
    x, y = _square(frame)
    direction = np.random.default_rng(seed + 7).uniform(0, 2 * np.pi)
    return 2.2 * (x * np.cos(direction) + y * np.sin(direction))


def _outline(frame: Frame, noise: Noise) -> Mask:
    x, y = _square(frame)
    radius = (np.abs(x) ** 2.8 + np.abs(y) ** 2.8) ** (1 / 2.8)
    inside = radius + 0.05 * noise(520) + 0.010 * noise(90) + 0.003 * noise(20) < 0.84
    labels, _ = ndimage.label(inside)
    largest = np.argmax(np.bincount(labels.ravel())[1:]) + 1
    return np.asarray(ndimage.binary_fill_holes(labels == largest))


def _aggregates(frame: Frame, noise: Noise, where: Mask, nests: Image) -> Image:
    """Six round immune aggregates in the stroma, near the border of nests."""
    height, width = frame.shape
    distance = np.full((height, width), np.inf)
    rows, columns = np.nonzero(where & (nests > -1.0) & (nests < -0.3))
    y, x = np.ogrid[:height, :width]
    for _ in range(6):
        chosen = noise.rng.integers(len(rows))
        radius = noise.rng.uniform(80, 165) / frame.um_per_px
        distance = np.minimum(distance, np.hypot(x - columns[chosen], y - rows[chosen]) / radius)
    reach = 1 - distance - 0.16 * noise(60) - 0.5 * np.clip(nests, 0, 1)
    return _soft(reach, 0.04) * where


def _bundles(frame: Frame, noise: Noise) -> Image:
    """A map whose contour lines run mostly one way across the section and bend a little, as collagen does."""
    x, y = _square(frame)
    turn = noise.patient.uniform(0, np.pi)
    return 7 * (x * np.cos(turn) + y * np.sin(turn)) + 0.45 * noise(330)


def _slope(potential: Image) -> tuple[Image, Image]:
    """Unit vectors (down, right) along the contour lines of `potential`, so that fibres run round the nests."""
    gy, gx = np.gradient(potential)
    length = np.hypot(gx, gy) + 1e-9
    return gx / length, -gy / length


def _fibres(noise: Noise, slope: tuple[Image, Image], steps: int = 18) -> Image:
    """Streaks (0 to 1): white noise averaged along each contour line, half of it in either direction."""
    down, right = slope
    grain = ndimage.gaussian_filter(noise.rng.standard_normal(down.shape), 0.9)
    total = grain.copy()
    for sign in (1.8, -1.8):
        total += _carried(grain, sign * down, sign * right, steps)
    total = total / total.std() + 0.7 * noise(40)
    return np.asarray(np.clip(0.5 + total / 5, 0, 1))


def _carried(grain: Image, down: Image, right: Image, steps: int) -> Image:
    """Sum of `grain` along a path of so many steps from each pixel, moving by `down` and `right` at each."""
    height, width = grain.shape
    row, column = np.indices(grain.shape, dtype=np.float32)
    total = np.zeros(grain.shape)
    for _ in range(steps):
        place = np.rint(np.clip(row, 0, height - 1)).astype(np.intp) * width
        place += np.rint(np.clip(column, 0, width - 1)).astype(np.intp)
        total += grain.ravel()[place]
        row += down.ravel()[place].astype(np.float32)
        column += right.ravel()[place].astype(np.float32)
    return total


def _fat_cells(frame: Frame, rng: np.random.Generator, lobes: Image, tissue: Mask) -> tuple[Image, Image, Image]:
    """Fat cells where `lobes` is above 0: their area (0 or 1), their walls (0 to 1), points on walls for nuclei.

    Cells are the regions nearest to the points of a lattice, with rounded corners.
    """
    sites = lattice(frame, 70, rng, 0.17)
    chosen = look_up(lobes, sites) + rng.normal(0, 0.12, len(sites)) > 0
    rows, columns = np.nonzero(tissue & (lobes > -0.8))
    near, which = cKDTree(sites).query(np.stack([columns, rows], axis=1), k=3)
    near = near * frame.um_per_px
    inside = chosen[which[:, 0]]
    wall = _soft(1.6 + 120 / (near[:, 2] - near[:, 0] + 8) - (near[:, 1] - near[:, 0]), 1.1)
    fat, rims = np.zeros(frame.shape), np.zeros(frame.shape)
    fat[rows, columns] = inside
    rims[rows, columns] = wall * inside
    partners = sites[cKDTree(sites).query(sites, k=2)[1][:, 1]]
    return fat, rims, ((sites + partners) / 2)[chosen]


def _all_nuclei(
    frame: Frame,
    rng: np.random.Generator,
    tissue: Mask,
    maps: dict[str, Image],
    slope: tuple[Image, Image],
    walls: Image,
) -> tuple[Nuclei, ...]:
    stroma = tissue * (1 - np.clip(maps["tumour"] + maps["fat"] + maps["immune"], 0, 1))
    along = np.arctan2(*slope)
    crowded = 0.80 + 0.15 * maps["core"]
    kinds = (
        Kind(lattice(frame, 11.5, rng, 0.20), maps["tumour"] * crowded, (4.9, 0.22, 0.78), (1.0, 0.20)),
        Kind(lattice(frame, 7.8, rng, 0.17), maps["immune"] ** 2 * 0.95, (3.3, 0.10, 0.95), (1.55, 0.14)),
        Kind(lattice(frame, 21.0, rng, 0.35), stroma * 0.55, (6.2, 0.25, 0.30), (1.15, 0.2)),
        Kind(lattice(frame, 30.0, rng, 0.40), stroma * 0.22, (3.3, 0.10, 0.95), (1.5, 0.12)),
        Kind(walls, maps["fat"] * 0.5, (5.5, 0.2, 0.32), (1.1, 0.15)),
    )
    return tuple(_nuclei(frame, rng, tissue, along, kind) for kind in kinds)


class Kind(NamedTuple):
    """One kind of nucleus: where it may lie, how likely it does, and how it looks.

    ``shape`` is half the length in micrometres, its spread, and short over long axis; ``darkness`` mean and spread.
    """

    points: Image
    chance: Image
    shape: tuple[float, float, float]
    darkness: tuple[float, float]


def _nuclei(frame: Frame, rng: np.random.Generator, tissue: Mask, along: Image, kind: Kind) -> Nuclei:
    drawn = rng.random(len(kind.points)) < look_up(kind.chance, kind.points)
    kept = kind.points[drawn & look_up(tissue, kind.points).astype(bool)]
    half_um, spread, ratio = kind.shape
    long = half_um * np.exp(rng.normal(0, spread, len(kept))) / frame.um_per_px
    short = long * np.clip(ratio * np.exp(rng.normal(0, 0.12, len(kept))), 0.2, 1)
    angle = look_up(along, kept) + rng.normal(0, 0.3, len(kept))
    depth = np.clip(rng.normal(*kind.darkness, len(kept)), 0.5, 2.2)
    return Nuclei(kept, np.stack([long, short], axis=1), angle, depth)
