"""Names and numbers of nuclear classes as other programs write them, and the classes of GR2ST they stand for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gr2st.errors import DataError
from gr2st.io.tables import some
from gr2st.types import CELL_CLASSES

if TYPE_CHECKING:
    from collections.abc import Iterable

PANNUKE_ORDER = ("nolabe", "neopla", "inflam", "connec", "necros", "no-neo")
"""Classes in the order of HoVer-Net's numbers for PanNuke (its type_info.json), which is not the order of GR2ST."""

SYNONYMS = {
    "nolabe": ("no label", "unlabelled", "unlabeled", "unclassified", "background", "other"),
    "necros": ("necrosis", "necrotic", "dead", "dead cells"),
    "neopla": ("neoplastic", "neoplastic cells", "neoplastic epithelial", "tumor", "tumour", "tumor cells"),
    "inflam": ("inflammatory", "inflammatory cells", "immune", "immune cells", "lymphocyte", "lymphocytes"),
    "connec": ("connective", "connective tissue", "connective/soft tissue cells", "stroma", "stromal", "fibroblast"),
    "no-neo": ("non-neoplastic", "non-neoplastic epithelial", "non-neoplastic epithelial cells", "epithelial"),
}
"""What each class is called by HoVer-Net, PanNuke and QuPath; compared in lower case."""

_CLASS_OF = {name: number for number, name in enumerate(CELL_CLASSES)} | {
    synonym: CELL_CLASSES.index(name) for name, synonyms in SYNONYMS.items() for synonym in synonyms
}
_OF_PANNUKE = [CELL_CLASSES.index(name) for name in PANNUKE_ORDER]


def classes_of_names(names: Iterable[str], where: str) -> list[int]:
    """Ids of named classes; an empty name is 0, "nolabe".

    Of a derived QuPath class ("Tumor: Positive") the first part counts.

    Raises
    ------
    DataError
        With all names that are in no table.
    """
    listed = [name.split(":")[0].strip().lower() for name in names]
    unknown = sorted({name for name in listed if name and name not in _CLASS_OF})
    if unknown:
        raise DataError(
            f"{where} has classes that are not known: {some(map(repr, unknown), 10)}. Known: {', '.join(_CLASS_OF)}. "
            "Rename them in the file; a nucleus without a class has an empty name."
        )
    return [_CLASS_OF.get(name, 0) for name in listed]


def classes_of_numbers(numbers: Iterable[object], where: str) -> list[int]:
    """Ids of HoVer-Net's class numbers for PanNuke (0 to 5).

    Raises
    ------
    DataError
        Where a nucleus has no number or one beyond 5.
    """
    listed = list(numbers)
    strange = sorted({str(number) for number in listed if not _is_pannuke(number)})
    if strange:
        raise DataError(
            f"{where} has nuclei of type {some(strange)}; HoVer-Net's numbers for PanNuke, 0 to 5, are wanted. "
            "Run HoVer-Net with --nr_types=6 and its PanNuke weights."
        )
    return [_OF_PANNUKE[int(str(number))] for number in listed]


def _is_pannuke(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool) and 0 <= number < len(_OF_PANNUKE)
