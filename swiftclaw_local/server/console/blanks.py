"""Fields of a form that may be left empty: a browser sends them all the same, as no text at all."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field


def _none_if_blank(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


_Blank = BeforeValidator(_none_if_blank)
MaybeText = Annotated[str | None, _Blank]
MaybeCount = Annotated[Annotated[int, Field(ge=1, le=1_000_000)] | None, _Blank]
MaybeChance = Annotated[Annotated[float, Field(gt=0, le=1)] | None, _Blank]
