"""Run the command line as ``python -m assimilearn``."""

from assimilearn.cli import main

main()
