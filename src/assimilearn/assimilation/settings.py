"""What the settings of every assimilation method share."""

from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Discriminator, Field, Tag, model_validator

from assimilearn.settings import Settings


class AnalysisSettings(Settings):
    """Settings of any method.

    ``any_operator`` and ``correlated_errors`` say of a method whether it takes observations of functions of the state,
    and errors that are correlated within a time; ``streams`` whether its whole state is an ensemble that one loop
    carries on, so that a long run needs to hold few times at once.
    """

    any_operator: ClassVar[bool] = False
    correlated_errors: ClassVar[bool] = False
    streams: ClassVar[bool] = False

    method: str

    @property
    def local(self) -> bool:
        """Whether the method asks for distances between sites."""
        return self.model_dump(include={"localization_radius"}).get("localization_radius") is not None

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


Inflation = Annotated[
    Annotated[float, Field(ge=1), Tag("number")] | Annotated[Literal["adaptive"], Tag("word")],
    Discriminator(lambda value: "word" if isinstance(value, str) else "number"),  # so that a bad value is one error
]
"""What stands for ``inflation`` in the settings of a filter."""

INFLATION = (
    'factor on the anomalies of the analysis, after the update; "adaptive" follows the innovations: it is recorded as '
    "`inflation(time)`"
)
"""What it means."""


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


class ParameterSettings(Settings):
    """What is known of a parameter of the model that is to be estimated with the state."""

    mean: float = Field(description="first guess")
    std: float = Field(gt=0, description="standard deviation of the first guess")
    walk: float = Field(
        0.05, ge=0, description="standard deviation of the random change within one MTU; without any it ends fixed"
    )


class FilterSettings(EnsembleSettings):
    """Settings of the filters that share one compiled loop, which can adapt some of them to the innovations."""

    streams: ClassVar[bool] = True

    inflation: Inflation = Field(1.0, description=INFLATION)  # type: ignore[assignment]
    model_error: Annotated[float, Field(ge=0)] | Literal["residual", "estimated"] | None = Field(  # type: ignore[assignment]
        None,
        description="standard deviation of the model error of every site after each model step; "
        '"residual" takes the one-step error that a trained emulator states; "estimated" follows the innovations: it '
        "is recorded as `model_error_std(time)`; by default none",
    )
    model_error_treatment: Literal["sampled", "square_root"] = Field(
        "sampled",
        description="draw model error at random for every member, or let the anomalies grow by it without random "
        "numbers (the core square root), within the span of the ensemble",
    )

    parameters: dict[str, ParameterSettings] = Field(
        {},
        description="parameters of the model to estimate with the state, by name: every member carries its own; "
        "recorded as `parameter_<name>(time)` and `parameter_<name>_spread(time)`",
    )

    @model_validator(mode="after")
    def _carried(self) -> Self:
        if self.parameters and isinstance(self, LocalSettings):
            raise ValueError("parameters: they have no place, so a localized method cannot estimate them")
        if self.parameters and self.model_error_treatment == "square_root":
            raise ValueError('model_error_treatment: members that carry parameters need "sampled" model error')
        return self

    @model_validator(mode="after")
    def _one_adaptation(self) -> Self:
        if self.model_error == "estimated" and self.inflation == "adaptive":
            raise ValueError("model_error: it cannot be told from an adaptive inflation: give one of them a number")
        if self.model_error == "estimated" and self.model_error_scale != 1:
            raise ValueError("model_error_scale: an estimated model error has no other scale than 1")
        return self


class LocalizationSettings(Settings):
    """How far an observation reaches."""

    localization_radius: float = Field(
        4.0,
        gt=0,
        description="in sites: standard deviation L of the Gaussian that the taper follows; "
        "Gaspari and Cohn's function then ends at 3.65 L",
    )
    taper: Literal["gaspari_cohn", "boxcar", "gaussian"] = Field(
        "gaspari_cohn", description="function of distance by which observations are discounted"
    )


class LocalSettings(LocalizationSettings, EnsembleSettings):
    """Settings of ensemble methods that use each observation only near its site."""
