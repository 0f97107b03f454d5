"""Looking at a live stage, where it is not what it should be; the rest is in tests/aws/."""

import pytest
import responses

from deploy.live import _refusal
from deploy.stage import StageError

URL = "https://abcdef1234.execute-api.us-east-1.amazonaws.com/dev_auth/health"


@responses.activate
def test_a_stage_that_lets_everybody_in_is_not_closed():
    responses.get(URL, json={"status": "ok"})

    with pytest.raises(StageError, match=rf"^{URL}: 200 without a credential; the stage should be closed\.$"):
        _refusal(URL, 401)
