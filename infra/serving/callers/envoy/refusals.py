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
_FLAGS = {429: "RL"}
"""What the rate limit filter alone sets: an endpoint picker may answer 429, too."""


def refusals() -> list[Manifest]:
    """The mappers of `local_reply_config`."""
    return [_said(*one) for one in _REFUSALS]


def _said(status: int, code: str, message: str, headers: dict[str, str]) -> Manifest:
    """An error as OpenAI's API writes it, in place of Envoy's own text."""
    equals = {
        "op": "EQ",
        "value": {"default_value": status, "runtime_key": f"callers.status_{status}"},
    }
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code}
    said: Manifest = {"status_code_filter": {"comparison": equals}}
    if status in _FLAGS:
        flagged = {"response_flag_filter": {"flags": [_FLAGS[status]]}}
        said = {"and_filter": {"filters": [said, flagged]}}
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
