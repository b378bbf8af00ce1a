"""Forecast: what a run will take, said before it begins. Nothing here is decoded but a first frame."""
