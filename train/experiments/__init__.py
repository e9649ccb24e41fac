"""Series of training runs: ablation, learning curve, training speed."""
