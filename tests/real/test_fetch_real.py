"""The hashes the package carries are those of the published files."""

from __future__ import annotations

import pytest

from gr2st.dataset_specs import HER2ST
from gr2st.io.fetch import verify
from gr2st.types import finish

pytestmark = pytest.mark.real


def test_the_published_sections_verify_without_a_network(real_data):
    verified = finish(verify(HER2ST, real_data / "her2st", ["C2", "C3", "C4"]))
    assert (verified.n_files, verified.notes) == (9, ())
