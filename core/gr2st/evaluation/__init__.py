"""Scores, folds and cross-validation."""
