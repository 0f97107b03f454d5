"""`python -m deploy setup|deploy|smoke|undeploy|… STAGE`: the commands behind the Makefile's targets of these names."""

import argparse
import sys

from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError

from deploy import dead_letters, keys
from deploy.live import deploy, smoke
from deploy.setup import set_up
from deploy.stage import StageError
from deploy.undeploy import undeploy

COMMANDS = {
    "setup": (set_up, "prepare your AWS account for a stage; safe to repeat"),
    "deploy": (deploy, "deploy or update a stage, then check it"),
    "smoke": (smoke, "check a live stage: its health and two quotes"),
    "undeploy": (undeploy, "take a stage down, after asking"),
    "keys": (keys.listed, "list who has an API key"),
    "dead-letters": (dead_letters.listed, "list the events that failed for good"),
    "retry": (dead_letters.retry, "handle those events again"),
}
OF_SOMEBODY = {
    "key": (keys.make, "create an API key for NAME and print it, once"),
    "revoke": (keys.revoke, "delete NAME's API key"),
}
NO_CREDENTIALS = ". Run `aws configure`, or set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."


def main() -> int:
    """Run one command; return 1 if it fails, with a line on standard error that says why."""
    options = _parser().parse_args()
    if options.command in OF_SOMEBODY:
        said = OF_SOMEBODY[options.command][0](options.stage, options.name)
    else:
        said = COMMANDS[options.command][0](options.stage)
    try:
        for line in said:
            print(line, flush=True)
    except StageError as error:
        problem = str(error)
    except (BotoCoreError, ClientError) as error:
        problem = f"AWS: {error}{NO_CREDENTIALS if isinstance(error, NoCredentialsError) else ''}"
    else:
        return 0
    print(f"{options.command}: {problem}", file=sys.stderr)
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy", description="Run the service on AWS.")
    commands = parser.add_subparsers(dest="command", metavar="command", required=True)
    for name, (_, meaning) in (COMMANDS | OF_SOMEBODY).items():
        command = commands.add_parser(name, help=meaning, description=f"{meaning[0].upper()}{meaning[1:]}.")
        command.add_argument("stage", metavar="STAGE", help="a stage in zappa_settings.json")
        if name in OF_SOMEBODY:
            command.add_argument("name", metavar="NAME", nargs="?", default="", help="whose key, such as alice")
    return parser


if __name__ == "__main__":
    sys.exit(main())
