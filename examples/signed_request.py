"""Send a signed request to a stage that requires it (`iam_authorization`), with the AWS credentials that boto3 finds.

    python examples/signed_request.py https://<id>.execute-api.<region>.amazonaws.com/dev_iam/daily

The credentials need `execute-api:Invoke` on the stage. For a custom domain, set AWS_DEFAULT_REGION to the stage's
region. See AWS, "Signature Version 4 for API requests".
"""

import sys
from urllib.parse import urlsplit

import boto3
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest


def signed(request: requests.PreparedRequest) -> requests.PreparedRequest:
    """Return a request with a signature of its method, URL and body.

    Args:
        request: A request to an API; the region is in its host name, unless that is a custom domain.
    """
    session = boto3.Session()
    host = (urlsplit(request.url).hostname or "").split(".")
    region = host[2] if host[1:2] == ["execute-api"] else session.region_name
    headers = AWSRequest(request.method, request.url, data=request.body)
    SigV4Auth(session.get_credentials(), "execute-api", region).add_auth(headers)
    request.headers.update(headers.headers)
    return request


if __name__ == "__main__":
    asked = signed(requests.Request("GET", sys.argv[1]).prepare())
    with requests.Session() as http:
        answer = http.send(asked, timeout=30, **http.merge_environment_settings(asked.url, {}, None, None, None))
    sys.stdout.write(f"{answer.status_code} {answer.text}\n")
