"""What the fields of a policy file are made of: strict mappings, and the kinds of text that stand in many of them.

A pattern is published in the JSON Schema but not checked here: the core's parsers explain better what is wrong.
"""

from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

DURATION_PATTERN: Final = r"^[0-9]{1,12} ?(ms|s|m|h|d|w|milliseconds?|seconds?|minutes?|hours?|days?|weeks?)$"
WINDOW_PATTERN: Final = (
    r"(second|minute|hour|day|week|month|year"
    r"|[0-9]{1,12} ?(ms|s|m|h|d|w|milliseconds?|seconds?|minutes?|hours?|days?|weeks?))"
)
MONEY_PATTERN: Final = r"[0-9]{1,18}(\.[0-9]{1,6})? [A-Z]{3}"
NAME_PATTERN: Final = r"^[A-Za-z0-9._@+-]{1,128}$"
URI_PATTERN: Final = r"^[A-Za-z][A-Za-z0-9+.-]*:.+$"
TOOL_NAME_PATTERN: Final = r"[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*"


def text(pattern: str) -> Any:
    """A pattern that is published but not checked here: the core's parsers explain better what is wrong."""
    return Field(json_schema_extra={"pattern": pattern})


def or_number(pattern: str) -> BeforeValidator:
    """Where a plain number is a whole text already, as in `quota: 500`."""
    return BeforeValidator(
        lambda value: str(value) if type(value) is int else value,
        json_schema_input_type=Annotated[int, Field(ge=0)] | Annotated[str, text(pattern)],
    )


Duration: TypeAlias = Annotated[str, text(DURATION_PATTERN)]
Money: TypeAlias = Annotated[str, text(f"^{MONEY_PATTERN}$")]
Count: TypeAlias = Annotated[str, or_number(rf"^[0-9]{{1,16}}(/{WINDOW_PATTERN})?$")]
ToolPattern: TypeAlias = Annotated[str, text(rf"^(\*|{TOOL_NAME_PATTERN}(\.\*)?)$")]
Size: TypeAlias = Annotated[str, or_number(r"^[0-9]{1,10}( ?(B|KiB|MiB))?$")]
DimensionName: TypeAlias = Literal[
    "agent",
    "actor",
    "caller",
    "user",
    "org",
    "account",
    "issuer",
    "contract",
    "key",
    "session",
    "tool",
    "target",
    "address",
]
Dimensions: TypeAlias = Annotated[
    list[DimensionName],
    BeforeValidator(
        lambda value: [value] if isinstance(value, str) else value,
        json_schema_input_type=DimensionName | list[DimensionName],
    ),
]


class Shape(BaseModel):
    """A mapping with these fields and no others; nothing is converted from one type to another."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
