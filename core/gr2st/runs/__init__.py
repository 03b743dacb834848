"""Long work asked for as a value and done in a folder: trainings, and the plans of evaluations as JSON."""
