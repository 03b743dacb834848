"""The layouts of the published studies: every section, with its patient, picture, labels and cell types."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import numpy as np
import pytest

from gr2st.errors import SectionInvalid
from gr2st.io.section import read_section
from gr2st.io.study import read_study, write_study
from tests.builders import legacy_array, visium_array
from tests.published_builders import (
    BREAST_NAMES,
    CSCC_NAMES,
    HER2ST_NAMES,
    SMALL,
    breast_folder,
    cell_types_of,
    cscc_folder,
    her2st_deposit,
    her2st_repository,
    interleaved_array,
)

if TYPE_CHECKING:
    from pathlib import Path

    from gr2st.types import Study


def patients_of(study: Study) -> dict[str | None, int]:
    patients = [entry.patient for entry in study.entries]
    return {patient: patients.count(patient) for patient in dict.fromkeys(patients)}


@pytest.mark.parametrize("build", [her2st_repository, her2st_deposit])
def test_all_of_her2st_is_found_in_both_forms(tmp_path: Path, build) -> None:
    study = read_study(build(tmp_path / "her2st"))
    assert study.names == HER2ST_NAMES
    assert patients_of(study) == {"A": 6, "B": 6, "C": 6, "D": 6, "E": 3, "F": 3, "G": 3, "H": 3}
    assert not any(entry.without_image for entry in study.entries)
    section = read_section(study.entry("A1"))
    np.testing.assert_array_equal(
        np.sort(section.table.obs["array_col"].unique()), np.unique(legacy_array(**SMALL).columns)
    )
    assert section.table.obs["label"].notna().all()
    assert section.slide is not None


def test_all_of_cscc_is_found_with_its_patients(tmp_path: Path) -> None:
    study = read_study(cscc_folder(tmp_path))
    assert set(study.names) == set(CSCC_NAMES)
    assert patients_of(study) == {"P2": 3, "P5": 3, "P9": 3, "P10": 3}
    section = read_section(study.entry("P10_ST_rep3"))
    array = interleaved_array(CSCC_NAMES.index("P10_ST_rep3"))
    rows = [array.names.index(name) for name in section.spot_names]
    np.testing.assert_array_equal(section.table.X.toarray(), array.counts[rows])
    np.testing.assert_allclose(section.table.obsm["spatial"], array.xy[rows])
    assert section.slide is not None
    assert section.alignment.verdict == "good"


def test_a_packed_picture_is_to_be_unpacked(tmp_path: Path) -> None:
    cscc_folder(tmp_path, CSCC_NAMES[:2])
    picture = tmp_path / "GSM4284316_P2_ST_rep1.jpg"
    picture.with_suffix(".jpg.gz").write_bytes(gzip.compress(picture.read_bytes()))
    picture.unlink()
    study = read_study(tmp_path)
    said = study.entry("P2_ST_rep1").without_image
    assert said == "Counts and spots only: GSM4284316_P2_ST_rep1.jpg.gz is packed; unpack it (gunzip)."
    assert not study.entry("P2_ST_rep2").without_image


@pytest.fixture(scope="module")
def breast(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return read_study(breast_folder(tmp_path_factory.mktemp("deposit") / "breast"))


def test_all_breast_sections_are_found_with_their_patients(breast: Study) -> None:
    assert breast.names == BREAST_NAMES
    assert patients_of(breast) == dict.fromkeys(BREAST_NAMES, 1)
    assert not breast.notes


def test_a_breast_section_is_read_like_any_visium_section(breast: Study) -> None:
    section = read_section(breast.entry("CID4465"))
    array = visium_array(seed=BREAST_NAMES.index("CID4465"), **SMALL)
    np.testing.assert_array_equal(section.table.X.toarray(), array.counts)
    np.testing.assert_allclose(section.table.obsm["spatial"], array.xy)
    assert section.genes == tuple(array.genes)
    assert section.layout == "visium"
    assert set(section.table.obs["label"]) == {"Stroma", "Invasive cancer + stroma"}
    assert section.slide is not None
    assert section.slide.path.name == "CID4465.tif"
    assert section.um_per_px == pytest.approx(100 / section.grid_pitch)


def test_without_scans_a_breast_section_is_shown_on_its_reduced_picture(tmp_path: Path) -> None:
    study = read_study(breast_folder(tmp_path, BREAST_NAMES[:1], scans=False))
    section = read_section(study.entry("1142243F"))
    assert section.slide is not None
    assert section.slide.path.name == "tissue_hires_image.png"
    np.testing.assert_allclose(section.table.obsm["spatial"], visium_array(**SMALL).xy * 0.8)


def test_two_scans_of_one_section_are_not_chosen_between(tmp_path: Path) -> None:
    folder = breast_folder(tmp_path, BREAST_NAMES[:1])
    (folder / "images" / "1142243F.jpg").write_bytes((folder / "images" / "1142243F.tif").read_bytes())
    said = read_study(folder).entry("1142243F").without_image
    assert said == "Several pictures fit 1142243F: 1142243F.jpg, 1142243F.tif. Name one in a study.csv."


def test_counts_without_positions_are_told(tmp_path: Path) -> None:
    folder = breast_folder(tmp_path, BREAST_NAMES[:2])
    (folder / "spatial" / "1160920F_spatial").rename(folder / "spatial" / "elsewhere")
    study = read_study(folder)
    assert study.names == ("1142243F",)
    assert study.notes == ("1 section left out, not in both filtered_count_matrices and spatial: 1160920F.",)


def test_labels_of_another_section_are_a_problem(tmp_path: Path) -> None:
    folder = breast_folder(tmp_path, BREAST_NAMES[:1])
    (folder / "metadata" / "1142243F_metadata.csv").write_text(",patientid,Classification\nTTTT-1,1142243F,Stroma\n")
    with pytest.raises(SectionInvalid, match="1142243F_metadata.csv labels no spot of this section"):
        read_section(read_study(folder).entry("1142243F"))


def test_spots_without_a_class_have_no_label(tmp_path: Path) -> None:
    folder = breast_folder(tmp_path, BREAST_NAMES[:1])
    path = folder / "metadata" / "1142243F_metadata.csv"
    path.write_text(path.read_text().replace(",Stroma\n", ",\n", 1))
    section = read_section(read_study(folder).entry("1142243F"))
    assert section.table.obs["label"].isna().sum() == 1
    assert "1 spot without a label." in section.notes


def test_a_deposit_can_be_written_as_a_study_table(breast: Study, tmp_path: Path) -> None:
    write_study(breast, tmp_path / "study.csv")
    again = read_study(tmp_path)
    for entry in breast.entries:
        other = again.entry(entry.name)
        assert other.patient == entry.patient
        assert {k: p.resolve() for k, p in other.parts.items()} == {k: p.resolve() for k, p in entry.parts.items()}


def test_cell_types_in_the_folder_of_that_name_belong_to_their_sections(tmp_path: Path) -> None:
    folder = her2st_deposit(tmp_path, ("A2", "B1", "B2"))
    cell_types_of(folder, {"A2": legacy_array(**SMALL).names})
    (folder / "cells" / "B1.tsv").write_text("spot\ttype\n")
    for suffix in ("tsv", "json"):
        (folder / "cells" / f"B2.{suffix}").write_text("")
    study = read_study(folder)
    assert study.entry("A2").parts["cells"] == folder / "cells" / "A2"
    assert study.entry("B1").parts["cells"] == folder / "cells" / "B1.tsv"
    assert "cells" not in study.entry("B2").parts
    assert study.notes == ("Several cell types fit B2: B2.json, B2.tsv. Name one in a study.csv.",)
