"""What may be asked: one file per kind of analysis, and the list of them."""

from typing import Annotated

from pydantic import Field

from vitrail.study.analyses.characterise import Characterise, CharacteriseAsk, CharacteriseEvidence
from vitrail.study.analyses.predict import Predict, PredictAsk, PredictEvidence

Analysis = Annotated[Characterise | Predict, Field(discriminator="kind")]
Ask = Annotated[CharacteriseAsk | PredictAsk, Field(discriminator="kind")]
Finding = Annotated[CharacteriseEvidence | PredictEvidence, Field(discriminator="kind")]
