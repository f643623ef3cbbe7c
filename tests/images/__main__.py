"""Build the images with Buildah and run their entry points: what of them can be tried without a Docker engine.

    sudo .venv/bin/python -m tests.images --root-files debian.tar [IMAGE…]
    sudo .venv/bin/python -m tests.images --root-files debian.tar --tests producer
    sudo .venv/bin/python -m tests.images --root-files debian.tar --load

The last gives every image to a Docker engine that can pull none, and builds those besides that stand in for what would
be pulled; `CLICKPULSE_TEST_PREBUILT=true CLICKPULSE_TEST_STAND_INS=true clickpulse test docker` starts them.

Needs root, Buildah, network for the builds, and the files of a Debian 12 with Python and pip in place of the image
python:3.11-slim:

    debootstrap --variant=minbase --include=python3,python3-pip,python3-venv,ca-certificates bookworm debian
    tar -C debian -cf debian.tar .

Services run as docker-compose.yml describes them (entry point, variables, secrets, user, health check), in one network
namespace that reaches nothing else. What a chroot doesn't give isn't tried: memory limits, the read-only root, the
networks between the services. No part of the ordinary test run.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import typer

from clickpulse.service_tests import read_table
from clickpulse.settings import PROJECT_ROOT
from tests.images.buildah import BASE, build, load, make_base, output
from tests.images.compose_model import Build, ComposeModel
from tests.images.run_services import EMBEDDED_SINK, MAIN, MAKES_SECRETS, SUBMIT, run_all, run_tests, test_file

LONG = {"s3", "connect", "airflow-submit"}
"""Built only by name: MinIO is compiled for some minutes, Connect needs the connector's archive, and what submits to
Spark is Airflow's image with Java.
"""

_STAND_INS_FOLDER = "tests/compose/stand_ins"
STAND_INS = {
    f"stand-in-{target}": Build(
        f"localhost/clickpulse/stand-in-{target}:latest",
        f"{_STAND_INS_FOLDER}/Dockerfile",
        target,
        {"PYTHON_IMAGE": ""},
        _STAND_INS_FOLDER,
    )
    for target in ("postgres", "redis")
}
"""In place of images that would have to be pulled."""


def main() -> int:
    options = _options()
    if os.geteuid() != 0:
        typer.echo("error: Buildah's chroot needs root", err=True)
        return 1
    if options.run:
        output("ip", "link", "set", "lo", "up")
        if options.tests:
            run_tests(options.tests, options.folder)
        else:
            run_all(options.images, options.folder)
        return 0
    builds, wanted = _wanted(options)
    with tempfile.TemporaryDirectory(prefix="clickpulse-images-") as folder:
        Path(folder).chmod(0o755)
        make_base(options.root_files, options.certificates)
        for name in wanted:
            one = builds[name]
            began = time.monotonic()
            log = Path(folder, f"{name}.log")
            megabytes = build(one.image, PROJECT_ROOT / one.context, one.dockerfile, one.target, one.arguments, log)
            typer.echo(f"built {name:18} {time.monotonic() - began:5.0f} s {megabytes:7.0f} MB")
            if options.load:
                load(one.image)
        if options.load:
            return 0
        run = ["unshare", "--net", sys.executable, "-m", "tests.images", "--run", "--folder", folder]
        chosen = ["--tests", options.tests] if options.tests else wanted
        status = subprocess.call([*run, *chosen], cwd=PROJECT_ROOT)
    if not options.keep:
        for name in wanted:
            output("buildah", "rmi", "--force", builds[name].image)
        output("buildah", "rmi", "--force", BASE)
        output("buildah", "rmi", "--prune", "--force")  # the stages that images were copied from, which have no name
    return status


def _wanted(options: argparse.Namespace) -> tuple[dict[str, Build], list[str]]:
    """How every image is built, and which of them are asked for."""
    builds = ComposeModel(*SUBMIT).builds() | ComposeModel(MAIN).builds()
    if options.load:
        builds |= STAND_INS
        for service in read_table():
            builds |= ComposeModel(test_file(service)).builds()
        builds = ComposeModel(*EMBEDDED_SINK).builds() | builds
        return builds, options.images or sorted(name for name, one in builds.items() if one.on_python)
    if not options.tests:
        quick = sorted(name for name, one in builds.items() if one.on_python and name not in LONG)
        return builds, options.images or quick
    model = ComposeModel(test_file(options.tests))
    builds |= model.builds()
    images = {model.image(service) for service in (*model.needed_for("tests"), "tests")}
    if pulled := {name for name in images if name not in builds or not builds[name].on_python}:
        raise SystemExit(f"error: the tests of {options.tests} need images that have to be pulled: {sorted(pulled)}")
    return builds, sorted(images | {MAKES_SECRETS})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m tests.images", description=__doc__.split("\n")[0] if __doc__ else ""
    )
    parser.add_argument("images", nargs="*", metavar="IMAGE", help="such as producer; all that are quick where none")
    parser.add_argument("--root-files", type=Path, help="tar archive of a Debian 12 with Python 3.11 and pip")
    parser.add_argument("--certificates", type=Path, help="PEM file that builds trust, behind a proxy with its own CA")
    parser.add_argument("--tests", metavar="SERVICE", help="instead: this service's tests in their container")
    parser.add_argument("--load", action="store_true", help="instead of running them: give the images to Docker")
    parser.add_argument("--keep", action="store_true", help="keep the images")
    parser.add_argument("--run", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if not options.run and options.root_files is None:
        parser.error("--root-files is needed")
    return options


if __name__ == "__main__":
    sys.exit(main())
