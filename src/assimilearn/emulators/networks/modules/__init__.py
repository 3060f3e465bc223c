"""Code that imports torch at once: others import it inside the functions that train, build or differentiate."""
