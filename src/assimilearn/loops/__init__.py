"""The loop: learn a model from analyses, assimilate again with it, and so on, until it no longer helps."""

from assimilearn.loops.cycles import assimilate_again, best_cycle, kept, learn_again
from assimilearn.loops.stopping import Stopping

__all__ = ["Stopping", "assimilate_again", "best_cycle", "kept", "learn_again"]
