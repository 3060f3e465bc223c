"""What is seen of the truth, when, and how badly: networks, error distributions, and the files that users bring."""

from assimilearn.observations.checks import check_observations
from assimilearn.observations.files import ingest, ingest_truth
from assimilearn.observations.observe import ObservationSettings, observe

__all__ = ["ObservationSettings", "check_observations", "ingest", "ingest_truth", "observe"]
