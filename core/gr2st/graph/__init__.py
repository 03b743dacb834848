"""Graphs between the spots of a section."""
