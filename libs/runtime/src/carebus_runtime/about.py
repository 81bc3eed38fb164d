"""What settings there are: name, type, default, meaning, and where the value in use comes from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import AliasChoices, SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined

from carebus_runtime.settings import Settings


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting; never its value."""

    variable: str
    type: str
    default: str
    """As text; empty is none, and of secrets always."""
    meaning: str
    secret: bool

    def source(self, environment: Mapping[str, str]) -> str:
        """Where the value in use comes from."""
        if self.secret and environment.get(f"{self.variable}_FILE"):
            return "file"
        given = any(name == self.variable or name.startswith(f"{self.variable}__") for name in environment)
        return "environment" if given else "default" if self.default or self.secret else "not set"


def settings_of(kinds: Sequence[type[Settings]]) -> list[Setting]:
    """Return the settings of some classes, in their order."""
    return [_setting(kind, name, field) for kind in kinds for name, field in kind.model_fields.items()]


def about(kinds: Sequence[type[Settings]], environment: Mapping[str, str] | None = None) -> str:
    """Return one paragraph a setting, for people; of secrets no more than that they are."""
    environment = os.environ if environment is None else environment
    return "\n".join(
        f"{s.variable}  ({s.type}{', secret' if s.secret else ''}; "
        f"default: {s.default or 'none'}; from: {s.source(environment)})"
        + (f"\n    {s.meaning}" if s.meaning else "")
        for s in settings_of(kinds)
    )


def _setting(kind: type[Settings], name: str, field: FieldInfo) -> Setting:
    secret = SecretStr in (field.annotation, *getattr(field.annotation, "__args__", ()))
    alias = field.validation_alias
    variable = alias.choices[0] if isinstance(alias, AliasChoices) else None
    return Setting(
        str(variable or f"{kind.model_config.get('env_prefix', '')}{name}".upper()),
        _type(field.annotation),
        "" if secret else _default(field),
        field.description or "",
        secret,
    )


def _type(annotation: Any) -> str:
    if isinstance(annotation, type) and not getattr(annotation, "__args__", ()):
        return "str" if annotation is SecretStr else annotation.__name__
    return str(annotation).replace("typing.", "").replace("pathlib.", "").replace("pydantic.types.", "")


def _default(field: FieldInfo) -> str:
    if field.default is None or field.default is PydanticUndefined:
        return ""
    if isinstance(field.default, tuple):
        return ",".join(map(str, field.default))
    return str(field.default)
