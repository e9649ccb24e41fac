"""Facts of readings against what people coded."""
