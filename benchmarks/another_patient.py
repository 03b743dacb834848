"""HER2ST sections of two patients at one scale: ``python -m benchmarks.another_patient HER2ST FOLDER``.

A1 of patient A is there as a copy of 3.19 um per pixel only. C2 to C4 of patient C, scanned at 0.69, are reduced to
that by the mean over areas and written to a folder, with a study.csv of all four. The table of docs/method.md,
"Another patient", is made of that study.
"""

from __future__ import annotations

import csv
import sys
from pathlib import Path

from PIL import Image

UM_PER_PX = 3.19
PITCH_UM, STEPS_ACROSS = 200, 32
"""The array: 32 steps of 200 um across each picture of C."""

A1_IMAGE, A1_SCALE = "app/www/imgs/A1_HE_image_dark.png", 0.2876
"""Width of that copy by width of the picture that the positions of A1 count in."""


def main(her2st: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    lines = [("A1", "A", counts(her2st, "A1"), her2st / A1_IMAGE, A1_SCALE)]
    for section in ("C2", "C3", "C4"):
        (picture,) = (her2st / "data" / "ST-imgs" / "C" / section).glob("*.jpg")
        reduced = folder / f"{section}.png"
        lines.append((section, "C", counts(her2st, section), reduced, reduce(picture, reduced)))
    with (folder / "study.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("section", "patient", "path", "image", "image_scale"), *lines])


def counts(her2st: Path, section: str) -> Path:
    return her2st / "data" / "ST-cnts" / f"{section}.tsv.gz"


def reduce(picture: Path, to: Path) -> float:
    """Write the picture at `UM_PER_PX`; the scale it then has."""
    Image.MAX_IMAGE_PIXELS = None
    with Image.open(picture) as full:
        factor = PITCH_UM * STEPS_ACROSS / full.width / UM_PER_PX
        size = round(full.width * factor), round(full.height * factor)
        full.resize(size, Image.Resampling.BOX).save(to)
        return round(size[0] / full.width, 6)


if __name__ == "__main__":
    main(*(Path(argument).resolve() for argument in sys.argv[1:3]))
