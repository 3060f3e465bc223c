"""What the settings of every assimilation method share: fields, and traits by which the program asks what they mean."""

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, NamedTuple, Self

import numpy as np
from pydantic import Discriminator, Field, Tag, model_validator

from assimilearn.errors import SettingsError
from assimilearn.models.geometry import Geometry
from assimilearn.settings import Settings


class AfterUpdate(NamedTuple):
    """What is done to an ensemble after its update; as it stands here, nothing.

    Attributes
    ----------
    inflation : factor on the anomalies
    to_spread, to_perturbations : weights of the prior spread (RTPS) and of the prior perturbations (RTPP)
    rotates : whether the anomalies are rotated at random
    adapts : whether the inflation follows the innovations, from 1
    """

    inflation: float = 1.0
    to_spread: float = 0.0
    to_perturbations: float = 0.0
    rotates: bool = False
    adapts: bool = False


class ModelErrorGiven(NamedTuple):
    """What settings say of the model error of one step; as it stands here, that there is none.

    Attributes
    ----------
    std : standard deviation, or what else it is taken from
    scale : factor on it
    square_root : whether anomalies grow by it, without random numbers
    """

    std: float | Literal["residual", "by_state", "estimated"] = 0.0
    scale: float = 1.0
    square_root: bool = False


class AnalysisSettings(Settings):
    """Settings of any method, and what the program must know of it.

    Attributes
    ----------
    any_operator : whether it takes observations of functions of the state
    correlated_errors : whether it takes errors that are correlated within a time
    streams : whether its whole state is an ensemble that one loop carries on, so that a long run needs to hold few
        times at once
    needs : what it is given besides observations, model and climatology
    needs_states : whether the climate file must keep states of the free run
    stochastic_models : whether it takes models with chance in their steps, or makes no forecasts
    models_with_memory : whether it takes models whose members carry more than their sites, or makes no forecasts
    """

    any_operator: ClassVar[bool] = False
    correlated_errors: ClassVar[bool] = False
    streams: ClassVar[bool] = False
    needs: ClassVar[tuple[str, ...]] = ()
    needs_states: ClassVar[bool] = False
    stochastic_models: ClassVar[bool] = True
    models_with_memory: ClassVar[bool] = True

    method: str

    @property
    def local(self) -> bool:
        """Whether the method asks for distances between sites."""
        return False

    @property
    def ensemble_size(self) -> int:
        """States that it carries; methods without members carry one."""
        return 1

    @property
    def kept_period(self) -> Literal["none", "test", "all"]:
        """When the whole ensemble is written."""
        return "none"

    @property
    def rejects_beyond(self) -> float | None:
        """Standard deviations of the innovation beyond which an observation is rejected; None without a check."""
        return None

    @property
    def after_update(self) -> AfterUpdate:
        """What is done to the ensemble after its update."""
        return AfterUpdate()

    @property
    def error_given(self) -> ModelErrorGiven:
        """The model error of one step."""
        return ModelErrorGiven()

    @property
    def estimates(self) -> "Mapping[str, ParameterSettings]":
        """Parameters of the model that are estimated with the state, by name."""
        return {}

    @property
    def bias_estimated(self) -> "ObservationBiasSettings | None":
        """Biases of observations that are estimated with the state."""
        return None

    def refuse_unlike(self, geometry: Geometry) -> None:
        """Raise SettingsError if the method has no use for states on this geometry."""
        if self.local and not geometry.has_space:
            raise SettingsError(f"{self.method} needs distances between sites, and the model has no space: use etkf")
        self.field_factors(geometry)

    def field_factors(self, geometry: Geometry) -> np.ndarray:
        """Factors (field, field) on the taper between fields; (0, 0) where all are 1."""
        return np.ones((0, 0))

    def without_members(self) -> Self:
        """The same settings, with no ensemble to be written."""
        return self

    def without_stated_error(self) -> Self:
        """The same settings for a model that states no error of its own."""
        return self


