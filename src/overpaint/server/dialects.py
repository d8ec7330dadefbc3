"""How a problem is said in each of the APIs that are spoken here; which of them it is, is told by the path.

| path | status | body |
| --- | --- | --- |
| /sdapi/..., /internal/... | 400 for mistakes | `{"error", "detail", "body", "errors"}`, as AUTOMATIC1111 has it |
| /v1/images/... | 400 for mistakes | `{"error": {"type", "code", "message", "param"}}`, as OpenAI has it, and we too |
| else | its own | the same |

Mistakes are parameters that are not taken (422 here) and pictures that cannot be used (413, 415, 422 here).
"""

from typing import Any

from overpaint.server.problems import Problem

UNKNOWN_SCRIPT = "unknown_script"  # the one mistake for which AUTOMATIC1111 says 422

_A1111, _OPENAI = ("/sdapi/", "/internal/"), ("/v1/images/",)


def said(problem: Problem, path: str, request_id: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON of the answer to a request for ``path`` that came to ``problem``."""
    is_mistake = problem.code == "invalid_image" or (problem.status == 422 and problem.code != UNKNOWN_SCRIPT)
    status = 400 if is_mistake and path.startswith((*_A1111, *_OPENAI)) else problem.status
    if not path.startswith(_A1111):
        return status, problem.body(request_id)
    words, param = problem.message, problem.param
    if param is not None and not words.startswith(param):
        words = f"{param}: {words}"
    told = {"error": problem.code, "detail": problem.detail or words, "body": "", "errors": words}
    return status, {**told, "request_id": request_id}
