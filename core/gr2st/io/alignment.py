"""Whether the spots fit the picture, and if not, what is most likely wrong: said in one verdict and one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from gr2st.errors import DataError
from gr2st.io.alignment_fit import Affine, Fit, Spots, tissue_map
from gr2st.io.tissue import is_histology
from gr2st.types import Alignment

if TYPE_CHECKING:
    from gr2st.types import Float64, Slide

_THUMBNAIL_PX = 2000
_GOOD = 0.75
"""Sections that fit have 0.88 to 1 of their spots on tissue; a claim of a better fit must reach this."""
_SCALED = 0.9
"""With this share on tissue no factor is looked for."""
_FEW = 0.6
"""Below this share on tissue, without a better fit, tissue is too pale to be seen or there is none."""
_GAIN, _TOTAL_GAIN = 0.03, 0.06
"""What a better orientation must gain: share on tissue, and that plus the share of tissue covered."""
_SHIFT_GAIN = 0.08
_EQUAL = 0.03
"""Corrections whose gains differ by less than this fit equally well."""
_FITS = 0.98
"""With this share on tissue no shift is looked for."""
_SCALE_GAIN = 0.3
_LEAST_SPOTS = 3
"""Spots that must gain tissue before a better fit is believed: single spots prove nothing in a small section."""


class _Mistake(NamedTuple):
    """What may be wrong with the positions, and how they fit when it is undone."""

    verdict: str
    message: str
    fit: Fit


def check_alignment(xy: Float64, slide: Slide | None, spot_diameter_px: float) -> Alignment:
    """Judge how well spots lie on the tissue of a slide, and name the likely mistake where they do not.

    Parameters
    ----------
    xy : (n, 2) float64
        Spot centres x, y in level-0 pixels. Positions that are not finite count as outside.
    slide : Slide or None
    spot_diameter_px : float
        Diameter of a spot in level-0 pixels.

    Returns
    -------
    Alignment
        "scale" names the factor to multiply all positions by; the shares are those of the positions as given.

    Raises
    ------
    DataError
        Where `xy` has not two columns, the diameter is not positive, or the picture cannot be decoded.
    """
    _check(xy, spot_diameter_px)
    if slide is None:
        return Alignment("unknown", 0.0, 0.0, "There is no picture, so the positions cannot be checked against tissue.")
    placed = xy[np.isfinite(xy).all(axis=1)]
    if not len(placed):
        return Alignment("unknown", 0.0, 0.0, "There are no spots with a position to check against the picture.")
    return _judged(xy, placed, slide, spot_diameter_px)


def _judged(xy: Float64, placed: Float64, slide: Slide, spot_diameter_px: float) -> Alignment:
    thumbnail = slide.thumbnail(_THUMBNAIL_PX)
    known = len(placed) / len(xy)
    if not is_histology(thumbnail):
        return _without_tissue(xy, placed, slide)
    tissue = tissue_map(slide, thumbnail, spot_diameter_px)
    spots = Spots(placed, tissue)
    now = spots.fit()
    inside, on_tissue = float(tissue.inside(placed).mean()) * known, now.on_tissue * known
    verdict, message = _better(spots, now) or _as_it_is(len(xy), inside, on_tissue, slide)
    return Alignment(verdict, inside, on_tissue, message)


def _better(spots: Spots, now: Fit) -> tuple[str, str] | None:
    """The likeliest mistake, where undoing it brings clearly more spots onto tissue; of equal ones the simplest."""
    found = [one for one in (_turned(spots, now), _scaled(spots, now), _shifted(spots, now)) if one is not None]
    if not found:
        return None
    best = max(one.fit.total for one in found)
    likely = next(one for one in found if one.fit.total >= best - _EQUAL)
    return likely.verdict, likely.message


def _turned(spots: Spots, now: Fit) -> _Mistake | None:
    moves = spots.orientations()
    fits = {name: spots.fit(move) for name, move in moves.items()}
    name = max(fits, key=lambda one: fits[one].total)
    if not _is_better(fits[name], now, _GAIN, _TOTAL_GAIN, len(spots.xy)):
        return None
    verdict = "swapped" if "swapped" in name else "rotated" if "turned" in name else "mirrored"
    message = (
        f"It looks as if {name}: read that way, {_percent(fits[name].on_tissue)} of the spots lie on tissue instead of "
        f"{_percent(now.on_tissue)}. Correct the positions or the picture before using this section."
    )
    return _Mistake(verdict, message, fits[name])


def _scaled(spots: Spots, now: Fit) -> _Mistake | None:
    if now.on_tissue >= _SCALED:
        return None
    factor = spots.best_factor()
    fit = spots.fit(Affine(factor * np.eye(2), np.zeros(2)))
    if not _is_better(fit, now, _GAIN, _SCALE_GAIN, len(spots.xy)):
        return None
    other = "larger" if factor < 1 else "smaller"
    message = (
        f"The positions belong to a {other} picture of this section: multiplied by about {factor:.3g}, "
        f"{_percent(fit.on_tissue)} of the spots lie on tissue instead of {_percent(now.on_tissue)}. Use the picture "
        "they were measured on, or name this one in a study.csv with that factor as image_scale."
    )
    return _Mistake("scale", message, fit)


def _shifted(spots: Spots, now: Fit) -> _Mistake | None:
    if now.on_tissue >= _FITS or not spots.tissue.inside(spots.xy).mean() > 0.5:
        return None
    move = spots.best_shift()
    fit = spots.fit(move)
    if not _is_better(fit, now, _SHIFT_GAIN / 2, _SHIFT_GAIN, len(spots.xy)):
        return None
    x, y = move.apply(spots.xy.mean(axis=0)) - spots.xy.mean(axis=0)
    turn = np.rad2deg(np.arctan2(move.matrix[1, 0], move.matrix[0, 0]))
    message = (
        f"The spots lie beside the tissue: moved by about {x:.0f} pixels in x and {y:.0f} in y and turned by "
        f"{turn:.0f} degrees, {_percent(fit.on_tissue)} of them would lie on tissue instead of "
        f"{_percent(now.on_tissue)}. Check that the picture is the one the positions were measured on."
    )
    return _Mistake("misregistered", message, fit)


def _percent(share: float) -> str:
    """Whole percent, rounded down: 100 % means all."""
    return f"{int(share * 100 + 1e-9)} %"


def _is_better(fit: Fit, now: Fit, gain: float, total_gain: float, n_spots: int) -> bool:
    gained = fit.on_tissue - now.on_tissue
    enough = gained >= gain and gained * n_spots >= _LEAST_SPOTS - 0.5
    return fit.on_tissue >= _GOOD and enough and fit.total - now.total >= total_gain


def _as_it_is(n_spots: int, inside: float, on_tissue: float, slide: Slide) -> tuple[str, str]:
    if inside < 0.5:
        return "outside", _outside(n_spots, inside, slide)
    left_out = round(n_spots * (1 - inside))
    remark = f" {left_out} of {n_spots} spots lie outside the picture." if left_out else ""
    if on_tissue < _FEW:
        return "pale", (
            f"Only {_percent(on_tissue)} of the spots lie on what looks like tissue, and no simple correction fits "
            f"better: the tissue may be too pale to be recognised. Look at the spots on the picture.{remark}"
        )
    return "good", f"{_percent(on_tissue)} of the spots lie on tissue.{remark}"


def _without_tissue(xy: Float64, placed: Float64, slide: Slide) -> Alignment:
    """The verdict on a picture that shows no stained tissue: only the frame can be checked."""
    within = ((placed >= 0) & (placed < [slide.width, slide.height])).all(axis=1)
    inside = float(within.sum()) / len(xy)
    if inside < 0.5:
        return Alignment("outside", inside, 0.0, _outside(len(xy), inside, slide))
    return Alignment(
        "not-histology",
        inside,
        0.0,
        f"{slide.path.name} is no bright-field H&E picture (dark, blank or without stain), so spots cannot be checked "
        "against tissue and patches would mean nothing. Choose the H&E picture of this section.",
    )


def _outside(n_spots: int, inside: float, slide: Slide) -> str:
    return (
        f"{round(n_spots * (1 - inside))} of {n_spots} spots lie outside the picture, which is {slide.width} x "
        f"{slide.height} pixels: it may be cropped or scaled differently, or belong to another section. "
        "Use the picture the positions were measured on."
    )


def _check(xy: Float64, spot_diameter_px: float) -> None:
    if xy.ndim != 2 or xy.shape[1] != 2:
        raise DataError(f"Spot positions must have two columns, x and y; their shape is {xy.shape}.")
    if not spot_diameter_px > 0:
        raise DataError(f"The spot diameter must be above 0 pixels; it is {spot_diameter_px}.")
