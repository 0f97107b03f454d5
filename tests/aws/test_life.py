"""The whole life of a stage, by the README's commands as they stand there, in an account that is empty at first."""

import json
import re
import time
from dataclasses import replace
from pathlib import Path

import pytest

from deploy.stage import SETTINGS
from tests.aws.account import Account
from tests.aws.stages import BUCKET, Answer, Stage, cloned, run
from tests.stub_upstream import Upstream

pytest_plugins = ("tests.aws.stages",)

README = (SETTINGS.parent / "README.md").read_text(encoding="utf-8")
COMMANDS = re.findall(
    r"^(?:make (?:setup|deploy|smoke|undeploy)|zappa|source|eval) ?.*$",
    "\n".join(re.findall(r"^```sh\n(.*?)^```", README, re.MULTILINE | re.DOTALL)),
    re.MULTILINE,
)


class Reader:
    """Be somebody who follows the README, and remember which of its commands were run."""

    def __init__(self, account: Account, project: Path) -> None:
        self.account, self.project = account, project
        self.done: list[str] = []

    def does(self, command: str, then: str = "") -> str:
        """Run a command of the README; where it asks something, the answer is yes."""
        assert command in COMMANDS
        self.done.append(command)
        return run(self.account, self.project, f"{command} {then} < <(yes)")

    def stage(self, name: str, said: str) -> Stage:
        url = re.search(r"https://\w+\.execute-api\.us-east-1\.amazonaws\.com/\w+", said)
        assert url
        return Stage(self.account, self.project, name, url[0])


def test_the_readmes_commands_do_what_it_says(tmp_path: Path, upstream: Upstream):
    with Account() as account:
        reader = Reader(account, cloned(tmp_path))
        _add_second_region(reader.project / "zappa_settings.json")
        environment = reader.project / "deploy" / "environment.dev.json"
        environment.write_text(json.dumps({"X_Mashape_Key": "a-secret-of-mine", "Mashape_API_Endpoint": upstream.url}))

        said = reader.does("make setup STAGE=dev")
        assert "zappa_settings.json: now has the bucket" in said
        assert (
            f"s3://{BUCKET}/dev/environment.json: Mashape_API_Endpoint, X_Mashape_Key, from deploy/environment.dev"
            in said
        )
        assert f"bucket {BUCKET}: exists" not in said
        _is_protected(account)
        again = run(account, reader.project, "make setup STAGE=dev")
        assert f"bucket {BUCKET}: exists" in again

        said += reader.does("make deploy STAGE=dev")
        dev = reader.stage("dev", said)
        _is_well(reader, dev, said)
        today = dev.curl("/daily")
        assert today.json["author"] == "Somebody"

        reader.does("source .venv/bin/activate")
        assert "_python_argcomplete zappa" in reader.does('eval "$(register-python-argcomplete zappa)"', "; complete")

        versions = _update_twice(reader, dev)
        assert dev.curl("/daily").body == today.body

        _look(reader, dev, today.headers["etag"])

        assert "Done!" in reader.does("zappa rollback dev -n 1")
        assert dev.curl("/health").json["version"] == versions[-2]
        assert dev.curl("/daily").body == today.body

        _schedule(reader)
        assert dev.curl("/daily").body == today.body

        reader.does("zappa undeploy dev --remove-logs")
        bucket = [
            f"s3 bucket {BUCKET}",
            f"s3 object {BUCKET}/dev/environment.json",
            f"s3 object {BUCKET}/dev/quotes.db",
        ]
        role = "iam role arn:aws:iam::123456789012:role/quotes-dev-ZappaLambdaExecutionRole"
        alerts = f"sns topic arn:aws:sns:us-east-1:{account.number}:UnhandledException"
        assert account.left_behind() == [role, *bucket, alerts]
        assert "role quotes-dev-ZappaLambdaExecutionRole: deleted" in run(
            account, reader.project, "make undeploy STAGE=dev"
        )
        assert account.left_behind() == bucket

        again = reader.stage("dev", reader.does("zappa deploy dev"))
        assert again.url != dev.url
        assert again.curl("/daily").body == today.body  # the state outlives the stage
        topic = _subscribe(again)

        production = _production(reader)
        _second_region(reader, production)
        reader.does("make undeploy STAGE=production")
        _undeploy(reader, topic)
        zone = f"route53 hosted zone {_zone(account)}"
        subscribers, there = account.left_behind()[-2:]
        assert (subscribers.startswith(f"sns subscription {topic}:"), there) == (True, f"sns topic {topic}")
        assert account.left_behind()[:-2] == [zone, *sorted([*bucket, *_buckets_of_others()])]
        _no_secret_was_told(account, said)
    assert set(reader.done) == set(COMMANDS)


