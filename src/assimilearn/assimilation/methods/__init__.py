"""The assimilation methods, one a file: the equations, their source, their cost, and how each runs."""
