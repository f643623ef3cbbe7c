"""Settings of how the page is served, and to whom."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import SettingsConfigDict

from clickpulse.errors import ConfigurationError
from clickpulse.settings import DashboardSettings

CALLBACK = "/oauth2callback"
"""Where Streamlit takes the provider's answer."""


class PageSettings(DashboardSettings):
    """The page's address, with TLS where there is a certificate, and its login."""

    service = "dashboard"
    model_config = SettingsConfigDict(env_prefix="DASHBOARD_", extra="ignore", frozen=True)

    tls_cert: Path | None = Field(None, description="PEM: the certificate, then those of its issuers; https where set")
    tls_key: Path | None = None
    login: Literal["none", "oidc"] = "none"
    published_host: str | None = Field(
        None, description="in a container: the address of the machine that the page is published on"
    )
    behind_proxy: bool = Field(
        False, description="without a login: something in front decides who comes, so it may have any address"
    )
    oidc_metadata_url: str | None = Field(None, description="https://…/.well-known/openid-configuration")
    oidc_client_id: str | None = None
    oidc_client_secret: SecretStr | None = None
    oidc_redirect_url: str | None = Field(None, description=f"the page's address, ending with {CALLBACK}")
    oidc_cookie_secret: SecretStr | None = Field(None, description="signs the cookie; the same on every replica")
    oidc_allowed_emails: str = Field("", description="addresses, separated by commas")
    oidc_allowed_domains: str = Field("", description="what follows the @, separated by commas")
    oidc_required_claim: str = Field("", description="name=value, such as groups=on-call")
    oidc_require_verified_email: bool = Field(True, description="some providers say nothing of it")
    oidc_max_age_minutes: int | None = Field(
        None, ge=1, description="how long a login counts; as long as the provider says (exp) where not set"
    )

    def check(self) -> None:
        """Raise `ConfigurationError` if the page would be open to everyone, or its login could not work."""
        if self.login == "none":
            self._check_address()
        else:
            self._check_oidc()

    def _check_address(self) -> None:
        name = "DASHBOARD_HOST" if self.published_host is None else "DASHBOARD_PUBLISHED_HOST"
        address = self.host if self.published_host is None else self.published_host
        if not self.behind_proxy and not _is_loopback(address):
            raise ConfigurationError(
                f"{name} is {address} and DASHBOARD_LOGIN is none: anyone who reaches this machine could read the "
                "reports. Set DASHBOARD_LOGIN=oidc, use 127.0.0.1, or say with DASHBOARD_BEHIND_PROXY=true that "
                "something in front of the page decides who may come"
            )

    def _check_oidc(self) -> None:
        names = ("metadata_url", "client_id", "client_secret", "redirect_url", "cookie_secret")
        missing = [f"DASHBOARD_OIDC_{name.upper()}" for name in names if not getattr(self, f"oidc_{name}")]
        if missing:
            raise ConfigurationError(
                f"DASHBOARD_LOGIN is oidc: set {', '.join(missing)}; secrets belong into dashboard.creds, and "
                "`clickpulse creds` makes the cookie's"
            )
        if not (self.oidc_redirect_url or "").endswith(CALLBACK):
            raise ConfigurationError(
                f"DASHBOARD_OIDC_REDIRECT_URL is {self.oidc_redirect_url}: it is the page's address followed by "
                f"{CALLBACK}, the same as registered with the provider"
            )
        if not (self.oidc_allowed_emails or self.oidc_allowed_domains or self.oidc_required_claim):
            raise ConfigurationError(
                "DASHBOARD_LOGIN is oidc and nobody is allowed: set DASHBOARD_OIDC_ALLOWED_EMAILS, "
                "DASHBOARD_OIDC_ALLOWED_DOMAINS or DASHBOARD_OIDC_REQUIRED_CLAIM"
            )
        if self.oidc_required_claim and not all(self.oidc_required_claim.partition("=")):
            raise ConfigurationError(
                f"DASHBOARD_OIDC_REQUIRED_CLAIM is {self.oidc_required_claim!r}: write it as name=value"
            )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