def _is_well(reader: Reader, dev: Stage, said: str) -> None:
    assert f"ok  {dev.url}/health  version " in said
    assert re.search(rf"^ok  {dev.url}/quote\?type=daily  .*: .*…$", said, re.MULTILINE)
    smoke = run(reader.account, reader.project, "make smoke STAGE=dev")
    assert [line.split()[1].removeprefix(dev.url) for line in smoke.splitlines() if line.startswith("ok  ")] == [
        "/health",
        "/quote?type=daily",
        "/quote?type=random",
    ]


def _is_protected(account: Account) -> None:
    s3 = account.client("s3")
    assert s3.get_bucket_versioning(Bucket=BUCKET)["Status"] == "Enabled"
    assert set(s3.get_public_access_block(Bucket=BUCKET)["PublicAccessBlockConfiguration"].values()) == {True}
    (rule,) = s3.get_bucket_encryption(Bucket=BUCKET)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}


def _update_twice(reader: Reader, dev: Stage) -> list[str]:
    """Update to two newer versions, by `make` and by `zappa`; return all versions."""
    module = reader.project / "quotes" / "__init__.py"
    versions = [dev.curl("/health").json["version"]]
    for version, command in (("0.2.0.dev1", "make deploy STAGE=dev"), ("0.2.0.dev2", "zappa update dev")):
        module.write_text(module.read_text().replace(versions[-1], version))
        reader.does(command)
        assert dev.curl("/health").json["version"] == version
        versions.append(version)
    return versions


def _look(reader: Reader, dev: Stage, etag: str) -> None:
    """Look at the stage's status and at its log."""
    status = reader.does("zappa status dev")
    assert re.search(rf"API Gateway URL:\s+{dev.url}\n", status)
    assert re.search(r"Lambda Handler:\s+quotes\.lambda_handler\.lambda_handler\n", status)
    dev.curl("/quote?type=daily&secret=42", "--header", f"If-None-Match: {etag}")
    dev.account.functions.discard(dev.arn)
    dev.account.client("s3").put_object(**dev.state, Body=b"no database")
    dev.curl("/daily")
    _restore(dev)

    deadline = time.monotonic() + 10  # Zappa does not ask for what was logged within the current second
    everything = ""
    while "GET /quote 127.0.0.1 304 " not in everything or "unrecorded" not in everything:
        assert time.monotonic() < deadline, everything
        everything = reader.does("zappa tail dev --since 1h --disable-keep-open")
    assert re.search(
        r'"message": "GET /quote 127\.0\.0\.1 304 0 bytes \d+ ms", "route": "/quote", "status": 304, ', everything
    )
    assert re.search(r"The quote of \d{4}-\d\d-\d\d is by ", everything)
    assert "secret" not in everything
    http = reader.does("zappa tail dev --http --disable-keep-open")
    assert "GET /quote 127.0.0.1 304 " in http
    assert "The quote of" not in http
    errors = reader.does("zappa tail dev --filter ERROR --disable-keep-open")
    assert "Today's quote is the corpus's pick, unrecorded" in errors
    assert "GET /quote 127.0.0.1 304 " not in errors


def _restore(dev: Stage) -> None:
    """Bring the version of the state back that was overwritten, as the bucket keeps it."""
    s3 = dev.account.client("s3")
    versions = s3.list_object_versions(Bucket=BUCKET, Prefix=dev.state["Key"])["Versions"]
    body = s3.get_object(**dev.state, VersionId=versions[1]["VersionId"])["Body"].read()
    s3.put_object(**dev.state, Body=body)
    dev.account.functions.discard(dev.arn)


