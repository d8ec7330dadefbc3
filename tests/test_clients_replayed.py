"""SillyTavern and Open WebUI against a server of its own, by what they were seen to send (``recorded.py``)."""

import base64
import contextlib
import http.client
import io
import json
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from conftest import random_picture
from connected import PATIENCE, wait_until
from live import LiveServer
from PIL import Image
from recorded import (
    OPEN_WEBUI_A1111,
    OPEN_WEBUI_OPENAI,
    SILLYTAVERN,
    SILLYTAVERN_INTERRUPT,
    SILLYTAVERN_PROGRESS,
    SILLYTAVERN_TXT2IMG,
    Call,
)

OPTIONS = ("--device", "cpu", "--dtype", "float32", "--threads", "1", "--no-warm-up")
KEYS = {"anna": "sk-anna-0123456789abcdef", "bob": "sk-bob-0123456789abcdef"}
SOON = 20.0  # seconds for what takes one, on a busy machine
EVERY = 0.1  # seconds from one look at the progress to the next, which costs a preview
SIZE = (128, 96)  # of the picture that is edited

# What is not as it was recorded, so that it takes a moment: sizes of 512 pixels, and 20 or 50 steps. OpenAI's API has
# no steps, so they are added, as clients send what is ours.
SMALL: dict[str, Any] = {"width": 128, "height": 128, "steps": 2, "size": "128x128"}
# And what takes minutes unless it is interrupted: the recorded size, and more steps than a front end offers.
LONG: dict[str, Any] = {"width": 512, "height": 512, "steps": 1000}
SAMPLING = {"sampler_name": "Euler", "scheduler": "Karras"}  # where the lists were not asked for


# ---- front ends ------------------------------------------------------------------------------------------------------


class FrontEnd:
    """Sends recorded calls with a user's key, and remembers what later ones are filled with."""

    def __init__(self, server: LiveServer, key: str) -> None:
        self.client = httpx.Client(base_url=server.url, timeout=PATIENCE, trust_env=False)
        auth = f"user:{key}"
        basic = base64.b64encode(auth.encode()).decode()
        self.names = {"{url}": server.url, "{auth}": auth, "{basic}": basic, "{key}": key}
        self.options: dict[str, Any] = {}

    def send(self, call: Call) -> httpx.Response:
        headers = {name: self.filled(value) for name, value in call.headers.items()}
        if call.form:
            body, headers["content-type"] = multipart(call)
            return self.client.request(call.method, call.path, headers=headers, content=body)
        told = self.filled(call.json)
        if call.over_options:
            told = {**self.options, **told}
        return self.client.request(call.method, call.path, headers=headers, json=told)

    def replay(self, call: Call) -> httpx.Response:
        """Send it, and look at the answer as the client does."""
        answer = self.send(call)
        if answer.is_success:
            check(call, answer)
            self._remember(call, answer)
        else:
            assert call.any_status, (call.method, call.path, answer.status_code, answer.text)
            assert answer.status_code < 500, (call.method, call.path, answer.text)
        return answer

    def progress(self) -> dict[str, Any]:
        return dict(self.replay(SILLYTAVERN_PROGRESS).json())

    def is_idle(self) -> bool:
        """By what SillyTavern and others wait for."""
        told = self.progress()
        return bool(told["progress"] == 0 and told["state"]["job_count"] == 0)

    def is_drawing(self) -> bool:
        told = self.progress()
        return bool(told["progress"] > 0 and told["state"]["job_count"] > 0)

    def filled(self, value: Any) -> Any:
        """With what the names in braces stand for."""
        if isinstance(value, dict):
            return {name: self.filled(one) for name, one in value.items()}
        if isinstance(value, str):
            for name, meant in self.names.items():
                value = value.replace(name, meant)
        return value

    def _remember(self, call: Call, answer: httpx.Response) -> None:
        if call.method != "GET":
            return
        told = answer.json()
        if call.path == "/sdapi/v1/options":
            self.options = told
        elif call.path == "/sdapi/v1/sd-models":
            self.names["{title}"] = told[0]["title"]
        elif call.path == "/sdapi/v1/samplers":
            self.names["{sampler}"] = told[0]["name"]
        elif call.path == "/sdapi/v1/schedulers":
            self.names["{scheduler}"] = told[0]["name"]


