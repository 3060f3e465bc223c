"""Classifiers: probabilities of events, learned from analyses.

An event is a category of what follows a state: does a variable exceed a threshold within a lead, or is it below, near
or above normal? A classifier gives the probability of each category at each grid point. It is no forecast model: it
makes no states, and nothing is assimilated with it. Its labels come from analyses.
"""

from assimilearn.emulators.classifiers.classifier import AnyClassifier, Classifier, open_classifier, train_classifier

__all__ = ["AnyClassifier", "Classifier", "open_classifier", "train_classifier"]
