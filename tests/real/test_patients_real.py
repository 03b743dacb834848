"""Real sections of two patients, one of them with labels and only a scaled copy of its picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from gr2st import keys
from gr2st.config import GeneChoice
from gr2st.evaluation.crossval import Evaluation, evaluate
from gr2st.evaluation.plan import Plan
from gr2st.io.section import read_section
from gr2st.io.study import read_study
from gr2st.types import finish

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st.types import Study

pytestmark = pytest.mark.real

A1_SCALE = 2000 / 6954
"""Width of the picture of the app by width of the picture that the positions of A1 count in."""


@pytest.fixture(scope="module")
def study(real_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Study:
    folder = tmp_path_factory.mktemp("patients")
    her2st = (real_data / "her2st").resolve()
    picture = her2st / "app" / "www" / "imgs" / "A1_HE_image_dark.png"
    counts = her2st / "data" / "ST-cnts"
    rows = [
        "section,patient,path,image,image_scale",
        f"A1,A,{counts / 'A1.tsv.gz'},{picture},{A1_SCALE}",
        f"C2,C,{counts / 'C2.tsv.gz'},,",
    ]
    (folder / "study.csv").write_text("\n".join(rows) + "\n")
    return read_study(folder)


@pytest.fixture(scope="module")
def evaluation(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Evaluation:
    plan = Plan(models=("ridge",), genes=GeneChoice(n_variable=200), recipe={"encoder": "handcrafted"})
    return finish(evaluate(study, plan, tmp_path_factory.mktemp("evaluation")))


def test_spots_lie_on_the_tissue_of_a_scaled_copy(study: Study) -> None:
    section = read_section(study.entry("A1"))
    assert section.alignment.verdict == "good"
    assert section.alignment.on_tissue > 0.98
    assert section.um_per_px == pytest.approx(3.19, abs=0.01)
    assert section.um_per_px_source == "array pitch of 200 µm"


def test_clusters_of_the_labelled_section_are_held_against_its_labels(evaluation: Evaluation) -> None:
    assert evaluation.failures == ()
    sections = pd.read_csv(evaluation.out / keys.SECTION_SCORES).set_index("section")
    assert sections.loc["A1", "nmi_measured"] > 0.1
    assert 0 < sections.loc["A1", "nmi_predicted"] < 1
    assert sections.loc["C2", ["ari_predicted", "ari_measured"]].isna().all(), "only A1 has labels"


def test_another_patient_is_predicted_better_than_by_chance_and_far_worse_than_a_sister(evaluation: Evaluation) -> None:
    sections = evaluation.summary["models"]["ridge"]["sections"]
    assert 0 < sections["A1"]["pcc_spot"] < 0.2
    assert 0 < sections["C2"]["pcc_spot"] < 0.2