def multipart(call: Call) -> tuple[bytes, str]:
    """The body of a form as aiohttp writes it, type before name; and its content type."""
    boundary = "f1dd17bdf8b846fdb2360cdb3c041aea"
    parts = [
        (f'Content-Type: text/plain; charset=utf-8\r\nContent-Disposition: form-data; name="{name}"', value.encode())
        for name, value in call.form
    ]
    for i, (name, file_name, media_type) in enumerate(call.files):
        disposition = f'form-data; name="{name}"; filename="{file_name}"'
        format = "JPEG" if media_type == "image/jpeg" else "PNG"
        parts.append((f"Content-Type: {media_type}\r\nContent-Disposition: {disposition}", picture(format, seed=i)))
    body = b"".join(b"--%s\r\n%s\r\n\r\n%s\r\n" % (boundary.encode(), head.encode(), data) for head, data in parts)
    return body + f"--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def picture(format: str, seed: int) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(random_picture(*SIZE, seed)).save(buffer, format)
    return buffer.getvalue()


def smaller(call: Call) -> Call:
    """The call as ``SMALL`` says; those that draw nothing as they were recorded."""
    if call.form:
        small = tuple((name, str(SMALL.get(name, value))) for name, value in call.form)
        return replace(call, form=(*small, ("steps", str(SMALL["steps"]))))
    if call.path.startswith(("/sdapi/v1/txt2img", "/v1/images/")):
        small_json = {name: SMALL.get(name, value) for name, value in call.json.items()}
        return replace(call, json={**small_json, "steps": SMALL["steps"]})
    return call


# ---- what they read of the answers -----------------------------------------------------------------------------------


def check(call: Call, answer: httpx.Response) -> None:
    """That all the client reads is there, and of the type it takes it for."""
    if not call.reads:
        return
    where = (call.method, call.path, answer.text[:500])
    assert answer.headers["content-type"].partition(";")[0] == "application/json", where
    told = answer.json()
    for path, kind in call.reads.items():
        for value in values(told, path):
            kinds = (int, float) if kind is float else kind
            assert isinstance(value, kinds), (path, *where)
            assert not isinstance(value, bool), (path, *where)
    if call.pictures is not None:
        for text in values(told, call.pictures):
            assert decoded(text).size == asked_size(call), where


def values(told: Any, path: str) -> list[Any]:
    """All that is at a path as in ``Call.reads``."""
    found = [told]
    for step in path.replace("[", ".[").split("."):
        if step.startswith("["):
            assert all(isinstance(one, list) for one in found), (path, told)
            assert step == "[]" or all(found), f"{path}: the list is empty"
            found = [item for one in found for item in one]
        elif step:
            assert all(isinstance(one, dict) and step in one for one in found), (path, told)
            found = [one[step] for one in found]
    return found


def decoded(text: str) -> Image.Image:
    """A picture in base64, without ``data:`` before it: both clients call it a PNG, whatever it is."""
    with Image.open(io.BytesIO(base64.b64decode(text, validate=True))) as image:
        image.load()
    assert image.format == "PNG"
    return image


def asked_size(call: Call) -> tuple[int, int]:
    told: Mapping[str, Any] = dict(call.form) if call.form else call.json
    if "width" in told:
        return told["width"], told["height"]
    if "size" in told:
        width, height = map(int, told["size"].split("x"))
        return width, height
    return SIZE  # an edit of which nothing is said has its picture's


# ---- servers ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LiveServer, LiveServer]]:
    """One with two keys, and one without any. They load their models at the same time."""
    folder = tmp_path_factory.mktemp("replayed")
    keys = folder / "keys"
    keys.write_text("".join(f"{name}:{key}\n" for name, key in KEYS.items()))
    keys.chmod(0o600)
    with (
        LiveServer(folder / "locked", *OPTIONS, "--key-file", str(keys)) as locked,
        LiveServer(folder / "open", *OPTIONS) as open,
    ):
        yield locked.wait_ready(), open.wait_ready()


@pytest.fixture
def server(servers: tuple[LiveServer, LiveServer]) -> LiveServer:
    return servers[0]


@pytest.fixture
def anna(server: LiveServer) -> Iterator[FrontEnd]:
    front = FrontEnd(server, KEYS["anna"])
    with front.client:
        yield front


@pytest.fixture
def bob(server: LiveServer) -> Iterator[FrontEnd]:
    front = FrontEnd(server, KEYS["bob"])
    with front.client:
        yield front


@contextlib.contextmanager
def drawing(front: FrontEnd, **told: Any) -> Iterator[Future[httpx.Response]]:
    """A picture that takes minutes, while it is worked on; gives the answer that its client waits for.

    At the end of the block it is interrupted, if it was not before.
    """
    with ThreadPoolExecutor(1) as pool:
        call = replace(SILLYTAVERN_TXT2IMG, json={**SILLYTAVERN_TXT2IMG.json, **SAMPLING, **LONG, **told})
        answer = pool.submit(front.send, call)
        try:
            wait_until(lambda: front.is_drawing() or answer.done(), every=EVERY)
            assert not answer.done(), answer.result().text[:500]
            yield answer
        finally:
            front.send(SILLYTAVERN_INTERRUPT)


