"""Recipes -> checkpoints: how every model of the zoo was trained, and how to train others."""
