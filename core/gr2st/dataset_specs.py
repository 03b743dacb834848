"""Facts about public data sets that can be fetched: where they lie, under what terms, whom to cite."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class DatasetSpec:
    """Facts about a public data set.

    Attributes
    ----------
    name, title : str
    files : str
        Table in ``gr2st.io`` with ``path``, ``section``, ``bytes`` and ``sha256`` of each file whose path is known; the
        last two are empty where they are not known.
    base : str
        Address of the folder that the paths are relative to, of one fixed version.
    listing : str
        Address of the tree of that version as GitHub tells it: paths, sizes and git's own hashes. Asked only where
        `files` is not enough; empty where it always is.
    pictures : str
        Pattern of the path of a section's picture, its section as the group ``section``.
    elsewhere : str
        What to do about a picture that `listing` does not have.
    licence, citation : str
        Printed after each fetch.
    """

    name: str
    title: str
    files: str
    base: str
    listing: str
    pictures: str
    elsewhere: str
    licence: str
    citation: str


_HER2ST = "almaan/her2st"
_HER2ST_VERSION = "85df7411b987a7dec3feff9718b869a7a82091ec"

HER2ST = DatasetSpec(
    name="her2st",
    title="HER2-positive breast cancer, 36 sections of 8 patients, legacy ST",
    files="fetch_her2st.tsv",
    base=f"https://raw.githubusercontent.com/{_HER2ST}/{_HER2ST_VERSION}/",
    listing=f"https://api.github.com/repos/{_HER2ST}/git/trees/{_HER2ST_VERSION}?recursive=1",
    pictures=r"data/ST-imgs/[A-H]/(?P<section>[A-H]\d)/[^/]+\.jpe?g",
    elsewhere=(
        "The authors' deposit has them: images.zip of https://doi.org/10.5281/zenodo.4751624. It is encrypted: 7-Zip "
        f"opens it, with the password in the README of https://github.com/{_HER2ST}. Put each picture into "
        "data/ST-imgs/<patient>/<section>/"
    ),
    licence="CC BY 4.0, as the authors' deposit says (https://doi.org/10.5281/zenodo.4751624)",
    citation=(
        "Andersson et al., Spatial deconvolution of HER2-positive breast cancer delineates tumor-associated cell type "
        "interactions, Nature Communications 12, 6012 (2021), https://doi.org/10.1038/s41467-021-26271-2"
    ),
)
