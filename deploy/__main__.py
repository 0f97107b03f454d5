"""`python -m deploy setup|deploy|smoke|undeploy|… STAGE`: what the targets of the same names run."""

import argparse
import sys

from deploy import dead_letters, keys
from deploy.live import deploy, smoke
from deploy.setup import set_up
from deploy.stage import StageError
from deploy.undeploy import undeploy

COMMANDS = {
    "setup": set_up,
    "deploy": deploy,
    "smoke": smoke,
    "undeploy": undeploy,
    "keys": keys.listed,
    "dead-letters": dead_letters.listed,
    "retry": dead_letters.retry,
}
OF_SOMEBODY = {"key": keys.make, "revoke": keys.revoke}


def main() -> int:
    """Run one command; 1 where it fails, with a line on standard error that says why."""
    parser = argparse.ArgumentParser(prog="python -m deploy")
    parser.add_argument("command", choices=[*COMMANDS, *OF_SOMEBODY])
    parser.add_argument("stage", metavar="STAGE", help="a stage of zappa_settings.json")
    parser.add_argument("name", metavar="NAME", nargs="?", default="", help="whose key (key, revoke)")
    options = parser.parse_args()
    of_somebody = OF_SOMEBODY.get(options.command)
    said = of_somebody(options.stage, options.name) if of_somebody else COMMANDS[options.command](options.stage)
    try:
        for line in said:
            print(line, flush=True)
    except StageError as error:
        print(f"{options.command}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
