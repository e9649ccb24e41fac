"""One page that judges a model."""
