"""Everything that exists in an account, for a test that nothing is left behind."""

from collections.abc import Iterator
from typing import Any, Protocol

# Service, pageable operation, the list in its answer, and an element's name.
LISTS = (
    ("acm", "list_certificates", "CertificateSummaryList", "CertificateArn"),
    ("apigateway", "get_api_keys", "items", "id"),
    ("apigateway", "get_domain_names", "items", "domainName"),
    ("apigateway", "get_rest_apis", "items", "id"),
    ("apigateway", "get_usage_plans", "items", "id"),
    ("cloudformation", "list_exports", "Exports", "Name"),
    ("cloudformation", "describe_stacks", "Stacks", "StackId"),
    ("dynamodb", "list_tables", "TableNames", ""),
    ("events", "list_rules", "Rules", "Arn"),
    ("iam", "list_roles", "Roles", "Arn"),
    ("lambda", "list_event_source_mappings", "EventSourceMappings", "UUID"),
    ("lambda", "list_functions", "Functions", "FunctionArn"),
    ("logs", "describe_log_groups", "logGroups", "arn"),
    ("route53", "list_hosted_zones", "HostedZones", "Id"),
    ("s3", "list_buckets", "Buckets", "Name"),
    ("sns", "list_subscriptions", "Subscriptions", "SubscriptionArn"),
    ("sns", "list_topics", "Topics", "TopicArn"),
    ("sqs", "list_queues", "QueueUrls", ""),
)


class HasClients(Protocol):
    """Create boto3 clients."""

    def client(self, service: str) -> Any:
        """Return a client."""


def left_behind(account: HasClients) -> list[str]:
    """Return everything that exists, including the contents of buckets and zones: service, kind and name, sorted."""
    return sorted([*_listed(account), *_objects(account.client("s3")), *_records(account.client("route53"))])


def _listed(account: HasClients) -> Iterator[str]:
    for service, operation, key, name in LISTS:
        client = account.client(service)
        for page in client.get_paginator(operation).paginate():
            for found in page.get(key, []):
                kind = operation.partition("_")[2].removesuffix("s").replace("_", " ")
                yield f"{service} {kind} {found[name] if name else found}"
    client = account.client("iam")
    for page in client.get_paginator("list_policies").paginate(Scope="Local"):
        yield from (f"iam policy {policy['Arn']}" for policy in page["Policies"])


def _objects(s3: Any) -> Iterator[str]:
    for bucket in s3.list_buckets()["Buckets"]:
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket["Name"]):
            yield from (f"s3 object {bucket['Name']}/{found['Key']}" for found in page.get("Contents", []))


def _records(route53: Any) -> Iterator[str]:
    for zone in route53.list_hosted_zones()["HostedZones"]:
        for page in route53.get_paginator("list_resource_record_sets").paginate(HostedZoneId=zone["Id"]):
            for record in page["ResourceRecordSets"]:
                if record["Type"] not in ("NS", "SOA"):  # which every zone has
                    yield f"route53 record {record['Name']} {record['Type']}"