class CycledSettings(AnalysisSettings):
    """Settings of methods that carry a forecast from one observation time to the next."""

    stochastic_models: ClassVar[bool] = False
    models_with_memory: ClassVar[bool] = False

    background_check: float | None = Field(
        None,
        gt=0,
        description="reject an observation that lies further from the forecast than this many standard deviations "
        "of the innovation; by default none is rejected",
    )

    @property
    def rejects_beyond(self) -> float | None:
        """Limit of the background check."""
        return self.background_check


class MemberSettings(CycledSettings):
    """Settings of methods that carry several states."""

    members: int = Field(30, ge=2, description="size N of the ensemble")
    keep_members: Literal["none", "test", "all"] = Field(
        "none", description="write the whole ensemble, before and after each update: never, in the test period, always"
    )

    @property
    def ensemble_size(self) -> int:
        """Number of members."""
        return self.members

    @property
    def kept_period(self) -> Literal["none", "test", "all"]:
        """When the whole ensemble is written."""
        return self.keep_members

    def without_members(self) -> Self:
        """The same settings, with no ensemble to be written."""
        return self.model_copy(update={"keep_members": "none"})


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


class InflationSettings(CycledSettings):
    """What may be done to an ensemble after its update."""

    inflation: float = Field(1.0, ge=1, description="factor on the anomalies of the analysis, after the update")
    rotation: bool = Field(False, description="rotate the anomalies at random after each update, keeping their mean")
    relaxation_to_prior_spread: float = Field(
        0.0, ge=0, le=1, description="RTPS: share of the lost spread that the analysis is given back, site by site"
    )
    relaxation_to_prior_perturbations: float = Field(
        0.0, ge=0, le=1, description="RTPP: share of the forecast anomalies that the analysis anomalies are mixed with"
    )

    @property
    def after_update(self) -> AfterUpdate:
        """What is done to the ensemble after its update."""
        adaptive = self.inflation == "adaptive"
        return AfterUpdate(
            1.0 if adaptive else self.inflation,
            self.relaxation_to_prior_spread,
            self.relaxation_to_prior_perturbations,
            self.rotation,
            adaptive,
        )


class ModelErrorSettings(CycledSettings):
    """Model error that is drawn at random."""

    model_error: Annotated[float, Field(ge=0)] | Literal["residual", "by_state"] | None = Field(
        None,
        description="standard deviation of the noise added to every site of every member after each model step; "
        '"residual" takes the one-step error that a trained emulator states, "by_state" that which a model states for '
        "each state; by default none",
    )
    model_error_scale: float = Field(1.0, ge=0, description="factor on model_error")

    @property
    def error_given(self) -> ModelErrorGiven:
        """The model error of one step."""
        return ModelErrorGiven(self.model_error or 0.0, self.model_error_scale)

    def without_stated_error(self) -> Self:
        """The same settings, without a model error that only some models state."""
        return self.model_copy(update={"model_error": None}) if self.model_error in ("residual", "by_state") else self


class EnsembleSettings(ModelErrorSettings, InflationSettings, MemberSettings):
    """Settings of the ensemble Kalman filters."""

    stochastic_models: ClassVar[bool] = True


class ParameterSettings(Settings):
    """What is known of a parameter of the model that is to be estimated with the state."""

    mean: float = Field(description="first guess")
    std: float = Field(gt=0, description="standard deviation of the first guess")
    walk: float = Field(
        0.05, ge=0, description="standard deviation of the random change within one MTU; without any it ends fixed"
    )


class ObservationBiasSettings(Settings):
    """Biases of the observations that are to be estimated with the state, one a kind of observations."""

    std: float = Field(gt=0, description="standard deviation of the first guess, whose mean is 0")
    walk: float = Field(0.0, ge=0, description="standard deviation of the random change within one MTU")
    by: Literal["instrument", "field"] = Field(
        "instrument", description="what has a bias of its own: an instrument, or the observations of a field"
    )


