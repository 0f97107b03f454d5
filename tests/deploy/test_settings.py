"""`zappa_settings.json`: every stage says what it has to, and names nothing that is not there."""

import ast
import functools
import importlib
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from deploy import policy
from deploy.policy import filled_in
from deploy.stage import SETTINGS, StageError, loaded
from quotes.settings import Settings, variables

OTHERS = ("production", "dev_key", "dev_iam", "dev_auth", "dev_trace", "dev_vpc")
TOPICS = {"dev": "DailyQuoteSubscription"} | {name: f"DailyQuoteSubscription-{name}" for name in OTHERS}
STAGES = tuple(json.loads(SETTINGS.read_text(encoding="utf-8")))


@pytest.fixture(autouse=True)
def _a_laptop(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have credentials, as Zappa wants them to load settings, and no region of one's own."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.chdir(SETTINGS.parent)


_loaded_once = functools.cache(loaded)  # half a second each


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest) -> Any:
    """Return each stage in turn, as Zappa's command line loads it."""
    return _loaded_once(request.param)


def dotted_paths(config: dict[str, Any]) -> Iterator[str]:
    """Give every function that a stage names."""
    for name in ("app_function", "lambda_handler", "exception_handler", "prebuild_script"):
        if name in config:
            yield config[name]
    yield from config.get("callbacks", {}).values()
    yield from (event["function"] for event in config.get("events", []))
    if "authorizer" in config:
        yield config["authorizer"]["function"]


def test_dev_is_the_first_stage_and_production_extends_it():
    assert STAGES[:2] == ("dev", "production")
    assert json.loads(SETTINGS.read_text(encoding="utf-8"))["production"]["extends"] == "dev"


def test_every_function_that_a_stage_names_is_there(stage):
    for path in dotted_paths(stage.stage_config):
        module, _, name = path.rpartition(".")
        if module == "quotes.lambda_handler":  # it can be imported only where Zappa put the stage's settings
            spec = importlib.util.find_spec(module)
            assert spec
            assert spec.origin
            functions = [node.name for node in ast.parse(Path(spec.origin).read_text()).body if hasattr(node, "name")]
            assert name in functions
        else:
            assert callable(getattr(importlib.import_module(module), name))


def test_nothing_that_harms_is_left_to_zappas_defaults(stage):
    config = stage.stage_config

    told = {name: config[name] for name in ("debug", "log_level", "cors", "slim_handler", "binary_support", "touch")}
    assert told == {
        "debug": False,
        "log_level": "INFO",
        "cors": False,
        "slim_handler": False,
        "binary_support": True,
        "touch": False,
    }
    assert config.get("apigateway_version", "v1") == "v1"
    assert "environment_variables" not in config  # they would be in the package


def test_all_instances_share_the_state_and_a_stage_has_its_own(stage):
    bucket, name = stage.s3_bucket_name, stage.api_stage

    assert stage.aws_environment_variables["DATABASE_URL"] == f"s3://{bucket}/{name}/quotes.db"
    assert stage.remote_env == f"s3://{bucket}/{name}/environment.json"
    assert set(stage.aws_environment_variables) <= variables()


def test_the_day_is_stored_at_midnight_and_published_at_two(stage):
    events = {event["function"]: event["expression"] for event in stage.stage_config["events"]}

    assert events == {
        "quotes.schedulers.set_quote_of_the_day": "cron(0 0 * * ? *)",
        "quotes.schedulers.publish_quote_of_the_day": "cron(0 2 * * ? *)",
    }


def test_production_has_what_costs_and_dev_has_not():
    costly = ("domain", "certificate_arn", "route53_enabled", "cache_cluster_enabled", "keep_warm", "dead_letter_arn")
    dev, production = (loaded(name).stage_config for name in ("dev", "production"))

    assert [bool(dev.get(name)) for name in costly] == [False] * len(costly)
    assert [bool(production.get(name)) for name in costly] == [True] * len(costly)
    cache = {name: value for name, value in production.items() if name.startswith("cache_cluster")}
    assert cache == {
        "cache_cluster_enabled": True,
        "cache_cluster_size": 0.5,
        "cache_cluster_ttl": 300,
        "cache_cluster_encrypted": True,
    }


def test_a_stage_that_is_not_there_is_named():
    with pytest.raises(StageError, match=r"^Please define stage 'staging' in your Zappa settings\.$"):
        loaded("staging")