def _production(reader: Reader) -> Stage:
    """Deploy the other stage, with a domain of its own."""
    account = reader.account
    account.client("route53").create_hosted_zone(Name="example.com", CallerReference="test")
    run(account, reader.project, "make setup STAGE=production")
    said = run(account, reader.project, "make deploy STAGE=production")
    production = reader.stage("production", said)
    assert "Certificate updated!" in reader.does("zappa certify production --yes")
    domain = Stage(account, reader.project, "production", "https://quotes.example.com")
    assert domain.curl("/daily").body == production.curl("/daily").body
    gateway = account.client("apigateway")
    api = production.url.removeprefix("https://").partition(".")[0]
    (stage,) = gateway.get_stages(restApiId=api)["item"]
    caching = {path: settings["cachingEnabled"] for path, settings in stage["methodSettings"].items()}
    assert (stage["cacheClusterEnabled"], caching) == (True, {"*/*": False, "~1daily/GET": True})
    _cache_is_right(production)
    rules = {rule["Name"] for rule in account.client("events").list_rules(NamePrefix="quotes-production")["Rules"]}
    assert "quotes-production-zappa-keep-warm-handler.keep_warm_callback" in rules
    account.fire("quotes-production-zappa-keep-warm-handler.keep_warm_callback")
    account.functions.join()
    return production


def _subscribe(dev: Stage) -> str:
    """Subscribe a number; return the ARN of the topic."""
    account, asked = dev.account, dev.curl("/subscribe?mobile=919028012345")
    account.functions.join()
    (text,) = account.phones.received
    confirmed = dev.curl(f"/subscribe?mobile=919028012345&otp={text.text[:6]}")
    account.functions.join()
    assert (asked.status, confirmed.status) == (202, 200)
    (topic,) = account.client("sns").list_topics()["Topics"]
    return str(topic["TopicArn"])


def _undeploy(reader: Reader, topic: str) -> None:
    """Take the first stage down, and be told what stays."""
    said = run(reader.account, reader.project, "make undeploy STAGE=dev < <(yes)")
    assert said.splitlines()[-2:] == [
        f"topic {topic}: stays, with the subscribed numbers; delete it yourself",
        f"bucket {BUCKET}: stays, with the record of days; to delete it, empty it first",
    ]


def _schedule(reader: Reader) -> None:
    """Run the job by hand, stop its rule, and make it again."""
    account, job = reader.account, "quotes.schedulers.set_quote_of_the_day"
    assert "None" in reader.does(f"zappa invoke dev {job}")
    assert account.client("events").list_rules()["Rules"] != []
    reader.does("zappa unschedule dev")
    assert account.client("events").list_rules()["Rules"] == []
    reader.does("zappa schedule dev")
    account.fire(f"quotes-dev-{job}", times=2)
    account.functions.join()


def _zone(account: Account) -> str:
    (zone,) = account.client("route53").list_hosted_zones()["HostedZones"]
    return zone["Id"]


def _buckets_of_others() -> list[str]:
    """Return what stays of the other stages."""
    region = f"{BUCKET}-eu-central-1"
    objects = (f"{BUCKET}/production/environment.json", f"{BUCKET}/production/quotes.db")
    objects += (f"{region}/frankfurt/environment.json",)
    return [f"s3 bucket {region}", *(f"s3 object {name}" for name in objects)]


def _cache_is_right(production: Stage) -> None:
    """Ask for what may be kept and for what may not."""

    def invocations() -> int:
        lines = production.account.logs("quotes-production")
        return sum(line.startswith("REPORT") for line in lines)

    def both() -> list[Answer]:
        """Ask for both forms; when it answered, the gateway says itself."""
        found = [production.curl("/daily"), production.curl("/daily", "--header", "Accept: text/plain")]
        return [replace(answer, headers=answer.headers | {"date": ""}) for answer in found]

    answers = both()
    before = invocations()
    assert both() == answers
    assert invocations() == before
    not_modified = ("--header", f"If-None-Match: {answers[0].headers['etag']}")
    assert [production.curl("/daily", *not_modified).status, production.curl("/daily").status] == [304, 200]
    assert production.curl("/daily?format=text").body == answers[1].body != answers[0].body
    before = invocations()
    assert len({production.curl("/quote?type=random").body for _ in range(6)}) > 2
    assert production.curl("/quote?type=daily").body == answers[0].body
    assert invocations() == before + 7


