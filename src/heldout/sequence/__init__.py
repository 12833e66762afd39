"""Sequence models on self-attention, and the simple forecasts that they have to beat."""
