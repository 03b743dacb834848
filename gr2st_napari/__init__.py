"""The napari plugin of GR2ST. Version only: napari imports what it needs from the manifest."""

__version__ = "0.1.0"
