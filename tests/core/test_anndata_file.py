"""Sections in AnnData files: counts, positions, pictures inside, and files that are no section."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anndata
import numpy as np
import pandas as pd
import pytest

from gr2st.errors import DataError, SectionInvalid
from gr2st.io import anndata_file
from gr2st.io.array_slide import ArraySlide
from gr2st.io.h5ad_picture import choose_picture, to_rgb8
from gr2st.io.section import read_section
from gr2st.io.study import read_study
from gr2st.io.tables import Report
from tests.builders import (
    VISIUM_PITCH,
    counts_for,
    h5ad_file,
    tissue_image,
    visium_array,
    visium_folder,
    write_image,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from gr2st.types import SectionEntry


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return h5ad_file(tmp_path / "H1.h5ad")


def entry_of(file: Path) -> SectionEntry:
    (entry,) = anndata_file.find(file).entries
    return entry


def change(file: Path, how: Callable[[anndata.AnnData], Any]) -> None:
    adata = anndata.read_h5ad(file)
    how(adata)
    adata.write_h5ad(file)


def problems(file: Path) -> str:
    with pytest.raises(SectionInvalid) as caught:
        read_section(entry_of(file))
    assert type(caught.value) is SectionInvalid
    return str(caught.value)


def test_counts_positions_and_picture_come_from_one_file(file: Path) -> None:
    array = visium_array()
    section = read_section(read_study(file).entry("H1"))
    np.testing.assert_array_equal(section.table.X.toarray(), array.counts)
    np.testing.assert_allclose(section.table.obsm["spatial"], array.xy * 0.8)
    assert section.layout == "h5ad"
    assert section.table.obs["array_row"].tolist() == array.rows.tolist()
    assert section.table.var["gene_id"].tolist()[0] == "ENSG00000000000"
    assert isinstance(section.slide, ArraySlide)
    assert (section.slide.width, section.slide.height) == (442, 386)
    assert section.um_per_px == pytest.approx(100 / (VISIUM_PITCH * 0.8))
    assert section.alignment.verdict == "good"


def test_the_label_and_columns_of_classes_stay_beside_the_spots(file: Path) -> None:
    def label(adata: anndata.AnnData) -> None:
        adata.obs["label"] = ["tumour", "fat"] * (adata.n_obs // 2) + ["fat"] * (adata.n_obs % 2)
        adata.obs["leiden"] = pd.Categorical(np.arange(adata.n_obs) % 3)
        adata.obs["total"] = np.arange(adata.n_obs, dtype=float)

    change(file, label)
    obs = read_section(entry_of(file)).table.obs
    assert obs["label"].tolist()[:2] == ["tumour", "fat"]
    assert obs["leiden"].tolist()[:4] == [0, 1, 2, 0]
    assert "total" not in obs


def test_a_file_without_array_coordinates_gets_them_from_the_spacing_with_a_note(tmp_path: Path) -> None:
    section = read_section(entry_of(h5ad_file(tmp_path / "H1.h5ad", with_array=False)))
    grid = section.table.obs[["array_row", "array_col"]]
    assert not grid.duplicated().any()
    assert section.grid_pitch == pytest.approx(VISIUM_PITCH * 0.8)
    assert section.um_per_px_source == "array pitch of 100 µm"
    assert any(note.startswith("The file has no array coordinates") for note in section.notes)


def test_spacing_without_a_known_platform_gives_no_resolution(tmp_path: Path) -> None:
    file = h5ad_file(tmp_path / "H1.h5ad", with_array=False)
    change(file, lambda adata: adata.uns["spatial"]["library"]["scalefactors"].pop("spot_diameter_fullres"))
    section = read_section(entry_of(file))
    assert section.um_per_px is None
    assert section.um_per_px_source == "unknown"


def test_noise_in_place_of_hires_is_refused_with_a_note_and_lowres_is_taken(file: Path) -> None:
    noise = np.random.default_rng(0).normal(0, 2, (100, 100, 3))
    change(file, lambda adata: adata.uns["spatial"]["library"]["images"].update(hires=noise))
    section = read_section(entry_of(file))
    assert section.slide is not None
    assert section.slide.width == 110
    assert section.grid_pitch == pytest.approx(VISIUM_PITCH * 0.2)
    assert any("'hires' inside H1.h5ad was not used: its values run from" in note for note in section.notes)


def test_a_picture_that_most_spots_miss_is_not_taken(tmp_path: Path) -> None:
    report = Report("H1")
    images = {"hires": tissue_image(60, 60)}
    xy = visium_array().xy
    assert choose_picture(images, {"tissue_hires_scalef": 0.8}, xy, tmp_path / "H1.h5ad", report) is None
    assert "of the spots lie inside it." in report.notes[0]


@pytest.mark.parametrize("shape", [(0,), (20, 20), (20, 20, 2)])
def test_an_array_that_is_no_picture_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(DataError, match="height, width and 3 or 4 channels are wanted"):
        to_rgb8(np.zeros(shape))


def test_bytes_and_floats_give_the_same_picture() -> None:
    pixels = tissue_image(40, 30)
    np.testing.assert_array_equal(to_rgb8(pixels), pixels)
    np.testing.assert_array_equal(to_rgb8(pixels / 255.0), pixels)
    np.testing.assert_array_equal(to_rgb8((pixels / 255.0).astype(np.float32)), pixels)


def test_transparent_pixels_become_white() -> None:
    pixels = np.dstack([tissue_image(40, 30), np.full((30, 40), 255, np.uint8)])
    pixels[:5, :, 3] = 0
    assert (to_rgb8(pixels)[:5] == 255).all()


def test_counts_are_taken_from_a_layer_where_x_is_normalised(file: Path) -> None:
    def normalise(adata: anndata.AnnData) -> None:
        adata.layers["counts"] = adata.X.copy()
        adata.X = np.log1p(adata.X)

    change(file, normalise)
    section = read_section(entry_of(file))
    np.testing.assert_array_equal(section.table.X.toarray(), visium_array().counts)
    assert "Counts of H1.h5ad taken from layers['counts']." in section.notes


def test_counts_are_taken_from_raw_with_its_own_genes(file: Path) -> None:
    adata = anndata.read_h5ad(file)
    raw = adata.copy()
    adata = adata[:, :5].copy()
    adata.raw = raw
    adata.X = np.log1p(adata.X)
    adata.write_h5ad(file)
    section = read_section(entry_of(file))
    assert section.table.n_vars == 12
    assert "Counts of H1.h5ad taken from raw.X." in section.notes


def test_normalised_values_alone_are_refused(file: Path) -> None:
    change(file, lambda adata: setattr(adata, "X", np.log1p(adata.X)))
    assert "raw counts are wanted, not normalised ones" in problems(file)


def test_ensembl_indices_with_a_symbol_column_give_symbols(file: Path) -> None:
    def swap(adata: anndata.AnnData) -> None:
        adata.var["feature_name"] = list(adata.var_names)
        adata.var_names = adata.var["gene_ids"].tolist()

    change(file, swap)
    section = read_section(entry_of(file))
    assert section.genes[0] == "GENE1"
    assert section.table.var["gene_id"].tolist()[0] == "ENSG00000000000"


def test_spots_off_the_tissue_are_left_out_with_a_note(file: Path) -> None:
    change(file, lambda adata: adata.obs.insert(0, "in_tissue", [0] * 3 + [1] * 61))
    section = read_section(entry_of(file))
    assert section.n_spots == 61
    assert "3 spots off the tissue left out." in section.notes


def test_counts_without_positions_are_refused(file: Path) -> None:
    def strip(adata: anndata.AnnData) -> None:
        del adata.obsm["spatial"]
        adata.obsm["X_pca"] = np.zeros((64, 2))

    change(file, strip)
    assert "counts but no positions: obsm['spatial'] is wanted; obsm holds X_pca." in problems(file)


def test_several_sections_in_one_file_are_refused(file: Path) -> None:
    change(file, lambda adata: adata.uns["spatial"].update(other={"images": {}}))
    assert "holds 2 sections (library, other); write one file per section." in problems(file)


def test_all_problems_of_a_file_are_told_at_once(file: Path) -> None:
    def spoil(adata: anndata.AnnData) -> None:
        values = counts_for(64, 12).astype(np.float32)
        values[0, 0], values[1, 1], values[2, 2] = np.nan, -1, 0.5
        adata.X = values
        adata.obsm["spatial"] = np.full((64, 2), np.nan)
        adata.obs_names = [adata.obs_names[1], *adata.obs_names[1:]]

    change(file, spoil)
    assert problems(file).startswith("H1 has 5 problems:")


def test_a_named_picture_takes_full_resolution_coordinates(file: Path) -> None:
    array = visium_array()
    picture = write_image(file.parent / "full.png", tissue_image(*array.size_px))
    entry = entry_of(file)
    section = read_section(type(entry)(entry.name, None, entry.path, entry.layout, {"image": picture}))
    assert section.slide is not None
    assert section.slide.path == picture
    np.testing.assert_allclose(section.table.obsm["spatial"], array.xy)


def test_a_folder_of_files_is_a_study_and_other_files_are_noted(tmp_path: Path) -> None:
    h5ad_file(tmp_path / "H1.h5ad")
    h5ad_file(tmp_path / "H2.h5ad", seed=1).rename(tmp_path / "H2.h5")
    (tmp_path / "fake.h5ad").write_text("no HDF5")
    study = read_study(tmp_path)
    assert study.names == ("H1", "H2")
    (note,) = study.notes
    assert note.startswith("fake.h5ad is not an HDF5 file: it is a text file that begins with 'no HDF5'.")


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "H1.h5ad").write_bytes(b"")
    with pytest.raises(DataError, match=r"H1\.h5ad is empty"):
        read_study(tmp_path / "H1.h5ad")


def test_a_cut_file_is_refused(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:3000])
    with pytest.raises(
        DataError, match=r"H1\.h5ad is cut off: 3,000 of [\d,]+ bytes are there. Copy or download it again."
    ):
        read_study(file)


def test_a_10x_matrix_alone_is_refused_with_what_to_give(tmp_path: Path) -> None:
    visium_folder(tmp_path)
    with pytest.raises(DataError, match="give the Space Ranger folder round it instead"):
        read_study(tmp_path / "outs" / "filtered_feature_bc_matrix.h5")


def test_hdf5_that_is_no_anndata_is_refused(tmp_path: Path) -> None:
    import h5py

    with h5py.File(tmp_path / "H1.h5ad", "w") as file:
        file["x"] = [1]
    with pytest.raises(DataError, match="is no AnnData file: obs and var are wanted, it holds x"):
        read_study(tmp_path / "H1.h5ad")


def test_a_prediction_is_no_section(file: Path) -> None:
    change(file, lambda adata: adata.uns.update(gr2st={"format": 1}))
    with pytest.raises(DataError, match="is a prediction made by GR2ST"):
        read_study(file)


def test_a_picture_in_memory_gives_regions_and_thumbnails(tmp_path: Path) -> None:
    pixels = tissue_image(80, 60)
    slide = ArraySlide(tmp_path / "H1.h5ad", pixels)
    np.testing.assert_array_equal(slide.read_region(10, 20, 30, 5), pixels[20:25, 10:40])
    assert slide.thumbnail(40).shape == (30, 40, 3)
    assert slide.thumbnail(800).shape == (60, 80, 3)
    assert slide.levels[0].shape == (60, 80, 3)
    assert slide.um_per_px is None
    assert slide.digest() == ArraySlide(tmp_path / "other.h5ad", pixels.copy()).digest()
    assert slide.digest() != ArraySlide(tmp_path / "H1.h5ad", 255 - pixels).digest()


@pytest.mark.parametrize(
    "window", [(-1, 0, 5, 5, 0), (0, 0, 81, 5, 0), (0, 58, 5, 5, 0), (0, 0, 0, 5, 0), (0, 0, 5, 5, 1)]
)
def test_a_window_outside_a_picture_in_memory_is_refused(tmp_path: Path, window: tuple[int, ...]) -> None:
    slide = ArraySlide(tmp_path / "H1.h5ad", tissue_image(80, 60))
    with pytest.raises(DataError, match="is not inside the picture"):
        slide.read_region(*window)
