"""Learning from windows of observations: starts and coefficients fitted together."""
