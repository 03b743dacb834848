"""The published evaluations on what there is of their data: gene lists, a few sections, positions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch

from gr2st.config import GeneChoice
from gr2st.evaluation.crossval import evaluate
from gr2st.evaluation.preset import Wish, digest_of, published_plan
from gr2st.evaluation.published import PUBLISHED
from gr2st.graph.spatial import radius_graph
from gr2st.io.geometry import fit_lattice
from gr2st.io.legacy_files import read_spots
from gr2st.io.study import read_study
from gr2st.io.tables import Report
from gr2st.preparation import array_positions
from gr2st.preprocess.gene_list import read_gene_list
from gr2st.types import finish

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.real
LISTS = {"HER2ST": "her2st_785_genes.txt", "cSCC": "cscc_171_genes.txt"}


@pytest.mark.parametrize("name", LISTS)
def test_the_published_gene_list_is_known_again(real_data: Path, name: str) -> None:
    genes = read_gene_list(real_data / "benchmark_refs" / LISTS[name])
    wanted = PUBLISHED[name].genes
    assert (len(genes), digest_of(genes)) == (wanted.length, wanted.digest)


def test_the_preset_gives_the_depth_oracle_its_known_scores_on_three_sections(real_data: Path, tmp_path: Path) -> None:
    study = read_study(real_data / "her2st" / "data")
    genes = GeneChoice(listed=read_gene_list(real_data / "benchmark_refs" / LISTS["HER2ST"]))
    asked = {"sections": ("C2", "C3", "C4"), "models": ("depth-oracle",), "encoder": "handcrafted"}
    plan = published_plan(study, Wish(genes=genes, cell_types="none", **asked))
    assert "genes: the list of 785" in plan.preset["as_published"]
    scores = finish(evaluate(study, plan, tmp_path)).summary["models"]["depth-oracle"]["sections"]
    found = {name: (round(score["pcc_spot"], 3), round(score["pcc_gene"], 3)) for name, score in scores.items()}
    assert found == {"C2": (0.241, 0.349), "C3": (0.225, 0.349), "C4": (0.223, 0.378)}


@pytest.mark.parametrize("repeat", [1, 3])
def test_the_radius_on_cscc_gives_the_edges_of_three_array_indices(real_data: Path, repeat: int) -> None:
    path = real_data / "cscc_P2" / "cell_locations" / f"P2_{repeat}_spatial_locs.csv"
    spots = read_spots(path, Report("P2"))
    grid = np.array(spots.cells, np.int64)
    position = array_positions(grid, spots.xy, fit_lattice(grid, spots.xy, spots.measured).pitch)
    radius = PUBLISHED["cSCC"].models["gr2st-v2"].config.model_dump()["spatial_radius"]
    ours = radius_graph(torch.tensor(position), radius=radius)
    theirs = radius_graph(torch.tensor(grid), radius=3.0)
    assert int((ours ^ theirs).sum()) / int(theirs.sum()) < 1 / 75
