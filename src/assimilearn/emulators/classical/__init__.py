"""Emulators that are not networks: persistence, regressions, trees, polynomial tendencies."""
