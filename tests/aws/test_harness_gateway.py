"""The emulated API Gateway knows what is deployed, whom it may call, and says so when something is wrong."""

import json
import socket
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.aws.account import Account
from tests.aws.curled import Answer, returning
from tests.aws.hand_made import ECHO, EVERYTHING_IS_BINARY, Api, HandMade

Asks = Callable[..., Answer]


def refused(message: str) -> bytes:
    return json.dumps({"message": message}).encode()


def test_what_does_not_exist_is_forbidden(ask: Asks, echo: Api):
    url = echo.url
    missing = (403, refused("Missing Authentication Token"))

    answer = ask(url.replace("/dev", "/prod"))
    assert (answer.status, answer.body) == missing
    assert answer.header("x-amzn-errortype") == ["MissingAuthenticationTokenException"]
    assert ask(f"{url.removesuffix('/dev')}/")[::2] == missing
    assert ask("https://nowhere.execute-api.us-east-1.amazonaws.com/dev")[::2] == (403, refused("Forbidden"))


def test_a_resource_without_a_method_for_it_is_missing(ask: Asks, account: Account, made: HandMade):
    url = made.api(made.function("only", ECHO), "only", ("there",)).url

    assert ask(f"{url}/there").status == 200
    assert ask(f"{url}/elsewhere")[::2] == (403, refused("Missing Authentication Token"))


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 200},
        {"statusCode": "two hundred"},
        {"statusCode": 200, "body": {"no": "string"}},
        {"statusCode": 200, "headers": {"X-List": ["1"]}},
        {"statusCode": 200, "body": "no Base64!", "isBase64Encoded": True},
    ],
)
def test_an_answer_that_is_not_understood_is_a_bad_gateway(
    ask: Asks, made: HandMade, answering: Api, answer: dict[str, Any]
):
    made.patch(answering, EVERYTHING_IS_BINARY)

    assert ask(*returning(f"{answering.url}/", **answer))[::2] == (502, refused("Internal server error"))


def test_an_error_of_the_function_is_a_bad_gateway(ask: Asks, answering: Api):
    assert ask(f"{answering.url}/?answer=no-json")[::2] == (502, refused("Internal server error"))


def test_a_function_that_the_gateway_may_not_invoke_is_an_error_of_the_gateway(
    ask: Asks, account: Account, made: HandMade
):
    arn = made.function("closed", ECHO)
    api, url = made.api(arn, "")

    assert ask(url)[::2] == (500, refused("Internal server error"))
    account.client("lambda").add_permission(
        FunctionName="closed",
        StatementId="gateway",
        Action="lambda:InvokeFunction",
        Principal="apigateway.amazonaws.com",
        SourceArn=f"arn:aws:execute-api:us-east-1:123456789012:{api}/*/*",
    )
    assert ask(url).status == 200


def test_a_function_that_takes_too_long_is_a_gateway_timeout(ask: Asks, made: HandMade):
    source = """
import socket
def handler(event, context):
    socket.create_connection(("127.0.0.1", int(event["queryStringParameters"]["port"]))).recv(1)
    return {"statusCode": 200}
"""
    url = made.api(made.function("late", source), "late", timeoutInMillis=200).url
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]

        answer = ask(f"{url}/?port={port}")

        listening.settimeout(10)
        listening.accept()[0].close()  # which ends the invocation
    assert answer[::2] == (504, refused("Endpoint request timed out"))


def test_a_change_is_served_once_it_is_deployed(ask: Asks, account: Account, echo: Api):
    api, url = echo
    gateway = account.client("apigateway")
    gateway.update_rest_api(restApiId=api, patchOperations=[{"op": "add", "path": "/binaryMediaTypes/*~1*"}])

    assert json.loads(ask(url, "--data-binary", "text").body)["isBase64Encoded"] is False
    gateway.create_deployment(restApiId=api, stageName="dev")
    assert json.loads(ask(url, "--data-binary", "text").body)["isBase64Encoded"] is True


def test_a_custom_domain_leads_to_a_stage_and_base_paths_stay_in_the_path(ask: Asks, account: Account, echo: Api):
    api = echo.id
    gateway, domain = account.client("apigateway"), "quotes.example.org"
    gateway.create_domain_name(domainName=domain, certificateName="any")
    gateway.create_base_path_mapping(domainName=domain, restApiId=api, stage="dev", basePath="v1")

    below = json.loads(ask(f"https://{domain}/v1/there").body)
    beside = ask(f"https://{domain}/there")
    gateway.create_base_path_mapping(domainName=domain, restApiId=api, stage="dev")
    root = json.loads(ask(f"https://{domain}/there").body)
    gateway.delete_domain_name(domainName=domain)
    gone = account.curl(f"https://{domain}/there")

    def seen(event: dict[str, Any]) -> tuple[str, ...]:
        return (
            event["path"],
            event["pathParameters"]["proxy"],
            event["headers"]["Host"],
            event["requestContext"]["path"],
        )

    assert seen(below) == ("/v1/there", "there", domain, "/v1/there")
    assert seen(root) == ("/there", "there", domain, "/there")
    assert beside[::2] == (403, refused("Forbidden"))
    assert (gone.returncode, gone.stdout) == (56, b"")  # no such host


