"""Ask a stage that wants signed requests (`iam_authorization`), with the AWS credentials that boto3 finds.

    python examples/signed_request.py https://<id>.execute-api.<region>.amazonaws.com/dev_iam/daily

Whoever signs needs `execute-api:Invoke` on the stage. See AWS, "Signature Version 4 for API requests".
"""

import sys

import boto3
import requests
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest


def signed(url: str) -> dict[str, str]:
    """Return the headers that sign a GET request.

    Args:
        url: An API's own URL, whose name tells the region.
    """
    region = url.split(".")[2]
    request = AWSRequest("GET", url)
    SigV4Auth(boto3.Session().get_credentials(), "execute-api", region).add_auth(request)
    return dict(request.headers)


if __name__ == "__main__":
    answer = requests.get(sys.argv[1], headers=signed(sys.argv[1]), timeout=30)
    sys.stdout.write(f"{answer.status_code} {answer.text}\n")