def test_the_policy_grants_each_action_on_the_stages_own_things_alone(stage):
    document = json.loads(filled_in(Path(stage.stage_config["attach_policy"]).read_text(), stage, "111122223333"))

    bucket, name = stage.s3_bucket_name, stage.api_stage
    function = f"arn:aws:lambda:us-east-1:111122223333:function:{stage.lambda_name}"
    expected = {
        ("s3:GetObject", f"arn:aws:s3:::{bucket}/{name}/environment.json"),
        ("s3:GetObject", f"arn:aws:s3:::{bucket}/{name}/quotes.db"),
        ("s3:PutObject", f"arn:aws:s3:::{bucket}/{name}/quotes.db"),
        ("s3:ListBucket", f"arn:aws:s3:::{bucket}"),
        ("lambda:InvokeFunction", function),
        *(
            (f"logs:{action}", f"arn:aws:logs:us-east-1:111122223333:log-group:/aws/lambda/{stage.lambda_name}:*")
            for action in ("CreateLogGroup", "CreateLogStream", "PutLogEvents")
        ),
        *(
            (f"sns:{action}", f"arn:aws:sns:us-east-1:111122223333:{TOPICS[name]}")
            for action in ("CreateTopic", "ListSubscriptionsByTopic", "Publish", "Subscribe")
        ),
        *(
            (f"sns:{action}", "arn:aws:sns:us-east-1:111122223333:UnhandledException")
            for action in ("CreateTopic", "Publish")
        ),
        ("sns:Publish", "anything but arn:aws:sns:*:*:*"),  # numbers, which have no ARN
        ("sns:CheckIfPhoneNumberIsOptedOut", "*"),  # likewise
        ("sns:Unsubscribe", "*"),  # AWS does not hold it against the topic's ARN
        ("xray:PutTraceSegments", "*"),  # "does not support resource-level permissions", says AWS
        ("xray:PutTelemetryRecords", "*"),
    }
    if name == "production":
        expected.add(("sns:Publish", stage.stage_config["dead_letter_arn"]))
    if name == "dev_vpc":
        interfaces = {f"ec2:{action}NetworkInterface" for action in ("Create", "Delete")}
        interfaces |= {f"ec2:{action}PrivateIpAddresses" for action in ("Assign", "Unassign")}
        expected |= {(f"ec2:Describe{what}", "*") for what in ("NetworkInterfaces", "Subnets")}
        expected |= {(action, "*") for action in interfaces}
    granted = set()
    for statement in document["Statement"]:
        actions = statement["Action"] if isinstance(statement["Action"], list) else [statement["Action"]]
        resource = statement.get("Resource") or f"anything but {statement['NotResource']}"
        granted |= {(action, resource) for action in actions}
    assert granted == expected
    assert {statement["Effect"] for statement in document["Statement"]} == {"Allow"}


def test_the_policys_defaults_are_those_of_the_settings():
    ours = (Settings.sms_topic, Settings.sms_region, Settings.alert_topic)
    assert ours == (policy.SMS_TOPIC, policy.SMS_REGION, policy.ALERT_TOPIC)


def test_tasks_that_go_through_sns_are_granted_their_topic():
    stage = loaded("dev")
    stage.zappa_settings["dev"]["async_source"] = "sns"

    document = json.loads(filled_in(Path("deploy/policy.json").read_text(), stage, "111122223333"))

    (statement,) = [each for each in document["Statement"] if each["Sid"] == "TasksThroughSns"]
    assert statement["Resource"] == "arn:aws:sns:us-east-1:111122223333:quotes-dev-zappa-async"


@pytest.mark.parametrize(
    ("variables", "function"),
    [
        ({"QUOTES_TASK_FUNCTION": "tasks"}, "us-east-1:111122223333:function:tasks"),
        ({"QUOTES_TASK_REGION": "eu-west-1"}, "eu-west-1:111122223333:function:quotes-dev"),
        (
            {"QUOTES_TASK_FUNCTION": "arn:aws:lambda:eu-west-1:444455556666:function:tasks"},
            "eu-west-1:444455556666:function:tasks",
        ),
    ],
)
def test_a_function_that_runs_the_tasks_may_be_invoked(variables: dict[str, str], function: str):
    stage = loaded("dev")
    stage.aws_environment_variables |= variables

    document = json.loads(filled_in(Path("deploy/policy.json").read_text(), stage, "111122223333"))

    (statement,) = [each for each in document["Statement"] if each["Sid"] == "TasksInAnotherFunction"]
    assert statement["Resource"] == f"arn:aws:lambda:{function}"


def test_a_stage_whose_state_is_elsewhere_is_granted_no_state_on_s3():
    stage = loaded("dev")
    stage.aws_environment_variables = {}

    document = json.loads(filled_in(Path("deploy/policy.json").read_text(), stage, "111122223333"))

    assert not {"State", "WithoutThisAMissingStateLooksLikeAForbiddenOne"} & {s["Sid"] for s in document["Statement"]}