def test_a_cache_keeps_what_it_is_told_by_the_keys_that_it_is_told(ask: Asks, account: Account, made: HandMade):
    source = "import uuid\ndef handler(event, context): return {'statusCode': 200, 'body': str(uuid.uuid4())}"
    keys = ["method.request.querystring.day", "method.request.header.Accept"]
    api, url = made.api(made.function("kept", source), "kept", ("kept", "{proxy+}"), cacheKeyParameters=keys)
    gateway = account.client("apigateway")

    def asked(path: str, accept: str = "a/a", *options: str) -> bytes:
        return ask(f"{url}{path}", "--header", f"Accept: {accept}", *options).body

    assert asked("/kept") != asked("/kept")
    gateway.create_deployment(restApiId=api, stageName="dev", cacheClusterEnabled=True, cacheClusterSize="0.5")
    settings = {"/*/*/caching/enabled": "false", "/~1kept/ANY/caching/enabled": "true"}
    settings["/~1kept/ANY/caching/ttlInSeconds"] = "300"
    changes = [{"op": "replace", "path": path, "value": value} for path, value in settings.items()]
    gateway.update_stage(restApiId=api, stageName="dev", patchOperations=changes)

    first = asked("/kept")
    assert asked("/kept") == asked("/kept?other=1") == first
    assert len({first, asked("/kept?day=1"), asked("/kept", "b/b"), asked("/kept", "a/a", "--request", "POST")}) == 4
    assert asked("/elsewhere") != asked("/elsewhere")
    gateway.create_deployment(restApiId=api, stageName="dev")
    assert asked("/kept") == first


def test_what_is_no_name_of_the_accounts_does_not_exist(account: Account):
    done = account.curl("https://www.example.com/")

    assert (done.returncode, done.stdout) == (56, b"")
    assert b"CONNECT tunnel failed, response 502" in done.stderr


def template(authorization: str) -> str:
    """Return a CloudFormation template of an API with an authorizer, as Zappa makes it."""
    api = {"Ref": "Api"}
    authorizer = {
        "RestApiId": api,
        "Name": "ours",
        "Type": "TOKEN",
        "AuthorizerUri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/any/invocations",
        "AuthorizerResultTtlInSeconds": 60,
        "IdentitySource": "method.request.header.Authorization",
        "IdentityValidationExpression": "^Bearer .+$",
    }
    method = {
        "RestApiId": api,
        "ResourceId": {"Fn::GetAtt": ["Api", "RootResourceId"]},
        "HttpMethod": "ANY",
        "AuthorizationType": authorization,
        "AuthorizerId": {"Ref": "Authorizer"},
        "ApiKeyRequired": "true",
        "Integration": {"Type": "AWS_PROXY", "IntegrationHttpMethod": "POST", "Uri": authorizer["AuthorizerUri"]},
    }
    resources = {
        "Api": {"Type": "AWS::ApiGateway::RestApi", "Properties": {"Name": "stacked"}},
        "Authorizer": {"Type": "AWS::ApiGateway::Authorizer", "Properties": authorizer},
        "ANY0": {"Type": "AWS::ApiGateway::Method", "Properties": method},
    }
    return json.dumps({"AWSTemplateFormatVersion": "2010-09-09", "Resources": resources})


def test_a_stack_makes_authorizers_and_goes_with_all_that_it_made(account: Account):
    stacks, gateway, before = account.client("cloudformation"), account.client("apigateway"), account.left_behind()
    stacks.create_stack(StackName="stacked", TemplateBody=template("CUSTOM"))
    resources = stacks.describe_stack_resources(StackName="stacked")["StackResources"]
    ids = {resource["LogicalResourceId"]: resource.get("PhysicalResourceId") for resource in resources}
    api = ids["Api"]
    root = gateway.get_resources(restApiId=api)["items"][0]["id"]

    method = gateway.get_method(restApiId=api, resourceId=root, httpMethod="ANY")
    (authorizer,) = gateway.get_authorizers(restApiId=api)["items"]
    stacks.delete_stack(StackName="stacked")

    assert (method["authorizationType"], method["apiKeyRequired"]) == ("CUSTOM", True)
    assert method["authorizerId"] == ids["Authorizer"] == authorizer.pop("id")
    assert authorizer == {
        "name": "ours",
        "type": "TOKEN",
        "authorizerUri": "arn:aws:apigateway:us-east-1:lambda:path/2015-03-31/functions/any/invocations",
        "authorizerResultTtlInSeconds": 60,
        "identitySource": "method.request.header.Authorization",
        "identityValidationExpression": "^Bearer .+$",
    }
    assert account.left_behind() == before


def test_a_type_of_authorization_that_api_gateway_does_not_know_is_refused(account: Account):
    stacks, before = account.client("cloudformation"), account.left_behind()

    with pytest.raises(ClientError, match="Invalid authorization type"):
        stacks.create_stack(StackName="refused", TemplateBody=template("TOKEN"))
    stacks.delete_stack(StackName="refused")

    assert account.left_behind() == before
