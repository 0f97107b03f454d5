"""The policy of the function's role: `policy.json`, with the stage's own names filled in."""

import json
from string import Template
from typing import Any


def fill_in(cli: Any) -> None:
    """Fill the stage's names into the policy that Zappa is about to give the role (`callbacks.settings`).

    Args:
        cli: Zappa's command line, with the stage's settings loaded.
    """
    if cli.command in ("deploy", "update"):
        account = cli.zappa.boto_client("sts").get_caller_identity()["Account"]
        cli.zappa.attach_policy = filled_in(cli.zappa.attach_policy, cli, account)


def filled_in(policy: str, cli: Any, account: str) -> str:
    """Return a policy with the stage's names in it, without what is granted on nothing.

    Args:
        policy: The policy, with `${account}`, `${bucket}`, `${dead_letters}`, `${function}`, `${region}`, `${stage}`.
        cli: Zappa's command line, with the stage's settings loaded.
        account: The number of the AWS account.
    """
    names = {
        "account": account,
        "bucket": cli.s3_bucket_name,
        "dead_letters": cli.stage_config.get("dead_letter_arn", ""),
        "function": cli.lambda_name,
        "region": cli.zappa.aws_region,
        "stage": cli.api_stage,
    }
    document = json.loads(Template(policy).substitute(names))
    document["Statement"] = [statement for statement in document["Statement"] if statement["Resource"]]
    return json.dumps(document, indent=4)
