"""Refusals in the form of OpenAI's API, in place of Envoy's own texts."""

from infra.serving.manifest import Manifest

_REFUSALS: tuple[tuple[int, str, str, dict[str, str]], ...] = (
    (401, "invalid_api_key", "Send a valid API key: Authorization: Bearer KEY.", {}),
    (403, "model_not_allowed", "This API key may not use this model.", {}),
    (
        429,
        "rate_limit_exceeded",
        "The limit of this API key is reached; retry after the seconds of retry-after.",
        # The seconds until the counters of the minute begin anew.
        {"retry-after": "%RESP(X-RATELIMIT-RESET)%"},
    ),
)
_LIMITED = 429
_BY_LIMIT = {"response_flag_filter": {"flags": ["RL"]}}
"""What the rate limit filter alone sets."""


def refusals(*, asks_picker: bool) -> list[Manifest]:
    """The mappers of `local_reply_config`. A picker may answer 429, too, for a full pool."""
    return [_said(*one, by_limit=asks_picker and one[0] == _LIMITED) for one in _REFUSALS]


def _said(
    status: int, code: str, message: str, headers: dict[str, str], *, by_limit: bool
) -> Manifest:
    """An error as OpenAI's API writes it, in place of Envoy's own text."""
    equals = {
        "op": "EQ",
        "value": {"default_value": status, "runtime_key": f"callers.status_{status}"},
    }
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    said: Manifest = {"status_code_filter": {"comparison": equals}}
    if by_limit:
        said = {"and_filter": {"filters": [said, _BY_LIMIT]}}
    return {
        "filter": said,
        "headers_to_add": [
            {"header": {"key": key, "value": value}, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}
            for key, value in headers.items()
        ],
        "body_format_override": {
            "json_format": {"error": {key: value for key, value in error.items() if value}}
        },
    }