def _add_second_region(settings: Path) -> None:
    """Add the README's stage to those that are there."""
    (stage,) = re.findall(r"^```json\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
    settings.write_text(json.dumps(json.loads(settings.read_text()) | json.loads(f"{{{stage}}}")))


def _second_region(reader: Reader, first: Stage) -> None:
    """Deploy the README's stage; it has the quote of the first region, whatever its own upstream would say."""
    elsewhere = {"AWS_DEFAULT_REGION": "us-east-1"}
    ended = reader.account.run(reader.project, "make", "setup", "STAGE=frankfurt", **elsewhere)
    assert "setup: The stage is in eu-central-1, but AWS_DEFAULT_REGION is us-east-1" in ended.stdout
    run(reader.account, reader.project, "unset AWS_DEFAULT_REGION; make setup STAGE=frankfurt")
    said = run(reader.account, reader.project, "unset AWS_DEFAULT_REGION; make deploy STAGE=frankfurt")
    url = re.search(r"https://\w+\.execute-api\.eu-central-1\.amazonaws\.com/frankfurt", said)
    assert url
    assert Stage(reader.account, reader.project, "frankfurt", url[0]).curl("/daily").body == first.curl("/daily").body
    run(reader.account, reader.project, "unset AWS_DEFAULT_REGION; make undeploy STAGE=frankfurt < <(yes)")


def _no_secret_was_told(account: Account, said: str) -> None:
    assert "a-secret-of-mine" not in said
    assert not [line for line in account.logs("quotes-dev") if "a-secret-of-mine" in line]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("{", "deploy/environment.dev.json: is not JSON"),
        ('["a"]', 'deploy/environment.dev.json: is not of the form {"NAME": "value"}'),
        ('{"PORT": 8000}', 'deploy/environment.dev.json: is not of the form {"NAME": "value"}'),
        ('{"Mashape_Key": "secret"}', "deploy/environment.dev.json: Mashape_Key: no such setting"),
        ('{"DATABASE_URL": "mysql://me:secret@h/n"}', "deploy/environment.dev.json: DATABASE_URL: starts with none of"),
        ('{"QUOTES_JWT_KEY": "a secret"}', "deploy/environment.dev.json: QUOTES_JWT_KEY: needs at least 32 char"),
        (
            '{"QUOTES_JWT_ALGORITHM": "RS256"}',
            "QUOTES_JWT_ALGORITHM: belongs in aws_environment_variables in zappa_s",
        ),
    ],
)
def test_an_environment_that_cannot_be_used_is_refused_before_anything_is_made(account, tmp_path, content, told):
    project = cloned(tmp_path)
    (project / "deploy" / "environment.dev.json").write_text(content)
    before = account.calls

    ended = account.run(project, "make", "setup", "STAGE=dev")

    assert ended.returncode != 0
    assert told in ended.stdout
    assert "secret" not in ended.stdout
    assert "Traceback" not in ended.stdout
    assert account.calls == before


def test_a_stage_that_is_not_there_is_named(account, tmp_path):
    ended = account.run(cloned(tmp_path), "make", "deploy", "STAGE=staging")

    assert ended.returncode != 0
    assert "deploy: Please define stage 'staging' in your Zappa settings." in ended.stdout


@pytest.mark.parametrize(
    ("command", "stage"),
    [("setup", "dev"), ("smoke", "dev"), ("keys", "dev_key"), ("dead-letters", "production"), ("retry", "production")],
)
def test_without_credentials_the_deployer_is_told_so(account, tmp_path, command, stage):
    none = {"AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    ended = account.run(cloned(tmp_path), "make", "--silent", command, f"STAGE={stage}", **none)

    assert ended.returncode != 0
    assert ended.stdout.startswith(f"{command}: AWS: Unable to locate credentials. Run `aws configure`, or set AWS_")
    assert "Traceback" not in ended.stdout


def test_a_stage_that_is_not_deployed_is_not_asked(account, tmp_path):
    ended = account.run(cloned(tmp_path), "make", "--silent", "smoke", "STAGE=dev_trace")

    assert ended.returncode != 0
    assert ended.stdout.startswith("smoke: The stage dev_trace is not deployed: run `make deploy STAGE=dev_trace`.\n")
