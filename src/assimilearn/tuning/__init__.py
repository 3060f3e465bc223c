"""Tuning: one search for the settings of emulators, of analyses and of both together; splits, workers, sweeps."""
