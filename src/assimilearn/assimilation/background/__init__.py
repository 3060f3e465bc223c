"""The climatology as a background, and the variational and linear analyses that stand on it."""
