"""What the settings of every assimilation method share."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from assimilearn.settings import Settings


class AnalysisSettings(Settings):
    """Settings of any method.

    ``any_operator`` and ``correlated_errors`` say of a method whether it takes observations of functions of the state,
    and errors that are correlated within a time.
    """

    any_operator: ClassVar[bool] = False
    correlated_errors: ClassVar[bool] = False

    method: str
    tune: dict[str, list[Any]] | None = Field(
        None,
        min_length=1,
        description="settings of this method to choose on the validation period by the rmse of the innovations "
        "(no truth is used): name -> values; all combinations are tried",
    )


class CycledSettings(AnalysisSettings):
    """Settings of methods that carry a forecast from one observation time to the next."""

    background_check: float | None = Field(
        None,
        gt=0,
        description="reject an observation that lies further from the forecast than this many standard deviations "
        "of the innovation; by default none is rejected",
    )


class MemberSettings(CycledSettings):
    """Settings of methods that carry several states."""

    members: int = Field(30, ge=2, description="size N of the ensemble")
    keep_members: Literal["none", "test", "all"] = Field(
        "none", description="write the whole ensemble, before and after each update: never, in the test period, always"
    )


class TreatmentSettings(CycledSettings):
    """What may be done to an ensemble after its update."""

    inflation: float = Field(1.0, ge=1, description="factor on the anomalies of the analysis, after the update")
    rotation: bool = Field(False, description="rotate the anomalies at random after each update, keeping their mean")
    relaxation_to_prior_spread: float = Field(
        0.0, ge=0, le=1, description="RTPS: share of the lost spread that the analysis is given back, site by site"
    )
    relaxation_to_prior_perturbations: float = Field(
        0.0, ge=0, le=1, description="RTPP: share of the forecast anomalies that the analysis anomalies are mixed with"
    )


class ModelErrorSettings(CycledSettings):
    """Model error that is drawn at random."""

    model_error: Annotated[float, Field(ge=0)] | Literal["residual"] | None = Field(
        None,
        description="standard deviation of the noise added to every site of every member after each model step; "
        '"residual" takes the one-step error that a trained emulator states; by default none',
    )
    model_error_scale: float = Field(1.0, ge=0, description="factor on model_error")


class EnsembleSettings(ModelErrorSettings, TreatmentSettings, MemberSettings):
    """Settings of the ensemble Kalman filters."""


class LocalSettings(EnsembleSettings):
    """Settings of ensemble methods that use each observation only near its site."""

    localization_radius: float = Field(
        4.0,
        gt=0,
        description="in sites: standard deviation L of the Gaussian that the taper follows; "
        "Gaspari and Cohn's function then ends at 3.65 L",
    )
    taper: Literal["gaspari_cohn", "boxcar", "gaussian"] = Field(
        "gaspari_cohn", description="function of distance by which observations are discounted"
    )
