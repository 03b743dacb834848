"""Which pictures of a TIFF are the slide and its levels, what their samples mean, and which files are refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import tifffile

from gr2st.errors import DataError
from gr2st.io.slide_pixels import PixelKind

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st.types import UInt8

_LEFT_OUT = ("label", "macro", "thumbnail", "overview")
_APERIO_YCBCR = 33003
_ALPHA = {1: "premultiplied", 2: "straight"}
_READABLE_AXES = ("YX", "YXS", "SYX")


def picture_of(path: Path, tiff: tifffile.TiffFile) -> Any:
    """The series of a file that is the slide: the largest one that is neither label nor macro."""
    series = [one for one in tiff.series if str(one.name).lower() not in _LEFT_OUT]
    if not series:
        found = "only a label or an overview" if tiff.series else "no picture: it may be cut off"
        raise DataError(f"{path.name} holds {found}. Export or copy it again.")
    picture = max(series, key=_area)
    if picture.axes not in _READABLE_AXES:
        raise DataError(
            f"{path.name} holds a stack of pictures or channels (axes {picture.axes}, shape {picture.shape}); one RGB "
            "or grey picture is wanted. Export the H&E picture alone as RGB."
        )
    return picture


def levels_of(picture: Any, tiff: tifffile.TiffFile) -> list[Any]:
    """The levels of the slide, largest first: its own, or other series that are the same picture smaller."""
    own = [level for level in picture.levels if _is_smaller_copy(level, picture)]
    if len(own) > 1 or picture.kind == "svs":
        return own
    others = [one for one in tiff.series if one is not picture and str(one.name).lower() not in _LEFT_OUT]
    return own + sorted((one for one in others if _is_reduced_page(one, picture)), key=_area, reverse=True)


def refuse_truncated(path: Path, levels: list[Any]) -> None:
    """DataError where the file ends before its pixel data does."""
    size = path.stat().st_size
    for level in levels:
        for page in level.pages:
            ends = np.asarray(page.dataoffsets, np.int64) + np.asarray(page.databytecounts, np.int64)
            if ends.size and int(ends.max()) > size:
                raise DataError(
                    f"{path.name} is cut off: it has {size:,} bytes and its pixels end at {int(ends.max()):,}. "
                    "Copy or download it again."
                )


def pixel_kind(path: Path, page: Any) -> PixelKind:
    """What the samples of a page mean; DataError, with every reason, where they are no 8 or 16 bit RGB or grey."""
    findings = [*_compression_findings(page), *_sample_findings(page)]
    if findings:
        raise DataError(f"{path.name} cannot be read as a picture: {'; '.join(findings)}. Export it as 8 bit RGB TIFF.")
    photometric = tifffile.PHOTOMETRIC(page.photometric)
    return PixelKind(
        alpha=_ALPHA[page.extrasamples[0]] if page.extrasamples else "none",  # type: ignore[arg-type]
        ycbcr=page.compression == _APERIO_YCBCR,
        inverted=photometric == tifffile.PHOTOMETRIC.MINISWHITE,
        palette=_palette(page) if photometric == tifffile.PHOTOMETRIC.PALETTE else None,
    )


def _compression_findings(page: Any) -> list[str]:
    try:
        tifffile.TIFF.DECOMPRESSORS[page.compression]
    except KeyError:
        return [f"its compression {int(page.compression)} is unknown"]
    return []


def _sample_findings(page: Any) -> list[str]:
    findings = []
    photometric = tifffile.PHOTOMETRIC(page.photometric)
    if page.dtype not in (np.uint8, np.uint16):
        findings.append(f"its pixels are {page.dtype}, not uint8 or uint16")
    colours = page.samplesperpixel - len(page.extrasamples)
    wanted = {"MINISBLACK": 1, "MINISWHITE": 1, "PALETTE": 1, "RGB": 3, "YCBCR": 3}.get(photometric.name)
    if wanted is None:
        findings.append(f"its colours are {photometric.name}, not RGB or grey")
    elif colours != wanted:
        findings.append(f"it has {colours} colour samples a pixel where {photometric.name} has {wanted}")
    if len(page.extrasamples) > 1 or any(int(extra) not in _ALPHA for extra in page.extrasamples):
        findings.append("it has further samples a pixel of unstated meaning")
    return findings


def _palette(page: Any) -> UInt8:
    return (np.asarray(page.colormap).T // 257).astype(np.uint8)


def _area(series: Any) -> int:
    height, width = _size(series)
    return height * width


def _size(series: Any) -> tuple[int, int]:
    sizes = dict(zip(series.axes, series.shape, strict=True))
    return int(sizes.get("Y", 0)), int(sizes.get("X", 0))


def _is_smaller_copy(level: Any, picture: Any) -> bool:
    """Same proportions within the rounding of a reduction, in both directions."""
    if level.axes != picture.axes:
        return False
    (height, width), (full_height, full_width) = _size(level), _size(picture)
    if not height or not width:
        return False
    factor = full_width / width
    return abs(full_height / factor - height) <= 1.5 + 0.005 * height


def _is_reduced_page(series: Any, picture: Any) -> bool:
    """A page without the mark of a pyramid level that is one all the same: reduced by a whole factor, same samples."""
    if not _is_smaller_copy(series, picture) or series.dtype != picture.dtype:
        return False
    factor = _size(picture)[1] / _size(series)[1]
    return factor > 1.9 and abs(factor - round(factor)) < 0.02 * factor
