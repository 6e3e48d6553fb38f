"""The base of what servers answer."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """Not to be changed, since nothing would hear of it.

    Fields that a newer server adds are kept (`model_extra`), not refused.
    """

    model_config = ConfigDict(frozen=True, extra="allow", populate_by_name=True)
