"""Pretraining an encoder by masked language modelling."""
