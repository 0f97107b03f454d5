"""The policy of the function's role: `policy.json`, with the stage's own names filled in."""

import json
from string import Template
from typing import Any

SMS_TOPIC, SMS_REGION = "DailyQuoteSubscription", "us-east-1"  # as in quotes/settings.py, which Zappa does not find


def fill_in(cli: Any) -> None:
    """Fill the stage's names into the policy that Zappa is about to give the role (`callbacks.settings`).

    Args:
        cli: Zappa's command line, with the stage's settings loaded.
    """
    if cli.command in ("deploy", "update"):
        account = cli.zappa.boto_client("sts").get_caller_identity()["Account"]
        cli.zappa.attach_policy = filled_in(cli.zappa.attach_policy, cli, account)


def filled_in(policy: str, cli: Any, account: str) -> str:
    """Return a policy with the stage's names in it; a statement about what the stage does not have is left out.

    Args:
        policy: The policy, with `$` and the names below.
        cli: Zappa's command line, with the stage's settings loaded.
        account: The number of the AWS account.
    """
    variables, region = cli.aws_environment_variables, cli.zappa.boto_session.region_name
    state = _object_arn(variables.get("DATABASE_URL", ""))
    sms_region, sms_topic = (variables.get(f"QUOTES_SMS_{name}") for name in ("REGION", "TOPIC"))
    is_sns = cli.stage_config.get("async_source") == "sns"
    names = {
        "account": account,
        "region": region,
        "function": cli.lambda_name,
        "environment": _object_arn(cli.remote_env or ""),
        "state": state,
        "state_bucket": state.partition("/")[0],
        "sms_topic": f"arn:aws:sns:{sms_region or SMS_REGION}:{account}:{sms_topic or SMS_TOPIC}",
        "task_topic": f"arn:aws:sns:{region}:{account}:{cli.lambda_name}-zappa-async" if is_sns else "",
        "dead_letters": cli.stage_config.get("dead_letter_arn", ""),
    }
    document = json.loads(Template(policy).substitute(names))
    document["Statement"] = [statement for statement in document["Statement"] if statement.get("Resource") != ""]
    return json.dumps(document, indent=4)


def _object_arn(url: str) -> str:
    return f"arn:aws:s3:::{url.removeprefix('s3://')}" if url.startswith("s3://") else ""
