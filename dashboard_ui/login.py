"""Who may see the page: judges what the provider said of a visitor. Streamlit signs visitors in, and nothing more.

Streamlit keeps the ID token's claims in a signed cookie for a month and does not look at their expiry, so that is done
here, at each refresh.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import Enum
from typing import Any

from dashboard_ui.settings import PageSettings


class Standing(Enum):
    """Where a visitor stands; only `ADMITTED` sees anything."""

    SIGNED_OUT = "signed out"
    EXPIRED = "expired"
    REFUSED = "refused"
    ADMITTED = "admitted"


@dataclass(frozen=True)
class Visitor:
    """A visitor, by the name to show: the e-mail address or what else the provider calls them."""

    standing: Standing
    name: str = ""


def judge(claims: Mapping[str, Any], settings: PageSettings, now: datetime) -> Visitor:
    """What the claims of Streamlit's user (`st.user`) are worth at `now` (aware)."""
    if not claims.get("is_logged_in"):
        return Visitor(Standing.SIGNED_OUT)
    name = str(claims.get("email") or claims.get("preferred_username") or claims.get("sub") or "?")
    ends = _ends(claims, settings)
    if ends is None or now >= ends:
        return Visitor(Standing.EXPIRED, name)
    return Visitor(Standing.ADMITTED if _allowed(claims, settings) else Standing.REFUSED, name)


def secrets_toml(settings: PageSettings) -> str:
    """The file that Streamlit's login reads its settings from."""
    auth = {
        "redirect_uri": settings.oidc_redirect_url,
        "cookie_secret": _secret(settings.oidc_cookie_secret),
        "client_id": settings.oidc_client_id,
        "client_secret": _secret(settings.oidc_client_secret),
        "server_metadata_url": settings.oidc_metadata_url,
    }
    lines = [f"{name} = {_toml(value or '')}" for name, value in auth.items()]
    return "\n".join(["[auth]", *lines]) + "\n"


def _ends(claims: Mapping[str, Any], settings: PageSettings) -> datetime | None:
    """When the login ends; None where the claims don't say."""
    if settings.oidc_max_age_minutes is None:
        return _moment(claims.get("exp"))
    began = _moment(claims.get("iat"))
    return began + timedelta(minutes=settings.oidc_max_age_minutes) if began else None


def _moment(seconds: object) -> datetime | None:
    """A NumericDate (RFC 7519)."""
    try:
        return datetime.fromtimestamp(float(str(seconds)), UTC)
    except (ValueError, OverflowError, OSError):
        return None


def _allowed(claims: Mapping[str, Any], settings: PageSettings) -> bool:
    """Whether one of the rules that are set fits."""
    email = str(claims.get("email") or "").casefold()
    if settings.oidc_require_verified_email and claims.get("email_verified") is not True:
        email = ""
    domain = email.rpartition("@")[2]
    return (
        (bool(email) and email in _words(settings.oidc_allowed_emails))
        or (bool(domain) and domain in _words(settings.oidc_allowed_domains))
        or _has_claim(claims, settings.oidc_required_claim)
    )


def _has_claim(claims: Mapping[str, Any], required: str) -> bool:
    name, _, value = required.partition("=")
    if not name:
        return False
    found = claims.get(name)
    return value in found if isinstance(found, list) else found is not None and str(found) == value


def _words(text: str) -> set[str]:
    return {word.strip().removeprefix("@").casefold() for word in text.split(",")} - {""}


def _toml(text: str) -> str:
    """JSON's strings are TOML's as well, but for one control character that JSON lets stand."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _secret(value: Any) -> str:
    return str(value.get_secret_value()) if value else ""
