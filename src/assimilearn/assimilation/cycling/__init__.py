"""The cycle of forecast and analysis: starts, draws, screening, inflation, model error, divergence, records."""
