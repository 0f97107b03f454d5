"""Take a stage down."""

from collections.abc import Iterator
from typing import Any

from deploy import dead_letters, keys, policy, stage


def undeploy(name: str) -> Iterator[str]:
    """Take a stage down, after asking, with everything made for it except the bucket and the topic of subscribers.

    Args:
        name: The stage's name.

    Raises:
        StageError: Zappa failed.
    """
    cli = stage.loaded(name)
    if stage.is_deployed(cli):
        yield from stage.zappa("undeploy", name, "--remove-logs")
        if stage.is_deployed(cli):  # the answer was no
            return
    yield from keys.remove_all(cli)
    yield from _remove_domain(cli)
    yield from _remove_role(cli.zappa)
    yield from dead_letters.remove(cli)
    yield from _topics(cli)
    yield f"bucket {cli.s3_bucket_name}: stays, with the record of days; to delete it, empty it first"


def _remove_role(zappa: Any) -> Iterator[str]:
    role = zappa.iam.Role(zappa.role_name)
    try:
        for granted in role.policies.all():
            granted.delete()
        role.delete()
    except zappa.iam.meta.client.exceptions.NoSuchEntityException:
        return
    yield f"role {zappa.role_name}: deleted"


def _topics(cli: Any) -> Iterator[str]:
    """Delete the topic of tasks and an unused one for alerts; only mention the one with subscribers."""
    account, region = cli.zappa.boto_client("sts").get_caller_identity()["Account"], cli.zappa.boto_session.region_name
    if cli.stage_config.get("async_source") == "sns":
        # Zappa finds it only among the account's first hundred subscriptions.
        tasks = f"arn:aws:sns:{region}:{account}:{cli.lambda_name}-zappa-async"
        cli.zappa.boto_client("sns").delete_topic(TopicArn=tasks)
        yield f"topic {tasks}: deleted"
    yield from _alerts(cli.zappa.boto_client("sns"), policy.alert_topic(cli, account))
    topic = policy.sms_topic(cli, account)
    sns = cli.zappa.boto_session.client("sns", region_name=topic.split(":")[3])
    try:
        sns.get_topic_attributes(TopicArn=topic)
    except sns.exceptions.NotFoundException:
        return
    yield f"topic {topic}: stays, with the subscribed numbers; delete it yourself"


def _alerts(sns: Any, topic: str) -> Iterator[str]:
    """Delete the topic of unhandled exceptions if nobody subscribes; another stage that uses it creates it again."""
    try:
        listening = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    except sns.exceptions.NotFoundException:
        return
    if listening:
        yield f"topic {topic}: stays, with its subscribers; delete it yourself"
        return
    sns.delete_topic(TopicArn=topic)
    yield f"topic {topic}: deleted"


def _remove_domain(cli: Any) -> Iterator[str]:
    """Delete the stage's domain name and its DNS records, unless another API is mapped to it."""
    domain, gateway = cli.stage_config.get("domain"), cli.zappa.apigateway_client
    if not domain:
        return
    try:
        names = gateway.get_domain_name(domainName=domain)
    except gateway.exceptions.NotFoundException:
        return
    if gateway.get_base_path_mappings(domainName=domain).get("items"):
        yield f"domain {domain}: stays, because another API is mapped to it"
        return
    zone = cli.stage_config.get("route53_enabled", True) and cli.zappa.get_hosted_zone_id_for_domain(domain)
    if zone:
        targets = {names.get("distributionDomainName"), names.get("regionalDomainName")}
        for record in _records(cli.zappa.route53, zone, domain):
            values = {value["Value"] for value in record.get("ResourceRecords", ())}
            if targets & (values | {record.get("AliasTarget", {}).get("DNSName", "").rstrip(".")}):
                change = {"Changes": [{"Action": "DELETE", "ResourceRecordSet": record}]}
                cli.zappa.route53.change_resource_record_sets(HostedZoneId=zone, ChangeBatch=change)
    gateway.delete_domain_name(domainName=domain)
    yield f"domain {domain}: deleted"


def _records(route53: Any, zone: str, domain: str) -> list[Any]:
    pages = route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone)
    return [record for page in pages for record in page["ResourceRecordSets"] if record["Name"] == f"{domain}."]
