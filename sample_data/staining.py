"""Stains an invented section with haematoxylin and eosin: from maps of tissue to a picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from scipy import ndimage

if TYPE_CHECKING:
    from tissue import Frame, Image, Nuclei, Tissue


@dataclass(frozen=True)
class Stain:
    """Optical density of the two dyes in red, green and blue, their strength, and the colour of empty glass."""

    haematoxylin: tuple[float, float, float]
    eosin: tuple[float, float, float]
    strength: tuple[float, float]
    glass: tuple[float, float, float]


PATIENT_STAINS = {
    "A": Stain((0.72, 0.80, 0.36), (0.13, 0.80, 0.36), (1.00, 1.00), (244, 243, 245)),
    "B": Stain((0.78, 0.74, 0.32), (0.17, 0.74, 0.50), (0.86, 1.15), (246, 243, 241)),
}


def stain(tissue: Tissue, dyes: Stain, rng: np.random.Generator) -> npt.NDArray[np.uint8]:
    """The picture (height, width, 3) uint8 RGB of a section under the microscope."""
    haematoxylin, eosin = _dye_maps(tissue, rng)
    thickness = _slow(tissue.frame, rng, 0.08)
    density = (haematoxylin * thickness * dyes.strength[0])[..., None] * np.array(dyes.haematoxylin) + (
        eosin * thickness * dyes.strength[1]
    )[..., None] * np.array(dyes.eosin)
    light = np.array(dyes.glass) * _slow(tissue.frame, rng, 0.012)[..., None]
    picture = ndimage.gaussian_filter(light * np.exp(-density), (0.55, 0.55, 0))
    on_tissue = ndimage.binary_dilation(tissue.tissue, iterations=3)
    picture += rng.normal(0, 1.6, picture.shape[:2])[..., None] * on_tissue[..., None]
    return np.clip(np.rint(picture), 0, 255).astype(np.uint8)


def _dye_maps(tissue: Tissue, rng: np.random.Generator) -> tuple[Image, Image]:
    """Concentration of haematoxylin and of eosin at each place; 1 is a strong stain."""
    shares = tissue.compartments()
    grain = ndimage.gaussian_filter(rng.standard_normal(tissue.tissue.shape), 1.2) * 2.2
    cleft = 1 - 0.8 / (1 + np.exp((tissue.fibres - 0.20) / 0.02))
    eosin = (
        shares["stroma"] * (0.12 + 0.62 * tissue.fibres) * cleft
        + shares["tumour"] * (0.32 + 0.06 * grain)
        + shares["immune"] * 0.22
        + shares["fat"] * (0.015 + 0.42 * tissue.rims)
    )
    haematoxylin = (
        shares["stroma"] * (0.03 + 0.06 * tissue.fibres) * cleft
        + shares["tumour"] * (0.23 + 0.07 * grain)
        + shares["immune"] * 0.38
        + shares["fat"] * 0.05 * tissue.rims
    )
    haematoxylin = np.maximum(haematoxylin, _nuclear_dye(tissue) * (1 + 0.10 * grain))
    eosin, haematoxylin = _edge(tissue, eosin), _edge(tissue, haematoxylin)
    return np.clip(haematoxylin, 0, None), np.clip(eosin + _halo(tissue), 0, None)


def _nuclear_dye(tissue: Tissue) -> Image:
    drawn = np.zeros(tissue.tissue.shape)
    for kind in tissue.nuclei:
        _stamp(drawn, kind)
    return drawn


def _stamp(drawn: Image, nuclei: Nuclei) -> None:
    """Draw soft ellipses into `drawn`; where two overlap the darker one shows."""
    reach = int(np.ceil(nuclei.axes.max())) + 2
    dy, dx = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    column, row = np.rint(nuclei.xy).astype(int).T
    x = dx.ravel() + (column - nuclei.xy[:, 0])[:, None]
    y = dy.ravel() + (row - nuclei.xy[:, 1])[:, None]
    cos, sin = np.cos(nuclei.angle)[:, None], np.sin(nuclei.angle)[:, None]
    across = np.hypot((x * cos + y * sin) / nuclei.axes[:, :1], (y * cos - x * sin) / nuclei.axes[:, 1:])
    soft = np.clip((1 - across) * nuclei.axes[:, 1:] + 0.5, 0, 1) * nuclei.darkness[:, None]
    rows, columns = row[:, None] + dy.ravel(), column[:, None] + dx.ravel()
    inside = (rows >= 0) & (rows < drawn.shape[0]) & (columns >= 0) & (columns < drawn.shape[1]) & (soft > 0)
    np.maximum.at(drawn, (rows[inside], columns[inside]), soft[inside])


def _edge(tissue: Tissue, dye: Image) -> Image:
    """No dye off the tissue, and a slightly darker seam where the cut edge curls up."""
    depth_um = ndimage.distance_transform_edt(tissue.tissue) * tissue.frame.um_per_px
    return np.where(tissue.tissue, dye * (1 + 0.35 * np.exp(-depth_um / 9)), 0)


def _halo(tissue: Tissue) -> Image:
    """Eosin that was not washed out: a faint veil round the tissue."""
    away_um = ndimage.distance_transform_edt(~tissue.tissue) * tissue.frame.um_per_px
    return np.where(tissue.tissue, 0, 0.035 * np.exp(-away_um / 130))


def _slow(frame: Frame, rng: np.random.Generator, amount: float) -> Image:
    """Values round 1 that change slowly over the picture: section thickness, uneven light."""
    height, width = frame.shape
    grid = ndimage.zoom(rng.standard_normal((5, 5)), 4, order=3)
    rows, columns = np.meshgrid(np.linspace(0, 19, height), np.linspace(0, 19, width), indexing="ij")
    return np.asarray(1 + amount * ndimage.map_coordinates(grid, [rows, columns], order=1))
