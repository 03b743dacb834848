"""Benchmarks in asv's form; `make bench` runs them once and prints a table."""
