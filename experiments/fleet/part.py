"""What all tables of a specification share: strict types, and errors for unknown fields that suggest the nearest."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from orsched.checks import has_control, shown
from orsched.errors import InputError
from orsched.toml_file import one_line

MOST_TEXT = 300
"""Longest string."""

MOST_PATH = 4_096
"""Longest path of a file, as systems have it."""

MOST_SECONDS = 1e7
"""Longest time, seconds: about four months."""

Text = Annotated[str, Field(min_length=1, max_length=MOST_TEXT), AfterValidator(one_line)]
"""One line."""

FileText = Annotated[str, Field(min_length=1, max_length=MOST_PATH), AfterValidator(one_line)]
"""A name, or the path of a file."""

Seconds = Annotated[float, Field(ge=0, le=MOST_SECONDS)]
PositiveSeconds = Annotated[float, Field(gt=0, le=MOST_SECONDS)]


def path_text(path: Path) -> str:
    """A path as the `FileText` of a table.

    Raises
    ------
    InputError
        When it is too long, or is not one line.
    """
    text = str(path)
    if len(text) > MOST_PATH or has_control(text):
        raise InputError(f"path {shown(text)}: must have at most {MOST_PATH:,} characters and no control characters")
    return text


class Part(BaseModel):
    """A table: no field beyond those declared, no conversion of types, only finite numbers."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_fields(cls, value: Any) -> Any:
        """Refuse unknown fields here, where the declared ones can be suggested."""
        if isinstance(value, dict):
            unknown = next((key for key in value if key not in cls.model_fields), None)
            if unknown is not None:
                message = "unknown field {field}: {hint}"
                parts = {"field": shown(unknown), "hint": hint(str(unknown), cls.model_fields)}
                raise PydanticCustomError("unknown_field", message, parts)
        return value


def hint(name: str, known: Iterable[str]) -> str:
    """Suggest what `name` may have meant, or say what there is."""
    names = list(known)
    near = difflib.get_close_matches(name, names, n=2, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"allowed: {', '.join(names)}"
