"""`clickpulse report`: the latest report, or one minute's, for people or as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from clickpulse.errors import ClickpulseError, TransientError

if TYPE_CHECKING:
    import httpx

    from clickpulse.settings import ReportReaderSettings


class ReportUnavailableError(ClickpulseError):
    """There is no such report (yet), or it can't be read."""


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("report")(report)


def report(
    window: Annotated[
        str | None, typer.Option(help="The minute, such as 2026-11-22T10:05Z; default: the latest.")
    ] = None,
    revision: Annotated[int | None, typer.Option(min=0, help="Which revision; default: the highest.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="The report as JSON, and nothing else, on stdout.")] = False,
) -> None:
    """Print the latest report, or one minute's."""
    import json

    from clickpulse.settings import ReportReaderSettings

    address = _address(window, revision)
    settings = ReportReaderSettings.load()
    with _client(settings) as client:
        answer = _get(client, address)
    if as_json:
        typer.echo(json.dumps(answer.json(), indent=2, ensure_ascii=False))
    else:
        _print(answer)


def _address(window: str | None, revision: int | None) -> str:
    """Where the report is; `ConfigurationError` on a window that is none."""
    from clickpulse.errors import ConfigurationError
    from clickpulse.windows import MinuteWindow

    if window is None:
        if revision is not None:
            raise ConfigurationError("--revision needs --window: say which minute, such as --window 2026-11-22T10:05Z")
        return "/api/v1/reports/latest"
    address = f"/api/v1/reports/{MinuteWindow.parse(window)}"
    return address if revision is None else f"{address}?revision={revision}"


def _client(settings: ReportReaderSettings) -> httpx.Client:
    from clickpulse.clients import report_reader

    return report_reader(settings)


def _get(client: httpx.Client, address: str) -> httpx.Response:
    """The answer, if it is a report.

    Raises:
        TransientError: the API or its database is away.
        ReportUnavailableError: it answers, but not with a report.
    """
    import httpx

    try:
        answer = client.get(address)
    except httpx.HTTPError as error:
        reason = str(error) or type(error).__name__
        raise TransientError(
            f"the report API at {client.base_url} does not answer ({reason}): "
            "see `clickpulse status`, start it with `clickpulse up`, or set REPORT_API_URL"
        ) from error
    if answer.is_success:
        return answer
    detail = _detail(answer)
    if answer.status_code == httpx.codes.NOT_FOUND:
        raise ReportUnavailableError(
            f"{detail}. A report comes a few seconds after its minute; "
            "if it is overdue, `clickpulse status` shows what is down"
        )
    if answer.status_code == httpx.codes.SERVICE_UNAVAILABLE:
        raise TransientError(f"{detail}. `clickpulse status` shows what is down")
    raise ReportUnavailableError(f"the report API answered {answer.status_code}: {detail}")


def _detail(answer: httpx.Response) -> str:
    """What the problem says, or the start of whatever else came."""
    if answer.headers.get("content-type", "").startswith("application/problem+json"):
        return str(answer.json().get("detail", answer.reason_phrase))
    return answer.text.strip()[:200] or answer.reason_phrase


def _print(answer: httpx.Response) -> None:
    from pydantic import ValidationError
    from rich.console import Console

    from clickpulse.report_text import report_text
    from clickpulse.stored_reports import StoredReport

    try:
        stored = StoredReport.model_validate_json(answer.content)
    except ValidationError as error:
        raise ReportUnavailableError(
            f"the report is of another version than this program ({error.error_count()} differences): use --json"
        ) from error
    Console().print(report_text(stored))
