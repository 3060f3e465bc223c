"""Dense algebra of ensembles: transforms, inverse square roots, rotations, serial updates."""
