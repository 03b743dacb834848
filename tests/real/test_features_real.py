"""Patches, expression spaces and handcrafted features on the real sections C2, C3 and C4."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from PIL import Image
from scipy.spatial import cKDTree

from gr2st import keys
from gr2st.config import PatchConfig, Recipe
from gr2st.encoders.cache import encode_section
from gr2st.io.section import read_section
from gr2st.io.study import read_study
from gr2st.preprocess.gene_list import read_gene_list
from gr2st.preprocess.genes import counts_of, select_genes
from gr2st.preprocess.normalise import gene_normalise, spot_normalise
from gr2st.preprocess.patches import count_padded, cut_patches
from gr2st.preprocess.stain import TARGET_MEAN, reinhard, to_lab
from gr2st.types import Section, finish

pytestmark = pytest.mark.real

SECTIONS = ("C2", "C3", "C4")
PENALTY = 1000.0


class Measured(NamedTuple):
    section: Section
    spot: np.ndarray
    gene: np.ndarray


@pytest.fixture(scope="module")
def genes(real_data: Path) -> tuple[str, ...]:
    return read_gene_list(real_data / "benchmark_refs" / "her2st_785_genes.txt")


@pytest.fixture(scope="module")
def measured(real_data: Path, genes) -> dict[str, Measured]:
    study = read_study(real_data / "her2st" / "data")
    out = {}
    for name in SECTIONS:
        section = read_section(study.entry(name))
        counts = counts_of(section.table, genes)
        out[name] = Measured(section, spot_normalise(counts), gene_normalise(counts))
    return out


def pearson(a: np.ndarray, b: np.ndarray) -> float:
    """Mean over columns of the correlation, constant columns left out."""
    a, b = a - a.mean(0), b - b.mean(0)
    norm = np.sqrt((a * a).sum(0) * (b * b).sum(0))
    return float(np.mean(((a * b).sum(0)[norm > 0]) / norm[norm > 0]))


def ridge(train: np.ndarray, target: np.ndarray, test: np.ndarray) -> np.ndarray:
    mean, spread = train.mean(0), train.std(0) + 1e-9
    x, z = (train - mean) / spread, (test - mean) / spread
    weights = np.linalg.solve(x.T @ x + PENALTY * np.eye(x.shape[1]), x.T @ (target - target.mean(0)))
    return z @ weights + target.mean(0)


def neighbour_correlation(section: Section, genes: tuple[str, ...]) -> float:
    """Mean over genes of the correlation of S between neighbouring spots."""
    known = [gene for gene in genes if gene in section.table.var_names]
    grid = np.column_stack([section.table.obs[keys.ARRAY_COL], section.table.obs[keys.ARRAY_ROW]])
    first, second = cKDTree(grid).query_pairs(1.01, output_type="ndarray").T
    spot = spot_normalise(counts_of(section.table, known)).astype(np.float64)
    spot -= spot.mean(axis=0)
    variance = (spot * spot).mean(axis=0)
    return float(np.mean((spot[first] * spot[second]).mean(axis=0)[variance > 0] / variance[variance > 0]))


def test_the_published_gene_list_is_read_and_fully_counted(genes, measured) -> None:
    assert len(genes) == 785
    assert measured["C4"].spot.shape == (184, 785)


@pytest.mark.parametrize(("name", "spot", "gene"), [("C2", 0.241, 0.349), ("C3", 0.225, 0.349), ("C4", 0.223, 0.378)])
def test_depth_alone_correlates_as_published_with_both_spaces(measured, genes, name, spot, gene) -> None:
    depth = np.log10(1 + counts_of(measured[name].section.table, genes).sum(axis=1, dtype=np.float64))[:, None]
    assert pearson(depth, measured[name].spot.astype(float)) == pytest.approx(spot, abs=5e-4)
    assert pearson(depth, measured[name].gene.astype(float)) == pytest.approx(gene, abs=5e-4)


def test_patches_at_the_native_scale_are_the_pixels_of_the_picture(measured) -> None:
    section = measured["C2"].section
    xy = section.table.obsm[keys.SPATIAL]
    patches = next(cut_patches(section.slide, xy, PatchConfig(um_per_px=None), None, batch=2))
    x, y = np.rint(xy[1]).astype(int)
    with pytest.warns(Image.DecompressionBombWarning), Image.open(section.slide.path) as picture:
        expected = np.asarray(picture.crop((x - 112, y - 112, x + 112, y + 112)))
    # Another decoder may round the last bit of a JPEG differently.
    np.testing.assert_allclose(patches[1].astype(int), expected.astype(int), atol=3)
    assert count_padded(section.slide, xy, PatchConfig(um_per_px=None), None) == 0


def test_reinhard_brings_real_patches_to_the_built_in_look(measured) -> None:
    section = measured["C3"].section
    patches = next(cut_patches(section.slide, section.table.obsm[keys.SPATIAL], PatchConfig(um_per_px=None), None))
    lab = to_lab(reinhard(patches))
    tissue = lab[to_lab(patches)[..., 0] < 88]
    np.testing.assert_allclose(tissue.mean(axis=0), TARGET_MEAN, atol=3)


def test_genes_chosen_from_two_sections_have_structure_in_a_third(measured) -> None:
    tables = [measured[name].section.table for name in ("C2", "C3")]
    chosen = select_genes(tables, 200)
    assert len(set(chosen)) == 200
    # The unseen sister section has the same structure: genes that merely look noisy would not have it.
    assert neighbour_correlation(measured["C4"].section, chosen) > 0.15


def test_ridge_on_the_features_predicts_held_out_sections(measured, genes) -> None:
    recipe = Recipe(genes=genes, patch=PatchConfig(um_per_px=None))
    features = {}
    for name, (section, _, _) in measured.items():
        xy = section.table.obsm[keys.SPATIAL]
        steps = encode_section(section.slide, xy, recipe=recipe, um_per_px=None, section=name)
        features[name] = finish(steps).astype(np.float64)
    scores = []
    for test in SECTIONS:
        train = [name for name in SECTIONS if name != test]
        target = np.concatenate([measured[name].gene for name in train]).astype(np.float64)
        predicted = ridge(np.concatenate([features[name] for name in train]), target, features[test])
        scores.append((pearson(predicted, measured[test].spot), pearson(predicted, measured[test].gene)))
    spot, gene = np.mean(scores, axis=0)
    assert spot > 0.222
    assert gene > 0.325
