"""The OpenAPI document: valid, complete, true to what is checked, and with examples that work."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from http_app import Http, Server, picture, server

from overpaint.editor import Editor
from overpaint.fields import PROMPT_MAX
from overpaint.server import answers
from overpaint.server.app import PUBLIC
from overpaint.server.asking import NAMES, SPECS, SWEEP_NAMES
from overpaint.version import __version__

Json = dict[str, Any]
METHODS = ("get", "post", "delete")


@pytest.fixture(scope="module")
def there(tmp_path_factory: pytest.TempPathFactory, editor: Editor) -> Iterator[Server]:
    with server(tmp_path_factory.mktemp("documented"), editor) as served:
        yield served


@pytest.fixture(scope="module")
def http(there: Server) -> Http:
    return there.http


@pytest.fixture(scope="module")
def document(http: Http) -> Json:
    answer = http.get("/openapi.json")
    assert answer.headers["content-type"] == "application/json"
    return dict(answer.json())


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, told in document["paths"].items():
        for method in told:
            assert method in METHODS
            yield method, path, told[method]


def test_it_is_valid(document: Json) -> None:
    schemathesis.openapi.from_dict(document).validate()
    assert document["openapi"].startswith("3.1")
    assert document["info"]["version"] == __version__
    text = json.dumps(document)
    for name in re.findall(r'"#/components/schemas/(\w+)"', text):
        assert name in document["components"]["schemas"]
    for word in ("HTTPValidationError", "ValidationError", "Traceback"):
        assert word not in text


def test_every_operation_says_what_it_answers(document: Json) -> None:
    found = list(operations(document))
    assert len(found) >= 24
    assert len({told["operationId"] for _, _, told in found}) == len(found)
    for method, path, told in found:
        assert told["summary"], path
        assert told["description"], path
        assert told["tags"], path
        statuses = set(told["responses"])
        assert {"400", "401", "403", "421", "500", "503", "default"} <= statuses, path
        assert statuses & {"200", "201", "202"}, path
        if method == "post":
            assert {"413", "415", "422", "507"} <= statuses, path
        if "{id}" in path:
            assert "404" in statuses, path
        for status, answer in told["responses"].items():
            assert answer["description"], (path, status)
            if status == "default" or (int(status) >= 400 and (path, status) != ("/readyz", "503")):
                ref = answer["content"]["application/json"]["schema"]["$ref"]
                assert ref.endswith("/ErrorAnswer"), (path, status)
    assert {"404", "409", "429", "502", "504"} <= set(document["paths"]["/v1/edits"]["post"]["responses"])
    assert {"409", "410", "504"} <= set(document["paths"]["/v1/jobs/{id}/result"]["get"]["responses"])


def test_keys_are_asked_for_where_they_are_needed(document: Json, there: Server) -> None:
    app, _ = there.with_keys("ann")
    http = Http(app)
    try:
        strict = http.get("/openapi.json").json()
    finally:
        http.close()
    assert {} in document["security"]
    assert {} not in strict["security"]
    assert {name for one in strict["security"] for name in one} == set(strict["components"]["securitySchemes"])
    for _, path, told in operations(strict):
        assert (told.get("security") == []) == (path in PUBLIC)


@pytest.mark.parametrize(
    ("model", "names"),
    [("EditJson", NAMES), ("EditForm", NAMES), ("SweepJson", SWEEP_NAMES), ("SweepForm", SWEEP_NAMES)],
)
def test_bodies_have_the_names_that_are_read(document: Json, model: str, names: tuple[str, ...]) -> None:
    told = document["components"]["schemas"][model]
    assert set(told["properties"]) == set(names)
    assert all(one["description"] for one in told["properties"].values())
    for name, spec in SPECS.items():
        options = told["properties"][name].get("anyOf", [told["properties"][name]])
        first = options[0]
        if spec.kind in ("number", "integer"):
            assert (first["type"], first["minimum"], first["maximum"]) == (spec.kind, spec.low, spec.high)
        elif spec.kind == "choice":
            assert tuple(first["enum"]) == spec.choices
        elif spec.kind == "text":
            assert first["maxLength"] == PROMPT_MAX
        if spec.ours not in (None, ""):
            assert str(spec.ours) in told["properties"][name]["description"]


def examples(document: Json, path: str, kind: str) -> list[Json]:
    content = document["paths"][path]["post"]["requestBody"]["content"][kind]
    return [one["value"] for one in content["examples"].values()]


def test_examples_work(document: Json, http: Http) -> None:
    (edit,) = examples(document, "/v1/edits", "application/json")
    answer = http.post("/v1/edits?wait=true", json=edit)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
    (sweep,) = examples(document, "/v1/sweeps", "application/json")
    assert len(answers.Sweep.model_validate(http.post("/v1/sweeps", json=sweep).json()).jobs) == 4
    (sent,) = examples(document, "/v1/pictures", "application/json")
    made = answers.Picture.model_validate(http.post("/v1/pictures", json=sent).json())
    assert (made.width, made.height) == (64, 64)
    (told,) = examples(document, "/v1/recipes", "application/json")
    (recipe,) = answers.RecipeList.model_validate(http.post("/v1/recipes", json=told).json()).data
    assert (recipe.params["strength"], recipe.params["sampler"], recipe.notes) == (0.5, "euler_a", [])
    (select,) = examples(document, "/v1/pictures/{id}/select", "application/json")
    assert http.post(f"/v1/pictures/{made.id}/select", json=select).headers["content-type"] == "image/png"


def test_examples_of_forms_work_with_a_picture(document: Json, http: Http) -> None:
    (edit,) = examples(document, "/v1/edits", "multipart/form-data")
    answer = http.post("/v1/edits", data={**edit, "wait": "true"}, files={"image": picture()})
    assert answer.status_code == 200
    (sweep,) = examples(document, "/v1/sweeps", "multipart/form-data")
    jobs = http.post("/v1/sweeps", data=sweep, files={"image": picture()}).json()["jobs"]
    assert len(jobs) == 4


def test_answers_are_as_they_are_documented(document: Json, http: Http) -> None:
    schema = schemathesis.openapi.from_dict(document)
    told = {"prompt": "a lake", "size": "64x64", "steps": 2}
    job = http.post("/v1/edits", json={**told, "wait": True}, headers={"accept": "application/json"}).json()
    image = http.post("/v1/pictures", files={"image": picture()}).json()["id"]
    sweep = http.post("/v1/sweeps", json={**told, "count": 2}).json()["id"]
    ids = {"jobs": job["id"], "sweeps": sweep, "pictures": image, "models": "embedded"}
    seen = 0
    for method, path, _ in operations(document):
        if method != "get" or path.endswith("/events"):
            continue
        real = re.sub(r"/v1/(\w+)/\{id\}", lambda found: f"/v1/{found[1]}/{ids[found[1]]}", path)
        answer = http.get(real, params={"strength": "0.5"} if path.endswith("noised") else {})
        assert answer.status_code == 200, path
        schema[path][method.upper()].validate_response(answer)
        seen += 1
    assert seen >= 17
