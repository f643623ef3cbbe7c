"""The door of the page: Streamlit calls that sign a visitor in or out. Who may come is decided in `login.py`."""

from __future__ import annotations

from datetime import datetime
from html import escape

import streamlit as st

from dashboard_ui import render
from dashboard_ui.login import Standing, Visitor, judge
from dashboard_ui.settings import PageSettings

_SAYS = {
    Standing.SIGNED_OUT: ("Sign in to see the reports.", "Sign in"),
    Standing.EXPIRED: ("Your sign-in has ended. Sign in again to see the reports.", "Sign in again"),
    Standing.REFUSED: ("{name} is not among those who may see the reports. Ask whoever runs this page.", "Sign out"),
}


def visitor(settings: PageSettings, now: datetime) -> Visitor:
    """Who looks at the page; without a login everyone is admitted, and nameless."""
    if settings.login == "none":
        return Visitor(Standing.ADMITTED)
    return judge(st.user.to_dict(), settings, now)


def show_closed(who: Visitor) -> None:
    """What a visitor sees who is not admitted: why, and the way on."""
    text, label = _SAYS[who.standing]
    dark = st.context.theme.type == "dark"
    with st.container(key="gate", horizontal_alignment="center"):
        said = f'<h1>Clickpulse</h1><p role="status">{escape(text.format(name=who.name))}</p>'
        st.html(render.block(f'<div class="gate" data-gate="{who.standing.value}">{said}</div>', dark=dark))
        st.button(label, on_click=st.logout if who.standing is Standing.REFUSED else st.login)


def show_signed_in(who: Visitor) -> None:
    """Who is signed in, and the way out; nothing where there is no login.

    A link to where `st.logout` leads, not a button: a button's click is now and then lost between the page's refreshes.
    The name is escaped HTML, as it is the visitor's to choose, and Markdown would make links of it.
    """
    if who.name:
        content = f'<div class="who"><span>{escape(who.name)}</span><a href="auth/logout">Sign out</a></div>'
        st.html(render.block(content, dark=st.context.theme.type == "dark"))
