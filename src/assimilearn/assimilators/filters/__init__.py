"""Ensemble filters and 3D-Var in torch: the same analyses as the compiled ones, and gradients through many cycles."""
