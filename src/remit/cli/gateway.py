"""`remit gateway`: runs a policy's gateway until it is told to stop (`serving` says how it is told)."""

import argparse
from pathlib import Path

from remit.cli.command import Command, listen_address


def _arguments(parser: argparse.ArgumentParser) -> None:
    from remit.cli.logs import LEVELS

    parser.add_argument("policy", metavar="POLICY", help="the policy file")
    parser.add_argument(
        "--listen", metavar="HOST:PORT", type=listen_address, help="listen here, not where the policy says; port 0: any"
    )
    parser.add_argument(
        "--log-level", choices=LEVELS, default="info", help="what the log on stderr tells (default: info)"
    )


def _run(arguments: argparse.Namespace) -> int:
    from remit.cli.failures import warn_of_policy
    from remit.cli.logs import log_to_stderr
    from remit.cli.serving import serve
    from remit.wiring import Service

    log_to_stderr(arguments.log_level)
    service = Service(Path(arguments.policy), listen=arguments.listen)
    warn_of_policy(str(service.path), service.warnings)
    return serve(service)


COMMANDS = (
    Command(
        words="gateway",
        help="run the gateway of a policy until it is told to stop",
        example="remit gateway payments.yaml --listen 127.0.0.1:8080",
        about="SIGTERM or Ctrl-C ends it after the running calls (a second one cuts them); SIGHUP reads the policy again.",
        arguments=_arguments,
        run=_run,
    ),
)