# ---- replayed --------------------------------------------------------------------------------------------------------


SEQUENCES = pytest.mark.parametrize(
    "sequence",
    [SILLYTAVERN, OPEN_WEBUI_A1111, OPEN_WEBUI_OPENAI],
    ids=["sillytavern", "open-webui-a1111", "open-webui-openai"],
)


@SEQUENCES
def test_a_front_end_gets_what_it_reads(sequence: tuple[Call, ...], anna: FrontEnd) -> None:
    models = set()
    for call in sequence:
        anna.replay(smaller(call))
        models.add(anna.options.get("sd_model_checkpoint"))
    assert len(models - {None}) <= 1  # whatever name was sent, the one model is still the one that is told
    if anna.options:
        assert models - {None} == {anna.names["{title}"]}


@pytest.mark.slow
@SEQUENCES
def test_nothing_of_it_changed(sequence: tuple[Call, ...], anna: FrontEnd) -> None:
    """As recorded, in the recorded sizes and steps."""
    for call in sequence:
        anna.replay(call)


def test_one_list_of_vaes_is_enough(anna: FrontEnd) -> None:
    """SillyTavern takes AUTOMATIC1111's or Forge's, whichever is there, and fails without both."""
    lists = [call for call in SILLYTAVERN if call.path in ("/sdapi/v1/sd-vae", "/sdapi/v1/sd-modules")]
    assert any(anna.replay(call).is_success for call in lists)


def test_as_many_pictures_as_were_asked_for(anna: FrontEnd) -> None:
    (call,) = [one for one in OPEN_WEBUI_A1111 if one.json and one.json.get("batch_size") == 2]
    answer = anna.replay(smaller(call))
    assert len(answer.json()["images"]) == 2
    assert isinstance(json.loads(answer.json()["info"]), dict)  # a string of JSON, not an object


@pytest.mark.parametrize("authorization", ["Basic ", "", None])
def test_without_keys_an_empty_password_is_none(
    servers: tuple[LiveServer, LiveServer], authorization: str | None
) -> None:
    """Both send the header though nothing is in it. By urllib: httpx refuses to end a header with a space."""
    server = servers[1]
    own = {} if authorization is None else {"authorization": authorization}

    def headers(call: Call) -> dict[str, str]:
        return {**{name: value for name, value in call.headers.items() if name != "authorization"}, **own}

    for call in {one.path: one for one in (*SILLYTAVERN, *OPEN_WEBUI_A1111) if one.method == "GET"}.values():
        answer = server.ask(call.path, headers=headers(call))
        assert answer.status == 200 or call.any_status, (call.path, answer)
    body = json.dumps({**SILLYTAVERN_TXT2IMG.json, **SAMPLING, **SMALL, "auth": ""}).encode()
    answer = server.ask(SILLYTAVERN_TXT2IMG.path, body, headers(SILLYTAVERN_TXT2IMG))
    assert answer.status == 200, answer
    assert decoded(answer.json()["images"][0]).size == (128, 128)


@pytest.mark.parametrize("authorization", ["Basic ", "", "Basic dXNlcjp3cm9uZw==", "Bearer "])
def test_with_keys_an_empty_password_is_refused(server: LiveServer, authorization: str) -> None:
    for path in ("/sdapi/v1/options", "/sdapi/v1/progress", "/sdapi/v1/interrupt", "/v1/images/generations"):
        posted = b"" if path.endswith(("interrupt", "generations")) else None
        answer = server.ask(path, posted, {"authorization": authorization})
        assert answer.status == 401, (path, answer)
        assert "basic" in answer.headers["www-authenticate"].lower()


def test_the_password_in_sillytaverns_body_goes_nowhere(server: LiveServer, anna: FrontEnd) -> None:
    """Its own server's address and the key are in what it sends; the answer echoes what was asked for, in the picture
    too."""
    call = smaller(replace(SILLYTAVERN_TXT2IMG, json={**SILLYTAVERN_TXT2IMG.json, **SAMPLING}))
    answer = anna.replay(call)
    assert KEYS["anna"] not in answer.text
    assert server.url not in answer.text
    (image,) = answer.json()["images"]
    assert KEYS["anna"] not in str(decoded(image).info)
    assert KEYS["anna"] not in server.said()


# ---- who leaves ------------------------------------------------------------------------------------------------------


def test_idle_is_told_as_clients_look_for_it(anna: FrontEnd) -> None:
    told = anna.progress()
    assert (told["progress"], told["state"]["job_count"], told["current_image"]) == (0, 0, None)


