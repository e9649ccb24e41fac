"""The screen: distilled from the full model's readings of unlabelled text, with a bound on what it loses."""
