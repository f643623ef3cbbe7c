"""Who may see the page, and which settings leave it open or can't work."""

from __future__ import annotations

import tomllib
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clickpulse.errors import ConfigurationError
from dashboard_ui.login import Standing, judge, secrets_toml
from dashboard_ui.settings import PageSettings

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
OIDC = {
    "login": "oidc",
    "oidc_metadata_url": "https://id.example.org/.well-known/openid-configuration",
    "oidc_client_id": "page",
    "oidc_client_secret": "c",
    "oidc_cookie_secret": "k",
    "oidc_redirect_url": "https://page.example.org/oauth2callback",
    "oidc_allowed_emails": "ada@example.org, bob@example.org",
}


def claims(**members: object) -> dict[str, object]:
    return {
        "is_logged_in": True,
        "email": "ada@example.org",
        "email_verified": True,
        "iat": (NOW - timedelta(minutes=5)).timestamp(),
        "exp": (NOW + timedelta(minutes=5)).timestamp(),
        **members,
    }


def standing(given: dict[str, object], now: datetime = NOW, **settings: object) -> Standing:
    return judge(given, PageSettings(**OIDC | settings), now).standing


def test_without_a_login_nobody_is_admitted():
    assert standing({"is_logged_in": False}) is Standing.SIGNED_OUT
    assert standing({}) is Standing.SIGNED_OUT


@pytest.mark.parametrize(
    ("members", "settings", "admitted"),
    [
        ({}, {}, True),
        ({"email": "ADA@Example.org"}, {}, True),
        ({"email": "eve@example.org"}, {}, False),
        ({"email": None}, {}, False),
        ({"email_verified": False}, {}, False),
        ({"email_verified": None}, {}, False),
        ({"email_verified": "false"}, {}, False),
        ({"email_verified": None}, {"oidc_require_verified_email": False}, True),
        ({"email": "eve@example.org"}, {"oidc_allowed_domains": "@example.org"}, True),
        ({"email": "eve@evil-example.org"}, {"oidc_allowed_domains": "example.org"}, False),
        ({"email": "eve@example.org.evil.net"}, {"oidc_allowed_domains": "example.org"}, False),
        ({"email": "example.org"}, {"oidc_allowed_emails": ""}, False),
        ({"email": "eve@x", "groups": ["a", "on-call"]}, {"oidc_required_claim": "groups=on-call"}, True),
        ({"email": "eve@x", "groups": ["on-call-not"]}, {"oidc_required_claim": "groups=on-call"}, False),
        ({"email": "eve@x", "groups": "on-call-not"}, {"oidc_required_claim": "groups=on-call"}, False),
        ({"email": None, "role": "on-call"}, {"oidc_required_claim": "role=on-call"}, True),
    ],
)
def test_rules_admit_whom_they_name(members, settings, admitted):
    assert standing(claims(**members), **settings) is (Standing.ADMITTED if admitted else Standing.REFUSED)


def test_a_login_counts_until_the_token_ends():
    assert standing(claims(), NOW + timedelta(minutes=5, seconds=-1)) is Standing.ADMITTED
    assert standing(claims(), NOW + timedelta(minutes=5)) is Standing.EXPIRED
    for no_time in (None, "soon", float("nan"), 1e300):
        assert standing(claims(exp=no_time)) is Standing.EXPIRED


def test_a_login_counts_as_long_as_the_setting_says():
    long, short = {"oidc_max_age_minutes": 60}, {"oidc_max_age_minutes": 4}
    assert standing(claims(), NOW + timedelta(minutes=54), **long) is Standing.ADMITTED
    assert standing(claims(), NOW + timedelta(minutes=55), **long) is Standing.EXPIRED
    assert standing(claims(), **short) is Standing.EXPIRED
    assert standing(claims(iat=None), **long) is Standing.EXPIRED


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.0.0.5"])
def test_without_a_login_the_page_is_this_machines(host):
    PageSettings(host=host).check()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "page.example.org", ""])  # noqa: S104
def test_without_a_login_other_addresses_are_refused_with_the_remedy(host):
    with pytest.raises(ConfigurationError, match=r"DASHBOARD_LOGIN=oidc.*DASHBOARD_BEHIND_PROXY=true"):
        PageSettings(host=host).check()
    PageSettings(host=host, behind_proxy=True).check()
    PageSettings(host=host, **OIDC).check()


def test_in_a_container_the_address_it_is_published_on_counts():
    PageSettings(host="0.0.0.0", published_host="127.0.0.1").check()  # noqa: S104
    with pytest.raises(ConfigurationError, match=r"DASHBOARD_PUBLISHED_HOST is 0\.0\.0\.0"):
        PageSettings(host="0.0.0.0", published_host="0.0.0.0").check()  # noqa: S104


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"oidc_client_secret": None}, "DASHBOARD_OIDC_CLIENT_SECRET"),
        ({"oidc_cookie_secret": None, "oidc_client_id": ""}, "DASHBOARD_OIDC_CLIENT_ID.*DASHBOARD_OIDC_COOKIE_SECRET"),
        ({"oidc_redirect_url": "https://page.example.org"}, "/oauth2callback"),
        ({"oidc_allowed_emails": ""}, "nobody is allowed"),
        ({"oidc_required_claim": "groups"}, "name=value"),
    ],
)
def test_a_login_that_could_not_work_is_refused(settings, says):
    with pytest.raises(ConfigurationError, match=says):
        PageSettings(**OIDC | settings).check()


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_secret_reaches_streamlit_as_it_is(secret):
    written = secrets_toml(PageSettings(**OIDC | {"oidc_client_secret": secret}))

    assert tomllib.loads(written)["auth"] == {
        "redirect_uri": OIDC["oidc_redirect_url"],
        "cookie_secret": "k",
        "client_id": "page",
        "client_secret": secret,
        "server_metadata_url": OIDC["oidc_metadata_url"],
    }
