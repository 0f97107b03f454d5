"""`python -m deploy setup|deploy|smoke|undeploy STAGE`: what the targets of the same names run."""

import argparse
import sys

from deploy.live import deploy, smoke, take_down
from deploy.setup import set_up
from deploy.stage import StageError

COMMANDS = {"setup": set_up, "deploy": deploy, "smoke": smoke, "undeploy": take_down}


def main() -> int:
    """Run one command; 1 where it fails, with a line on standard error that says why."""
    parser = argparse.ArgumentParser(prog="python -m deploy")
    parser.add_argument("command", choices=COMMANDS)
    parser.add_argument("stage", metavar="STAGE", help="a stage of zappa_settings.json")
    options = parser.parse_args()
    try:
        for line in COMMANDS[options.command](options.stage):
            print(line, flush=True)
    except StageError as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
