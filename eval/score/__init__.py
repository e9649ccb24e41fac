"""The scorer: counts first, ratios last."""
