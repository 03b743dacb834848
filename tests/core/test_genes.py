"""Genes: chosen from training tables, read from lists, counted from tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

from gr2st.errors import DataError
from gr2st.preprocess.gene_list import read_gene_list
from gr2st.preprocess.genes import counts_of, rank_genes, select_genes


def table(counts, genes) -> AnnData:
    obs = pd.DataFrame(index=[f"spot{i}" for i in range(len(counts))])
    return AnnData(sparse.csr_matrix(np.asarray(counts, np.float32)), obs=obs, var=pd.DataFrame(index=list(genes)))


@pytest.fixture
def sections(rng):
    """Two sections of 40 spots; V0 to V4 switch on and off between halves, the other 35 genes are Poisson noise."""
    names = [f"V{i}" for i in range(5)] + [f"N{i:02d}" for i in range(35)]
    out = []
    for _ in range(2):
        rate = np.full((40, 40), 5.0)
        rate[:20, :5], rate[20:, :5] = 9.5, 0.5
        out.append(table(rng.poisson(rate), names))
    return out


def test_the_genes_that_vary_most_are_chosen(sections) -> None:
    assert set(select_genes(sections, 5)) == {f"V{i}" for i in range(5)}


def test_the_choice_does_not_depend_on_the_order_of_genes_or_sections(sections) -> None:
    turned = [section[:, ::-1].copy() for section in reversed(sections)]
    assert select_genes(turned, 12) == select_genes(sections, 12)


def test_a_shorter_choice_is_the_head_of_a_longer_one(sections) -> None:
    assert select_genes(sections, 20)[:7] == select_genes(sections, 7)


def test_the_ranking_goes_on_where_a_choice_ends(sections) -> None:
    ranked = rank_genes(sections)
    assert len(ranked) == 40
    assert ranked[:7] == select_genes(sections, 7)


def test_nothing_is_ranked_where_nothing_is_counted() -> None:
    assert rank_genes([table(np.zeros((10, 2)), ["A", "B"])]) == ()
    silent = table(np.zeros((10, 2)), ["A", "B"]), table(np.ones((10, 2)), ["A", "B"])
    assert rank_genes(silent) == ("A", "B")


def test_choosing_leaves_the_counts_as_they_are(sections) -> None:
    before = sections[0].X.toarray().copy()
    select_genes(sections, 3)
    np.testing.assert_array_equal(sections[0].X.toarray(), before)


def test_a_gene_that_one_training_section_lacks_is_not_chosen(sections) -> None:
    without = sections[1][:, [name != "V0" for name in sections[1].var_names]].copy()
    assert "V0" not in select_genes([sections[0], without], 10)


def test_a_gene_of_a_few_spots_is_not_chosen_however_variable(sections) -> None:
    for section in sections:
        counts = section.X.toarray()
        counts[:, 39] = 0
        counts[0, 39] = 500
        section.X = sparse.csr_matrix(counts)
    assert "N34" not in select_genes(sections, 39)


def test_spots_without_counts_and_a_gene_one_section_never_counts_do_no_harm(sections) -> None:
    counts = sections[0].X.toarray()
    counts[:3], counts[:, 0] = 0, 0
    sections[0].X = sparse.csr_matrix(counts)
    chosen = select_genes(sections, 40)
    assert set(chosen[:4]) == {"V1", "V2", "V3", "V4"}
    assert len(set(chosen)) == 40


def test_more_genes_than_candidates_are_refused_with_their_number(sections) -> None:
    with pytest.raises(DataError, match=r"41 genes were asked for, but 40 stand in all 2 training sections.*1 to 40"):
        select_genes(sections, 41)


def test_choosing_from_nothing_is_refused() -> None:
    with pytest.raises(DataError, match="at least one training section"):
        select_genes([], 5)
    with pytest.raises(DataError, match="found an empty one"):
        select_genes([table(np.zeros((3, 0)), [])], 5)


def test_a_text_list_is_read_without_blanks_comments_and_a_byte_order_mark(tmp_path: Path) -> None:
    path = tmp_path / "genes.txt"
    path.write_bytes("\ufeffERBB2\r\n\r\n# markers\r\n  GNAS \r\nHLA-A".encode())
    assert read_gene_list(path) == ("ERBB2", "GNAS", "HLA-A")


@pytest.mark.parametrize("header", ["gene,score\n", "", ",0\n"])
def test_a_table_gives_its_first_column(tmp_path: Path, header: str) -> None:
    path = tmp_path / "genes.csv"
    path.write_text(header + '"ERBB2",1\n# a remark\nGNAS,2\n')
    assert read_gene_list(str(path)) == ("ERBB2", "GNAS")


def test_a_tab_separated_table_gives_its_first_column(tmp_path: Path) -> None:
    path = tmp_path / "genes.tsv"
    path.write_text("symbol\tscore\nERBB2\t1\n")
    assert read_gene_list(path) == ("ERBB2",)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("genes.csv", "rank,gene,score\n1,ERBB2,0.5\n2,GNAS,0.4\n"),
        ("genes.csv", "rank;Gene_Name;score\n1;ERBB2;0,5\n2;GNAS;0,4\n"),
        ("genes.tsv", "gene_id\tsymbol\nENSG1\tERBB2\nENSG2\tGNAS\n"),
        ("genes.csv", "gene,gene_symbol\nENSG1,ERBB2\nENSG2,GNAS\n"),
        ("genes.csv", ",symbol,score\n0,ERBB2,1\n1,GNAS,2\n"),
        ("genes.txt", "id\tgene\n1\tERBB2\n2\tGNAS\n"),
        ("genes.txt", "rank symbol\n1 ERBB2\n2 GNAS\n"),
        ("genes.txt", "gene\nERBB2\nGNAS\n"),
        ("genes.txt", '"ERBB2"\n"GNAS"\n'),
        ("genes.txt", "ERBB2\t1.5\nGNAS\t0.5\n"),
    ],
)
def test_the_column_of_names_is_found_by_its_title(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    assert read_gene_list(path) == ("ERBB2", "GNAS")


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("genes.csv", "Feature,logFC\nERBB2,1\n", r"a table of 2 columns \('Feature', 'logFC'\)"),
        ("genes.csv", "1,ERBB2,0.5\n2,GNAS,0.4\n", r"a table of 3 columns \('1', 'ERBB2', '0.5'\)"),
        ("genes.txt", "ERBB2,GNAS,CD4\n", r"a table of 3 columns \('ERBB2', 'GNAS', 'CD4'\)"),
        ("genes.txt", "ERBB2\tkinase\nGNAS\tprotein\n", "a table of 2 columns"),
        ("genes.csv", "rank,gene\n1,ERBB2\n2\n", "1 row without column 2, where the gene names stand: '2'"),
    ],
)
def test_a_table_without_a_column_of_names_says_what_was_found_and_wanted(
    tmp_path: Path, name: str, content: str, found: str
) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(
        DataError, match=rf"{name} .*{found}.* Expected one gene name per line, or a table with a column"
    ):
        read_gene_list(path)


def test_a_folder_is_no_gene_list(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="is a folder; a gene list is a text file with one gene name per line"):
        read_gene_list(tmp_path)


def test_every_repeated_and_broken_name_is_listed_at_once(tmp_path: Path) -> None:
    path = tmp_path / "genes.txt"
    path.write_text("A\nB\nA\nC D\nB\n")
    with pytest.raises(DataError, match=r"genes\.txt.*'A' stands 2 times; 'B' stands 2 times; 'C D' is not one name"):
        read_gene_list(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "names no gene"),
        (b"# only a remark\n\n", "names no gene"),
        (b"\x93NUMPY\x01\x00v\x00", "not a text file"),
        (b"ERBB2\x00GNAS", "is a binary file"),
    ],
)
def test_a_list_that_is_empty_or_binary_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "genes.txt"
    path.write_bytes(content)
    with pytest.raises(DataError, match=rf"genes\.txt.*{message}|genes\.txt {message}"):
        read_gene_list(path)


def test_a_missing_list_is_refused_with_the_reason(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.txt cannot be read: No such file"):
        read_gene_list(tmp_path / "nowhere.txt")


@pytest.mark.parametrize("as_dense", [False, True])
def test_counts_come_in_the_order_of_the_genes_asked_for(as_dense: bool) -> None:
    section = table([[1, 2, 3], [4, 5, 6]], ["A", "B", "C"])
    if as_dense:
        section.X = section.X.toarray()
    counts = counts_of(section, ("C", "A"))
    np.testing.assert_array_equal(counts, [[3, 1], [6, 4]])
    assert counts.dtype == np.float32


def test_unknown_genes_are_named_with_the_nearest_known_ones() -> None:
    section = table([[1, 2]], ["ERBB2", "GNAS"])
    with pytest.raises(
        DataError, match=r"2 of 3 genes are not in the counts \(2 genes\): ERBB3 \(nearest: ERBB2\), QQQ"
    ):
        counts_of(section, ("GNAS", "ERBB3", "QQQ"))


def test_a_long_list_of_unknown_genes_is_cut() -> None:
    with pytest.raises(DataError, match=r"30 of 30 genes .*X19 and 10 more"):
        counts_of(table([[1]], ["ERBB2"]), [f"X{i}" for i in range(30)])
