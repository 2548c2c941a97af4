"""The synthetic health systems, as data: who comes to them, what is recorded of them, and in which words.

Only the mix of people, the coding habits and what is left unrecorded differ between systems. The course of disease
given what is recorded (:mod:`vitrail.synthetic.truth`) is the same everywhere.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import Field

from vitrail.study.word import SiteName, Word

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]


class System(Word):
    """One health system. Shares are of persons, of reviews for ``*_recorded``; ages and times are in years.

    * ``age_mean``, ``age_sd``: age when a person joins. ``from_start``: joined before the first of the fifteen years.
      ``leaves``: the yearly share that moves away.
    * ``diabetes_scale``, ``hypertension_scale``: Weibull scale of the age at onset: the lower, the more.
    * ``egfr_mean`` (mL/min/1.73 m² at age 60), ``hba1c_mean`` (%, of people with diabetes).
    * ``nefrovian``, ``veltimol``, ``cardivane``: intercepts of the log odds of being given each drug.
    * ``visits``: mean further visits a year; ``further_labs``: share of them with laboratory tests.
    * ``specific_codes``: persons whose codes say which type and stage, others get the general code.
    * ``diabetes_by_laboratory``: onset known by two high HbA1c, not by a code. ``ckd_by_laboratory``, ``ckd_by_code``:
      known by two low eGFR alone or by a code alone; the others by both on one date.
    """

    name: SiteName
    female: Share
    age_mean: Positive
    age_sd: Positive
    from_start: Share
    leaves: Share
    long_history: Share
    diabetes_scale: Positive
    hypertension_scale: Positive
    egfr_mean: Positive
    hba1c_mean: Positive
    bmi_mean: Positive
    smokes: Share
    smoked: Share
    known_ckd: Share
    nefrovian: float
    veltimol: float
    cardivane: float
    visits: Positive
    further_labs: Share
    specific_codes: Share
    diabetes_by_laboratory: Share
    ckd_by_laboratory: Share
    ckd_by_code: Share
    labs_without_diabetes: Share
    albumin_recorded: Share
    bmi_recorded: Share
    pressure_recorded: Share
    smoking_recorded: Share
    race_recorded: Share


REFERRAL = System(
    name="referral",
    female=0.48,
    age_mean=58.0,
    age_sd=12.0,
    from_start=0.45,
    leaves=0.10,
    long_history=0.85,
    diabetes_scale=74.0,
    hypertension_scale=66.0,
    egfr_mean=86.0,
    hba1c_mean=7.6,
    bmi_mean=29.5,
    smokes=0.16,
    smoked=0.34,
    known_ckd=0.06,
    nefrovian=-2.1,
    veltimol=-0.9,
    cardivane=-1.0,
    visits=3.0,
    further_labs=0.6,
    specific_codes=0.9,
    diabetes_by_laboratory=0.25,
    ckd_by_laboratory=0.50,
    ckd_by_code=0.10,
    labs_without_diabetes=0.7,
    albumin_recorded=0.75,
    bmi_recorded=0.9,
    pressure_recorded=0.95,
    smoking_recorded=0.85,
    race_recorded=0.9,
)
"""A referral centre: complex cases, laboratory tests often, specific codes."""

COMMUNITY = System(
    name="community",
    female=0.54,
    age_mean=50.0,
    age_sd=15.0,
    from_start=0.65,
    leaves=0.06,
    long_history=0.95,
    diabetes_scale=100.0,
    hypertension_scale=78.0,
    egfr_mean=93.0,
    hba1c_mean=7.0,
    bmi_mean=27.5,
    smokes=0.20,
    smoked=0.28,
    known_ckd=0.015,
    nefrovian=-2.6,
    veltimol=-1.2,
    cardivane=-1.6,
    visits=1.4,
    further_labs=0.15,
    specific_codes=0.35,
    diabetes_by_laboratory=0.10,
    ckd_by_laboratory=0.25,
    ckd_by_code=0.40,
    labs_without_diabetes=0.25,
    albumin_recorded=0.35,
    bmi_recorded=0.6,
    pressure_recorded=0.8,
    smoking_recorded=0.5,
    race_recorded=0.6,
)
"""A large community system: everybody, fewer laboratory tests, general codes."""

REGIONAL = System(
    name="regional",
    female=0.51,
    age_mean=61.0,
    age_sd=14.0,
    from_start=0.70,
    leaves=0.04,
    long_history=0.92,
    diabetes_scale=90.0,
    hypertension_scale=70.0,
    egfr_mean=89.0,
    hba1c_mean=7.4,
    bmi_mean=29.0,
    smokes=0.26,
    smoked=0.30,
    known_ckd=0.03,
    nefrovian=-2.9,
    veltimol=-0.6,
    cardivane=-1.3,
    visits=1.8,
    further_labs=0.3,
    specific_codes=0.6,
    diabetes_by_laboratory=0.15,
    ckd_by_laboratory=0.35,
    ckd_by_code=0.25,
    labs_without_diabetes=0.4,
    albumin_recorded=0.5,
    bmi_recorded=0.7,
    pressure_recorded=0.85,
    smoking_recorded=0.6,
    race_recorded=0.75,
)
"""A regional system that trains nothing: older, more smokers; for external validation."""

SYSTEMS: Mapping[str, System] = {system.name: system for system in (REFERRAL, COMMUNITY, REGIONAL)}
"""Every synthetic health system, by name."""
