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
USUAL_SPREAD: Final = "gr2st_usual_spread"
"""var: standard deviation of the gene within a training section, mean over these, on the scale of the prediction."""
SHARES: Final = {part: f"gr2st_share_{part}" for part in ("retrieval", "regression", "kernel")}
"""var: share of each part of the model in the predicted values of the gene; they sum to 1."""
CONFIDENCE: Final = "gr2st_confidence"
DISTANCE: Final = "gr2st_distance"
"""obs: how far the picture of a spot lies from those of training; 1 is the median of the training spots themselves."""
OUTSIDE: Final = "gr2st_outside"
"""obs: whether that is further than 99 of 100 training spots lie from the others."""
SPREAD: Final = "gr2st_spread"
"""layers: weighted standard deviation among the retrieved training spots, on the scale of the prediction."""
DISAGREEMENT: Final = "gr2st_disagreement"
"""layers: absolute difference of the retrieved and the regressed value, on the scale of the prediction."""
SPATIAL_GRAPH: Final = "gr2st_spatial_graph"
FUNCTIONAL_GRAPH: Final = "gr2st_functional_graph"
"""obsp: attention of the spot of the row over those of the columns, mean over heads; above 0 for every edge."""
REFERENCE: Final = "gr2st_reference"
"""obsm: rows of the bank behind each spot, most similar first, int32."""
REFERENCE_WEIGHT: Final = "gr2st_reference_weight"
REFERENCE_DISTANCE: Final = "gr2st_reference_distance"
REFERENCE_SIMILARITY: Final = "gr2st_reference_similarity"
EXPERTS: Final = "gr2st_experts"
"""obsm: weight of each expert of the regression, in the order of `gr2st.CELL_CLASSES`."""
PROVENANCE: Final = "gr2st"
"""uns: dict with format, model, section, encoder, seed, versions, space, and notes where any are due.

Digests in it: of the settings ("recipe", "config", "training"), of the data the model learned from ("training_data"),
of the picture ("image"), and of the counts beside the prediction ("measured").
"""
NOTES: Final = "notes"
"""Key of that dict: sentences about this prediction that the user should know."""
VIRTUAL: Final = "virtual"
"""Key of that dict, where spots were laid on a slide that has none: slide, pitch_um, um_per_px with its source."""

# Further keys of that dict; docs/data.md tells all of them
TRAINED_ON: Final = "trained_on"
SECTION_PATIENTS: Final = "section_patients"
"""Patient of each section in `TRAINED_ON`, "" where it is not known."""
BANK_SECTION: Final = "bank_section"
BANK_SPOT: Final = "bank_spot"
BANK_NAME: Final = "bank_name"
BANK_XY: Final = "bank_xy"
"""Names of the training spots, and their x, y in level-0 pixels of their section's picture, float64."""
ATTENTION: Final = "attention"
"""What the numbers in the graphs are; absent where an earlier version wrote 1 for every edge."""
OUTSIDE_BEYOND: Final = "outside_beyond"
COMPARED_WITH: Final = "compared_with"
"""`DISTANCE` from which a spot is outside, and how many training spots it was compared with."""

# Files of a model folder
MODEL_WEIGHTS: Final = "model.safetensors"
MODEL_CARD: Final = "model.json"
MODEL_BANK: Final = "bank.h5ad"
MODEL_FACTS: Final = "training.safetensors"

# Files of an evaluation folder; its state lies in RUN_STATE
EVALUATION_CARD: Final = "evaluation.json"
SUMMARY: Final = "summary.json"
SECTION_SCORES: Final = "sections.csv"
GENE_SCORES: Final = "genes.csv"
CALIBRATION: Final = "calibration.csv"
FOLD_RESULT: Final = "result.json"
FOLD_FAILURE: Final = "failed.json"
STUDY_FILE: Final = "study.csv"

# Files of a run: a training as a folder
RUN_CARD: Final = "run.json"
RUN_STATE: Final = "state.json"
RUN_CURVES: Final = "curves.csv"
RUN_LOG: Final = "log.txt"
RUN_UNFINISHED: Final = "unfinished"
RUN_SKETCHES: Final = "sketches"
RUN_MODEL: Final = "model"
RUN_STOP: Final = "stop"
RUN_LOCK: Final = "lock.json"

# Data sets
FETCHED: Final = "fetched.tsv"
"""Beside fetched files: path, section, bytes, sha256 and address of each."""

# Cell types
SPOT_TYPES: Final = "summary_spot_types.tsv"
"""The published table of cell types, one row per spot."""
