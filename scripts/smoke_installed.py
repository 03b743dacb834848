"""Checks an installed wheel from the inside: where it lies, what it holds, what importing it loads."""

from __future__ import annotations

import sys
from importlib.resources import files
from importlib.util import find_spec

HEAVY = ("torch", "scanpy", "napari", "qtpy", "PyQt6", "PySide6")
WANTED = {"gr2st": ("py.typed", "io/fetch_her2st.tsv"), "gr2st_napari": ("py.typed", "napari.yaml")}


def main() -> None:
    """Raise AssertionError with a sentence where something is missing."""
    import gr2st

    loaded = [name for name in HEAVY if name in sys.modules]
    assert not loaded, f"import gr2st also loads {', '.join(loaded)}"
    assert "site-packages" in str(gr2st.__file__), f"gr2st comes from {gr2st.__file__}, not from the wheel"
    assert find_spec("napari") is None, "napari is installed here: this check is for an environment without it"
    for package, names in WANTED.items():
        missing = [name for name in names if not (files(package) / name).is_file()]
        assert not missing, f"the wheel lacks {', '.join(missing)} in {package}"

    from gr2st.io.sample import sample_study_path

    study = sample_study_path()
    assert "site-packages" in str(study), f"the sample study comes from {study}, not from the wheel"
    assert len(list(study.glob("ST-imgs/*/*/*.jpg"))) == 4, f"the sample study at {study} lacks pictures"


if __name__ == "__main__":
    main()
