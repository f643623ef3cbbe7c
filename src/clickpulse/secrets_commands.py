"""`clickpulse creds` and `clickpulse certs`: what an installation generates once and never commits."""

from __future__ import annotations

from typing import Annotated

import typer

from clickpulse.settings import certs_dir, creds_dir


def register(app: typer.Typer) -> None:
    """Add the commands `creds` and `certs`."""
    app.command("creds")(generate)
    app.command("certs")(issue)


def generate() -> None:
    """Generate the passwords, keys and tokens that are missing; those that exist are kept."""
    from clickpulse.credentials import generate_credentials
    from clickpulse.derived_secrets import derive_files

    written = [*generate_credentials(), *derive_files()]
    for file in written:
        typer.echo(f"written  {file}")
    if not written:
        typer.echo(f"nothing was missing in {creds_dir()}")
    typer.echo("To replace a secret, delete its line, run this again and restart the services that use it.")


def issue(
    renew: Annotated[
        list[str] | None, typer.Option(help="Make this one anew: a server's name, or ca for the CA and all of them.")
    ] = None,
    host: Annotated[
        list[str] | None, typer.Option(help="A further host name or address, in every certificate; kept from then on.")
    ] = None,
) -> None:
    """Make the private CA and the servers' certificates, and renew those that expire soon."""
    from rich.console import Console
    from rich.table import Table

    from clickpulse.certificates import RENEW_DAYS, ensure_certificates

    table = Table("certificate", "expires (UTC)", "", "names")
    for certificate in ensure_certificates(renew=renew or (), hosts=host or ()):
        done = "issued" if certificate.issued else "kept"
        table.add_row(certificate.name, f"{certificate.ends:%Y-%m-%d}", done, ", ".join(certificate.hosts))
    console = Console()
    console.print(table)
    console.print(
        f"In {certs_dir()}. Clients trust ca.crt; keep ca.key off the servers. A certificate is renewed by the first "
        f"run within {RENEW_DAYS} days of its end; restart the services whose certificate was issued."
    )
