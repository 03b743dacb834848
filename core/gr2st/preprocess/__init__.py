"""From counts and pixels to what encoders and models are shown."""
