"""Where the sample study lies: inside the installed package, or beside it in a checkout."""

from __future__ import annotations

from pathlib import Path

from gr2st.errors import DataError

PLACES = (Path(__file__).parents[1] / "sample_data", Path(__file__).parents[3] / "sample_data")


def sample_study_path() -> Path:
    """Folder of the sample study; DataError where this installation came without it."""
    for place in PLACES:
        if (place / "study.csv").is_file():
            return place
    raise DataError(f"The sample study is not at {PLACES[0]}; this installation is incomplete: install it again.")
