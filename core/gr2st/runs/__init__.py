"""Long work asked for as a value and done in a folder."""
