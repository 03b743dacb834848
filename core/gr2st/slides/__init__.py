"""A slide without spots becomes a prediction."""
