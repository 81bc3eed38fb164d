"""Where OpenEMR's database is, and what stands in rows that OMOP says nothing about."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator
from pydantic_settings import SettingsConfigDict

from carebus_contracts.errors import ConfigurationError
from carebus_runtime.settings import Settings
from carebus_runtime.tls import client_tls


class OpenEmrSettings(Settings):
    """Settings of the OpenEMR target."""

    model_config = SettingsConfigDict(env_prefix="CAREBUS_OPENEMR_")

    host: str = Field(default="127.0.0.1", description="Address of OpenEMR's MariaDB or MySQL.")
    port: int = Field(default=23306, ge=1, le=65535)
    user: str = Field(default="carebus", description="Needs SELECT, INSERT, UPDATE, DELETE on the schema.")
    password: SecretStr = Field(default=SecretStr(""), description="Or CAREBUS_OPENEMR_PASSWORD_FILE.")
    database: str = Field(default="openemr", pattern=r"^[A-Za-z0-9_$-]{1,64}$")
    owner_user: str = Field(
        default="", description="User of `targets prepare`, who may create tables; the ordinary one if empty."
    )
    owner_password: SecretStr = Field(
        default=SecretStr(""), description="Or CAREBUS_OPENEMR_OWNER_PASSWORD_FILE."
    )
    tls_ca: Path | None = Field(default=None, description="CA bundle; TLS is used when it is given.")
    create_schema: bool = Field(
        default=False,
        description="Let `targets prepare` make OpenEMR's tables where they are missing: for a demo only.",
    )
    facility_id: int = Field(
        default=3,
        description="Facility of encounters whose site is not known, and the billing facility of all; OpenEMR "
        "ships one with this id.",
    )
    provider_npi: str = Field(
        default="",
        pattern=r"^([0-9]{10})?$",
        description="NPI of the provider whom `targets prepare` makes for records that name none; OpenEMR's "
        "FHIR leaves out providers without one. Empty makes none.",
    )
    default_npi: str = Field(
        default="",
        pattern=r"^([0-9]{10})?$",
        description="NPI that is written for providers of a source who have none there, as OpenEMR's FHIR leaves "
        "out providers without one. Empty leaves them without.",
    )
    provider_family: str = Field(default="carebus", description="Family name of that provider.")
    provider_given: str = Field(default="Import", description="Given name of that provider.")
    match: Literal["never", "pubpid", "ask"] = Field(
        default="never",
        description="Persons who may be patients that OpenEMR has: never look; one patient whose pubpid is the "
        "person_source_value is that person; or ask a person, also where birth date and sex agree "
        "(`carebus matches`).",
    )
    sites_folder: Path | None = Field(
        default=None,
        description="OpenEMR's folder `sites`, as this process sees it, for documents that jobs want among the "
        "patients'. The user must be able to write in its `documents`; without it nothing is filed.",
    )
    site: str = Field(
        default="default", pattern=r"^[A-Za-z0-9_.-]{1,64}$", description="The site in that folder."
    )
    connect_timeout_s: float = Field(default=10, gt=0)
    write_timeout_s: float = Field(
        default=300, gt=0, description="A batch that takes longer is rolled back and tried again."
    )

    @model_validator(mode="after")
    def _possible(self) -> Self:
        if self.owner_password.get_secret_value() and not self.owner_user:
            raise ConfigurationError(
                "CAREBUS_OPENEMR_OWNER_USER is empty although CAREBUS_OPENEMR_OWNER_PASSWORD is set"
            )
        return self

    @property
    def system(self) -> str:
        """What we wait for, as people call it."""
        return f"OpenEMR's database at {self.host}:{self.port}"

    def tls(self) -> ssl.SSLContext | None:
        """TLS that checks the server's name against the CA."""
        return client_tls(self.tls_ca) if self.tls_ca else None
