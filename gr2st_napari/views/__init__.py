"""Docks: setters in, signals out; no data, no logic."""
