"""Names of AnnData slots and file names: the only place they are spelt out."""

from __future__ import annotations

from typing import Final

FORMAT: Final = 1
"""Version of the files we write; a reader refuses a newer one."""

# Section tables (AnnData in memory)
SPATIAL: Final = "spatial"
"""obsm: x, y of the spot centre in level-0 pixels, float64."""
ARRAY_ROW: Final = "array_row"
ARRAY_COL: Final = "array_col"
LABEL: Final = "label"
"""obs: pathologist label of a spot, where the data has one."""
GENE_ID: Final = "gene_id"
"""var: stable identifier (Ensembl) where the data has one; var_names are unique symbols."""
GENE_SYMBOL: Final = "gene_symbol"
"""var: the symbol as written in the file, before it was made unique."""

# Predictions (.h5ad)
PREDICTED: Final = "predicted"
PREDICTED_MEAN: Final = "gr2st_mean"
"""var: mean predicted value of a gene, where the values themselves are left in the file."""
MEASURED_SPOT: Final = "measured"
"""layers: measured expression, spot-normalised (S)."""
MEASURED_GENE: Final = "measured_gene"
"""layers: measured expression, gene-normalised (T)."""
PCC_SPOT: Final = "gr2st_pcc"
PCC_GENE: Final = "gr2st_pcc_gene"
CONFIDENCE: Final = "gr2st_confidence"
REFERENCE: Final = "gr2st_reference"
REFERENCE_WEIGHT: Final = "gr2st_reference_weight"
"""obsm: rows of the bank behind each spot, nearest first, and their weights."""
SPATIAL_GRAPH: Final = "gr2st_spatial_graph"
FUNCTIONAL_GRAPH: Final = "gr2st_functional_graph"
PROVENANCE: Final = "gr2st"
"""uns: dict with format, model, section, encoder, seed, versions, space, and notes where any are due.

Digests in it: of the settings ("recipe", "config", "training"), of the data the model learned from ("training_data"),
of the picture ("image"), and of the counts beside the prediction ("measured").
"""
NOTES: Final = "notes"
"""Key of that dict: sentences about this prediction that the user should know."""
VIRTUAL: Final = "virtual"
"""Key of that dict, where spots were laid on a slide that has none: slide, pitch_um, um_per_px with its source."""

# Files of a model folder
MODEL_WEIGHTS: Final = "model.safetensors"
MODEL_CARD: Final = "model.json"
MODEL_BANK: Final = "bank.h5ad"

# Files of an evaluation folder; its state lies in RUN_STATE
EVALUATION_CARD: Final = "evaluation.json"
SUMMARY: Final = "summary.json"
SECTION_SCORES: Final = "sections.csv"
GENE_SCORES: Final = "genes.csv"
FOLD_RESULT: Final = "result.json"
FOLD_FAILURE: Final = "failed.json"
STUDY_FILE: Final = "study.csv"

# Files of a run: a training as a folder
RUN_CARD: Final = "run.json"
RUN_STATE: Final = "state.json"
RUN_CURVES: Final = "curves.csv"
RUN_LOG: Final = "log.txt"
RUN_UNFINISHED: Final = "unfinished"
RUN_MODEL: Final = "model"
RUN_STOP: Final = "stop"
RUN_LOCK: Final = "lock.json"

# Data sets
FETCHED: Final = "fetched.tsv"
"""Beside fetched files: path, section, bytes, sha256 and address of each."""

# Cell types
SPOT_TYPES: Final = "summary_spot_types.tsv"
"""The published table of cell types, one row per spot."""
