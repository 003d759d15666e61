"""An answer that tells of another record than the one asked for is never taken for it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from integrations.connectors import errors
from integrations.connectors.protocol import Connector
from tests.integrations.connectors.bench import Bench, bench, outcome

READS: list[Callable[[Connector, str], object]] = [
    lambda connector, remote_id: connector.read(remote_id),
    lambda connector, remote_id: connector.history(remote_id, ""),
]


def mixed_up(desk: Bench, asked: str, told: str) -> None:
    """Let the instance answer a question for one record with another one."""
    state = desk.sandbox.state
    answer_of = state.answer

    def answer(request):  # type: ignore[no-untyped-def]
        if request.path == "/api/now/v1/batch":
            value = json.loads(request.body)
            for one in value["rest_requests"]:
                one["url"] = one["url"].replace(f"/{asked}", f"/{told}")
            object.__setattr__(request, "body", json.dumps(value).encode())
        return answer_of(request)

    state.answer = answer  # type: ignore[method-assign]


@pytest.mark.parametrize("read", READS)
def test_another_record_than_the_one_asked_for_is_refused(read: Callable[[Connector, str], object]) -> None:
    with bench("servicenow") as desk:
        one, other = desk.ticket(), desk.ticket()
        assert outcome(lambda: read(desk.connector, one)) is None
        mixed_up(desk, one.rpartition(":")[2], other.rpartition(":")[2])
        error = outcome(lambda: read(desk.connector, one))
        assert type(error) is errors.Garbled
        assert not error.outcome_unknown
