"""Retrieval from the bank: recorded numbers, exact matches, provenance."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from gr2st.errors import DataError
from gr2st.models.base import Bank, Batch
from gr2st.models.retrieval import appended, filled, retrieve, similarities
from tests.conftest import REAL_DATA

RECORDED = REAL_DATA.parent / "golden" / "retrieval.npz"


def bank_of(n: int = 40, width: int = 8, genes: int = 5) -> Bank:
    made = torch.Generator().manual_seed(3)
    key = torch.randn(n, width, generator=made, dtype=torch.float64)
    return Bank(key, torch.randn(n, genes, generator=made, dtype=torch.float64))


@pytest.mark.parametrize("distance", ["l1", "l2"])
@pytest.mark.parametrize("k", [1, 5, 20])
def test_the_recorded_predictions_are_met(k: int, distance: str):
    if not RECORDED.is_file():
        pytest.skip(f"no recorded numbers at {Path(RECORDED)}")
    with np.load(RECORDED) as stored:
        recorded = {name: torch.from_numpy(stored[name]) for name in stored.files}
    bank = Bank(recorded["key"], recorded["value"])
    found = retrieve(bank, recorded["query"], k=k, distance=distance, epsilon=0.0)
    torch.testing.assert_close(found.value, recorded[f"prediction_k{k}_{distance}"], rtol=0, atol=1e-8)


def test_a_query_that_is_in_the_bank_gets_its_own_value_exactly():
    bank = bank_of()
    assert torch.equal(retrieve(bank, bank.key, k=1, distance="l1", epsilon=1e-8).value, bank.value)


def test_exact_matches_share_everything_where_nothing_keeps_the_weight_finite():
    bank = bank_of()
    twice = Bank(torch.cat([bank.key, bank.key[:1]]), torch.cat([bank.value, bank.value[:1] + 2]))
    found = retrieve(twice, bank.key[:1], k=10, distance="l2", epsilon=0.0)
    torch.testing.assert_close(found.value, bank.value[:1] + 1)
    assert found.weight[0].sort(descending=True).values.tolist()[:3] == [0.5, 0.5, 0.0]


def test_rows_are_ordered_by_cosine_and_weighted_by_distance():
    # The long vector points the right way and is far off; the short one is near and points elsewhere.
    bank = Bank(torch.tensor([[10.0, 0.0], [0.9, 0.5], [-1.0, 0.0]]), torch.tensor([[1.0], [2.0], [4.0]]))
    found = retrieve(bank, torch.tensor([[1.0, 0.0]]), k=2, distance="l1", epsilon=0.0)
    near, far = 1 / 0.6**2, 1 / 9.0**2
    assert found.row.tolist() == [[0, 1]]
    torch.testing.assert_close(found.weight, torch.tensor([[far, near]]) / (far + near))


def test_a_small_bank_gives_all_it_has():
    found = retrieve(bank_of(n=3), torch.randn(2, 8, dtype=torch.float64), k=200, distance="l1", epsilon=1e-8)
    assert found.row.shape == (2, 3)


def test_more_queries_than_a_chunk_give_the_same_as_one_by_one():
    bank, query = bank_of(), torch.randn(150, 8, dtype=torch.float64)
    together = retrieve(bank, query, k=7, distance="l1", epsilon=1e-8).value
    single = [retrieve(bank, row[None], k=7, distance="l1", epsilon=1e-8).value for row in query]
    torch.testing.assert_close(together, torch.cat(single))


def test_confidence_is_one_for_a_spot_of_the_bank_and_zero_for_its_opposite():
    bank = bank_of(n=1)
    assert retrieve(bank, bank.key, k=1, distance="l1", epsilon=1e-8).confidence().item() == pytest.approx(1)
    assert retrieve(bank, -bank.key, k=1, distance="l1", epsilon=1e-8).confidence().item() == 0


def test_the_bank_names_section_and_spot_of_each_row():
    bank = appended(None, Batch("A1"), torch.ones(2, 3), torch.ones(2, 4))
    bank = appended(bank, Batch("A2"), torch.zeros(1, 3), torch.zeros(1, 4))
    assert bank.section == ("A1", "A1", "A2")
    assert bank.spot == (0, 1, 0)
    assert bank.key.tolist() == [[1.0] * 3, [1.0] * 3, [0.0] * 3]


def test_a_section_cannot_enter_the_bank_twice():
    bank = appended(None, Batch("A1"), torch.ones(2, 3), torch.ones(2, 4))
    with pytest.raises(DataError, match="'A1' is in the bank already"):
        appended(bank, Batch("A1"), torch.ones(2, 3), torch.ones(2, 4))


def test_an_empty_bank_is_refused():
    with pytest.raises(DataError, match="nothing|no training spots"):
        filled(None, "GR2ST")


def test_the_spread_is_the_weighted_deviation_among_the_rows_found():
    bank, query = bank_of(), torch.randn(70, 8, dtype=torch.float64)
    found = retrieve(bank, query, k=6, distance="l2", epsilon=1e-8)
    values = bank.value[found.row[69]].numpy()
    weights = found.weight[69].numpy()
    mean = np.average(values, axis=0, weights=weights)
    expected = np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weights))
    np.testing.assert_allclose(found.spread(bank)[69].numpy(), expected)
    assert torch.equal(
        retrieve(bank, query, k=1, distance="l2", epsilon=1e-8).spread(bank), torch.zeros(70, 5).double()
    )


def test_similarity_and_distance_belong_to_the_rows_found():
    bank, query = bank_of(), torch.randn(70, 8, dtype=torch.float64)
    found = retrieve(bank, query, k=4, distance="l1", epsilon=1e-8)
    torch.testing.assert_close(found.distance, (query[:, None] - bank.key[found.row]).abs().sum(dim=2))
    torch.testing.assert_close(found.similarity, similarities(query, bank.key, found.row))