def test_an_interrupt_ends_the_request_that_runs(anna: FrontEnd) -> None:
    with drawing(anna) as answer:
        assert anna.replay(SILLYTAVERN_INTERRUPT).status_code == 200
        ended = answer.result(SOON)
    assert ended.status_code < 500, ended.text
    if ended.is_success:  # AUTOMATIC1111 gives what was drawn so far; SillyTavern takes a list
        assert all(decoded(text) for text in values(ended.json(), "images[]"))
    wait_until(anna.is_idle, SOON, every=EVERY)


@pytest.mark.parametrize("first", ["interrupt", "close"])
def test_who_leaves_interrupts_and_closes_at_once(server: LiveServer, anna: FrontEnd, first: str) -> None:
    told = anna.filled({**SILLYTAVERN_TXT2IMG.json, **SAMPLING, **LONG})
    headers = {name: anna.filled(value) for name, value in SILLYTAVERN_TXT2IMG.headers.items()}
    connection = http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=PATIENCE)
    connection.request("POST", SILLYTAVERN_TXT2IMG.path, json.dumps(told), headers)
    try:
        wait_until(anna.is_drawing, every=EVERY)
        if first == "interrupt":
            anna.replay(SILLYTAVERN_INTERRUPT)
    finally:
        connection.close()
    if first == "close":
        anna.replay(SILLYTAVERN_INTERRUPT)
    wait_until(anna.is_idle, SOON, every=EVERY)
    # and what comes next is not taken for what was interrupted
    anna.replay(smaller(replace(SILLYTAVERN_TXT2IMG, json={**SILLYTAVERN_TXT2IMG.json, **SAMPLING})))


def test_an_interrupt_of_nothing_is_fine(anna: FrontEnd) -> None:
    assert anna.replay(SILLYTAVERN_INTERRUPT).status_code == 200
    assert anna.is_idle()
    anna.replay(smaller(replace(SILLYTAVERN_TXT2IMG, json={**SILLYTAVERN_TXT2IMG.json, **SAMPLING})))


# ---- two who share a server ------------------------------------------------------------------------------------------


@pytest.mark.case("S09")
def test_nobody_sees_or_ends_anothers_picture(anna: FrontEnd, bob: FrontEnd) -> None:
    secret, other, task = "a garden that only anna knows", "a harbour of bob", "task(annas-own)"
    # of one size and without guidance, so that they share the network's calls: else one would wait for the other
    both = {"width": 192, "height": 192, "cfg_scale": 1}
    with drawing(anna, prompt=secret, force_task_id=task, **both) as annas:
        told = bob.progress()  # while he has nothing: as if nobody else were there
        assert (told["progress"], told["state"]["job_count"], told["current_image"]) == (0, 0, None)
        assert bob.send(SILLYTAVERN_INTERRUPT).status_code == 200
        asked = {"id_task": task, "id_live_preview": -1, "live_preview": True}
        headers = {"authorization": bob.filled(SILLYTAVERN_PROGRESS.headers["authorization"])}
        of_anna = bob.client.post("/internal/progress", headers=headers, json=asked)
        assert secret not in of_anna.text
        if of_anna.is_success:  # as of a task that never was
            assert (of_anna.json()["active"], of_anna.json()["queued"]) == (False, False)
            assert not of_anna.json().get("live_preview")
        assert goes_on(anna, annas)
        with drawing(bob, prompt=other, **both) as bobs:
            of_hers, of_his = set[str](), set[str]()
            for _ in range(10):
                for front, foreign, previews in ((anna, other, of_hers), (bob, secret, of_his)):
                    answer = front.replay(SILLYTAVERN_PROGRESS)
                    assert foreign not in answer.text
                    previews.add(answer.json()["current_image"] or "")
                time.sleep(EVERY)
            assert not of_hers & of_his - {""}
            assert anna.send(SILLYTAVERN_INTERRUPT).status_code == 200
            assert annas.result(SOON).status_code < 500
            wait_until(anna.is_idle, SOON, every=EVERY)
            assert goes_on(bob, bobs)
        assert bobs.result(SOON).status_code < 500
    wait_until(bob.is_idle, SOON, every=EVERY)


def goes_on(front: FrontEnd, answer: Future[httpx.Response]) -> bool:
    """Whether the picture is still drawn some steps later: whoever is interrupted may end the step that was begun."""
    seen = set[float]()

    def has_moved() -> bool:
        seen.add(front.progress()["progress"])
        return answer.done() or len(seen) > 3  # now, the step that was begun, 0 for nothing; and one more

    wait_until(has_moved, every=EVERY)
    return not answer.done()