class FilterSettings(EnsembleSettings):
    """Settings of the filters that share one compiled loop, which can adapt some of them to the innovations."""

    streams: ClassVar[bool] = True
    models_with_memory: ClassVar[bool] = True

    inflation: Inflation = Field(1.0, description=INFLATION)  # type: ignore[assignment]
    model_error: Annotated[float, Field(ge=0)] | Literal["residual", "by_state", "estimated"] | None = Field(  # type: ignore[assignment]
        None,
        description="standard deviation of the model error of every site after each model step; "
        '"residual" takes the one-step error that a trained emulator states, "by_state" that which a model states for '
        'each state; "estimated" follows the innovations: it is recorded as `model_error_std(time)`; by default none',
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

    observation_bias: ObservationBiasSettings | None = Field(
        None,
        description="estimate the biases of the observations with the state: every member carries its own; recorded "
        "as `bias_<name>(time)` and `bias_<name>_spread(time)`, of observations without instruments "
        "`bias_observations(time)`",
    )

    @property
    def error_given(self) -> ModelErrorGiven:
        """The model error of one step."""
        return super().error_given._replace(square_root=self.model_error_treatment == "square_root")

    @property
    def estimates(self) -> Mapping[str, ParameterSettings]:
        """Parameters that members carry after their sites."""
        return self.parameters

    @property
    def bias_estimated(self) -> ObservationBiasSettings | None:
        """Biases that members carry after their sites and parameters."""
        return self.observation_bias

    @model_validator(mode="after")
    def _augmented(self) -> Self:
        augmented = {"parameters": bool(self.parameters), "observation_bias": self.observation_bias is not None}
        for name, there in augmented.items():
            if there and self.local:
                raise ValueError(f"{name}: they have no place, so a localized method cannot estimate them")
            if there and self.model_error_treatment == "square_root":
                raise ValueError(f'model_error_treatment: members that carry {name} need "sampled" model error')
        if self.model_error == "by_state" and self.model_error_treatment == "square_root":
            raise ValueError('model_error_treatment: an error that depends on the state must be "sampled"')
        return self

    @model_validator(mode="after")
    def _one_adaptation(self) -> Self:
        if self.model_error == "estimated" and self.inflation == "adaptive":
            raise ValueError("model_error: it cannot be told from an adaptive inflation: give one of them a number")
        if self.model_error == "estimated" and self.model_error_scale != 1:
            raise ValueError("model_error_scale: an estimated model error has no other scale than 1")
        return self


Factor = Annotated[float, Field(ge=0, le=1)]
BetweenFields = Annotated[
    Annotated[Factor, Tag("number")] | Annotated[dict[str, dict[str, Factor]], Tag("mapping")],
    Discriminator(lambda value: "mapping" if isinstance(value, Mapping) else "number"),
]
"""What stands for ``between_fields`` in settings."""


class FieldSettings(Settings):
    """How much the observations of one field tell of the others."""

    between_fields: BetweenFields = Field(
        1.0,
        description="factor on the taper between two fields: 0 where observations of one leave the other as it is, 1 "
        "where they reach as far as in their own; a number for all pairs, or {field: {other field: number}}",
    )

    def field_factors(self, geometry: Geometry) -> np.ndarray:
        """Factors (field, field), or (0, 0) where all are 1.

        Raises
        ------
        SettingsError
            If a field does not exist, or a pair has two different factors.
        """
        names, given = geometry.names, self.between_fields
        factors = np.ones((len(names), len(names)))
        if isinstance(given, Mapping):
            pairs = [(one, other, factor) for one, others in given.items() for other, factor in others.items()]
            for one, other, factor in pairs:
                if absent := [name for name in (one, other) if name not in names]:
                    raise SettingsError(f"between_fields: no field {absent[0]!r}; there are {', '.join(names)}")
                if given.get(other, {}).get(one, factor) != factor:
                    raise SettingsError(f"between_fields: {one} and {other} have two different factors")
                factors[names.index(one), names.index(other)] = factors[names.index(other), names.index(one)] = factor
        else:
            factors[~np.eye(len(names), dtype=bool)] = given
        return factors if (factors != 1).any() else np.ones((0, 0))


class LocalizationSettings(FieldSettings):
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

    @property
    def local(self) -> bool:
        """Always: observations are discounted by distance."""
        return True


class LocalSettings(LocalizationSettings, EnsembleSettings):
    """Settings of ensemble methods that use each observation only near its site."""
