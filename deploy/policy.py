"""The policy of the function's role: `policy.json`, with the stage's names filled in."""

import json
from string import Template
from typing import Any

# The defaults of quotes/settings.py, which cannot be imported where Zappa runs this.
SMS_TOPIC, SMS_REGION, ALERT_TOPIC = "DailyQuoteSubscription", "us-east-1", "UnhandledException"


def fill_in(cli: Any) -> None:
    """Fill the stage's names into the policy that Zappa will attach to the role (`callbacks.settings`).

    Args:
        cli: Zappa's command line, with the stage's settings loaded.
    """
    if cli.command in ("deploy", "update"):
        account = cli.zappa.boto_client("sts").get_caller_identity()["Account"]
        cli.zappa.attach_policy = filled_in(cli.zappa.attach_policy, cli, account)


def filled_in(policy: str, cli: Any, account: str) -> str:
    """Return a policy with the stage's names, without the statements about what the stage does not have.

    Args:
        policy: The policy, with `${…}` for the names below.
        cli: Zappa's command line, with the stage's settings loaded.
        account: The number of the AWS account.
    """
    variables, region = cli.aws_environment_variables, cli.zappa.boto_session.region_name
    state = _object_arn(variables.get("DATABASE_URL", ""))
    task_function, task_region = (variables.get(f"QUOTES_TASK_{name}", "") for name in ("FUNCTION", "REGION"))
    place, tasks = f"{task_region or region}:{account}", task_function or cli.lambda_name
    is_sns, is_elsewhere = cli.stage_config.get("async_source") == "sns", bool(task_function or task_region)
    names = {
        "account": account,
        "region": region,
        "function": cli.lambda_name,
        "environment": _object_arn(cli.remote_env or ""),
        "state": state,
        "state_bucket": state.partition("/")[0],
        "sms_topic": sms_topic(cli, account),
        "task_topic": f"arn:aws:sns:{place}:{tasks}-zappa-async" if is_sns else "",
        "task_function": _function_arn(tasks, place) if is_elsewhere and not is_sns else "",
        "alert_topic": alert_topic(cli, account),
        "vpc": "*"
        if cli.stage_config.get("vpc_config")
        else "",  # Lambda requires this (AWSLambdaVPCAccessExecutionRole)
        "dead_letters": cli.stage_config.get("dead_letter_arn", ""),
    }
    document = json.loads(Template(policy).substitute(names))
    document["Statement"] = [statement for statement in document["Statement"] if statement.get("Resource") != ""]
    return json.dumps(document, indent=4)


def sms_topic(cli: Any, account: str) -> str:
    """Return the ARN of the topic with a stage's subscribers.

    Args:
        cli: Zappa's command line, with the stage's settings loaded.
        account: The number of the AWS account.
    """
    region, name = (cli.aws_environment_variables.get(f"QUOTES_SMS_{name}") for name in ("REGION", "TOPIC"))
    return f"arn:aws:sns:{region or SMS_REGION}:{account}:{name or SMS_TOPIC}"


def alert_topic(cli: Any, account: str) -> str:
    """Return the ARN of the topic that gets a stage's unhandled exceptions.

    Args:
        cli: Zappa's command line, with the stage's settings loaded.
        account: The number of the AWS account.
    """
    name = cli.aws_environment_variables.get("QUOTES_ALERT_TOPIC") or ALERT_TOPIC
    return f"arn:aws:sns:{cli.zappa.boto_session.region_name}:{account}:{name}"


def _function_arn(function: str, place: str) -> str:
    return function if function.startswith("arn:") else f"arn:aws:lambda:{place}:function:{function}"


def _object_arn(url: str) -> str:
    return f"arn:aws:s3:::{url.removeprefix('s3://')}" if url.startswith("s3://") else ""
