"""The library as its users call it."""

import inspect
import json
import time
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from conftest import EXAMPLES, random_picture

from overpaint import (
    EditCancelled,
    Editor,
    EditParams,
    EditRequest,
    EditResult,
    ImageError,
    ParameterError,
    StepEvent,
    decode,
    images,
)
from overpaint.cli.console import result_facts
from overpaint.params import SEED_MAX, specs

PICTURE = random_picture(64, 64)
QUICK = {"steps": 4, "size": "64x64", "seed": 3}


def test_strength_0_is_the_input_without_the_model(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("predict", "encode_text", "encode_picture", "decode"):
        monkeypatch.setattr(editor.model, name, None)
    for source in (PICTURE, random_picture(33, 17, channels=4), PICTURE.astype(np.uint16) * 257):
        result = editor.edit(source, "a lake", strength=0, detail=0.5)
        assert np.array_equal(result.pixels, source)
        assert result.pixels.dtype == source.dtype
        assert (result.t0, result.signal, result.steps_run, result.network_calls) == (-1, 1.0, 0, 0)


def test_strength_1_ignores_the_picture(editor: Editor) -> None:
    options = {**QUICK, "sampler": "euler_a", "guidance_scale": 2.0}
    a = editor.edit(PICTURE, "a lake", strength=1, detail=0.8, **options)
    b = editor.edit(random_picture(64, 64, seed=9), "a lake", strength=1, **options)
    c = editor.generate("a lake", **options)
    assert np.array_equal(a.pixels, b.pixels)
    assert np.array_equal(a.pixels, c.pixels)
    assert a.signal == 0
    assert a.t0 == 999


def test_same_seed_same_bytes_and_other_seed_other_bytes(editor: Editor) -> None:
    a, b = (editor.edit(PICTURE, "a lake", strength=0.5, **QUICK) for _ in range(2))
    other = editor.edit(PICTURE, "a lake", strength=0.5, **{**QUICK, "seed": 4})
    assert np.array_equal(a.pixels, b.pixels)
    assert not np.array_equal(a.pixels, other.pixels)


def test_result_reports_what_was_decided(editor: Editor) -> None:
    result = editor.edit(PICTURE, "a lake", strength=0.3, steps=10, size="64x64")
    assert (result.t0, result.steps_run, result.network_calls, result.working_size) == (299, 3, 3, (64, 64))
    assert result.signal == pytest.approx(editor.model.noise.at(299).alpha)
    assert result.params.guidance_scale == 3.0  # the card's
    assert 0 <= result.seed <= SEED_MAX
    again = editor.edit(PICTURE, "a lake", strength=0.3, steps=10, size="64x64", seed=result.seed)
    assert np.array_equal(result.pixels, again.pixels)
    assert result.model == "embedded"
    assert result._repr_png_().startswith(b"\x89PNG")


def test_facts_are_json_for_scripts(editor: Editor) -> None:
    result = editor.edit(random_picture(90, 40), "a lake", strength=0.3, **QUICK)
    facts = json.loads(json.dumps(result.facts()))
    assert facts["recipe"] == json.loads(json.dumps(result.recipe.as_dict(numbers=False)))
    del facts["recipe"]
    assert facts == {
        "width": 90,
        "height": 40,
        "seed": 3,
        "t0": 299,
        "signal": result.signal,
        "steps_run": result.steps_run,
        "network_calls": result.network_calls,
        "seconds": round(result.seconds, 3),
        "goal": None,
        "warnings": list(result.warnings),
    }
    assert result_facts(result, None) == result.facts()
    assert result_facts(result, Path("a.png")) == {"input": "a.png", **result.facts()}


def test_edit_takes_every_field_default_none() -> None:
    parameters = inspect.signature(Editor.edit).parameters
    for f, _ in specs():
        if f.name != "prompt":
            assert parameters[f.name].default is None
            assert parameters[f.name].kind is inspect.Parameter.KEYWORD_ONLY


def test_unknown_names_are_told_ours(editor: Editor) -> None:
    with pytest.raises(TypeError, match="use steps="):
        editor.edit(PICTURE, "", num_inference_steps=3)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="use guidance_scale="):
        editor.generate("", cfg_scale=3)  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("size", "output"),
    [((513, 767), (513, 767)), ((7, 5), (7, 5)), ((1, 90), (1, 90)), ((64, 64), (64, 64))],
)
def test_size_out_is_size_in(editor: Editor, size: tuple[int, int], output: tuple[int, int]) -> None:
    result = editor.edit(random_picture(*size), "a lake", strength=0.2, steps=5, seed=1, size="64x96")
    assert result.image.size == output


def test_sizes(editor: Editor) -> None:
    def run(**options: object) -> EditResult:
        return editor.edit(random_picture(100, 50), "a lake", strength=0.2, steps=5, seed=1, **options)  # type: ignore[arg-type]

    own = run(size="input")
    assert (own.image.size, own.working_size, own.params.size) == ((100, 50), (104, 56), "100x50")
    working = run(size="96x96", output_size="working")
    assert (working.image.size, working.working_size, working.params.output_size) == ((96, 48), (96, 96), "96x48")
    for fit in ("crop", "pad", "stretch"):
        assert run(size="64x64", output_size=(80, 80), fit=fit).image.size == (80, 80)
    native = run()
    assert native.working_size in editor.card.buckets
    assert native.working_size[0] > native.working_size[1]


def test_padding_never_shows(editor: Editor) -> None:
    """A flat picture that fills half of its working size comes back flat: what is padded is cut off again."""
    flat = np.full((40, 80, 3), (40, 90, 160), np.uint8)
    result = editor.edit(flat, "", strength=0.02, steps=50, seed=1, guidance_scale=1, size="80x80")
    assert np.abs(result.pixels.astype(int) - flat).mean() < 12


def test_enlarged_results_say_so(editor: Editor) -> None:
    large = random_picture(160, 160)
    assert "enlarged 2.5 times" in editor.edit(large, "", strength=0.2, **QUICK).warnings[0]
    assert not editor.edit(random_picture(90, 90), "", strength=0.2, **QUICK).warnings


def test_detail(editor: Editor) -> None:
    """None takes the preset's; 0 is plain SDEdit; more brings the result's fine structure nearer to the original's."""
    picture = images.resize(decode.load(EXAMPLES / "castle.jpg").rgb, (64, 64))

    def run(**options: object) -> EditResult:
        return editor.edit(picture, "a castle at night", strength=0.6, **QUICK, **options)  # type: ignore[arg-type]

    def edges(x: np.ndarray) -> np.ndarray:
        return np.diff(x.mean(2), axis=0)

    plain = run()
    assert np.array_equal(plain.pixels, run(detail=0).pixels)
    assert run(preset="scene").params.detail == 0.85
    agreement = [np.corrcoef(edges(r.pixels).ravel(), edges(picture).ravel())[0, 1] for r in (plain, run(detail=0.7))]
    assert agreement[1] > agreement[0] + 0.2


def test_alpha_and_16_bit_come_back(editor: Editor) -> None:
    clear = random_picture(64, 64, channels=4)
    result = editor.edit(clear, "a lake", strength=0.3, **QUICK)
    assert np.array_equal(result.pixels[..., 3], clear[..., 3])
    deep = editor.edit(PICTURE.astype(np.uint16) * 257, "a lake", strength=0.3, **QUICK)
    assert deep.pixels.dtype == np.uint16
    shallow = editor.edit(PICTURE, "a lake", strength=0.3, **QUICK)
    assert np.abs((deep.pixels >> 8).astype(int) - shallow.pixels).max() <= 1


def test_on_step_runs_here_and_may_cancel(editor: Editor) -> None:
    seen: list[StepEvent] = []
    editor.edit(PICTURE, "a lake", strength=0.5, steps=6, size="64x64", on_step=seen.append)
    assert [e.step for e in seen] == [1, 2, 3]
    assert seen[0].preview is not None

    def stop(event: StepEvent) -> None:
        raise KeyError("enough")

    with pytest.raises(KeyError):
        editor.edit(PICTURE, "a lake", strength=1, steps=500, size="64x64", on_step=stop)


def test_edit_many_goes_on_when_one_fails(editor: Editor) -> None:
    requests = [
        EditRequest(PICTURE, "a lake", strength=0.4, **QUICK),
        EditRequest("no/such.png", "a lake"),
        EditRequest(PICTURE, "", size="16384x16384"),
        EditRequest(PICTURE, "a castle", strength=0, **QUICK),
    ]
    outcomes = {o.index: o for o in editor.edit_many(requests)}
    assert set(outcomes) == {0, 1, 2, 3}
    assert isinstance(outcomes[0], EditResult)
    assert isinstance(outcomes[1], ImageError)
    assert isinstance(outcomes[2], ParameterError)
    assert isinstance(outcomes[3], EditResult)


def test_edit_many_is_lazy_and_bounded(editor: Editor) -> None:
    taken = []

    def endless() -> object:
        while True:
            taken.append(1)
            yield EditRequest(PICTURE, "", strength=0)

    results = editor.edit_many(endless())  # type: ignore[arg-type]
    for _ in range(100):
        next(results)
    results.close()
    assert len(taken) <= 100 + 2 * 32


def test_sweep_shares_a_seed(editor: Editor) -> None:
    results = editor.sweep(PICTURE, "a lake", strengths=[0.2, 0, 0.7], steps=5, size="64x64")
    assert [r.params.strength for r in results] == [0.2, 0, 0.7]
    assert len({r.seed for r in results}) == 1
    alone = editor.edit(PICTURE, "a lake", strength=0.7, steps=5, size="64x64", seed=results[0].seed)
    assert np.array_equal(results[2].pixels, alone.pixels)
    with pytest.raises(ParameterError, match="strength"):
        editor.sweep(PICTURE, "", strength=0.5)


def test_variations_are_their_edits_alone(editor: Editor) -> None:
    options = {"strength": 0.5, "steps": 4, "size": "64x64"}
    results = editor.variations(PICTURE, "a lake", n=3, seed=SEED_MAX - 1, **options)
    assert [r.seed for r in results] == [SEED_MAX - 1, SEED_MAX, 0]
    alone = editor.edit(PICTURE, "a lake", seed=0, **options)
    assert np.array_equal(results[2].pixels, alone.pixels)
    for n in (0, 2.5, 1001):
        with pytest.raises(ParameterError, match="n: "):
            editor.variations(PICTURE, "", n=n)  # type: ignore[arg-type]


def test_noised_shows_what_survives(editor: Editor) -> None:
    results = editor.noised(PICTURE, [0.1, 0.5, 0.9], size="64x64")
    distances = [np.abs(r.pixels.astype(int) - PICTURE).mean() for r in results]
    assert distances == sorted(distances)
    assert all(r.network_calls == 0 for r in results)
    assert np.array_equal(editor.noised(PICTURE, [0])[0].pixels, PICTURE)
    with pytest.raises(ParameterError, match="strength"):
        editor.noised(PICTURE, strength=0.5)


def test_long_prompts_say_what_was_left_out(editor: Editor) -> None:
    result = editor.edit(PICTURE, "a lake and " * 40 + "a hidden castle", strength=0.2, **QUICK)
    assert any("prompt is longer" in w and "castle" in w for w in result.warnings)


def test_cancelled_is_not_a_result(editor: Editor) -> None:
    job = editor.submit(EditRequest(PICTURE, "", strength=1, steps=900, size="64x64"))
    job.cancel()
    with pytest.raises(EditCancelled):
        job.result(timeout=60)


def test_working_size_has_a_limit(editor: Editor) -> None:
    with pytest.raises(ParameterError, match="size"):
        editor.edit(PICTURE, "", size="16384x16384")


def test_context_manager_and_paths(tmp_path: Path) -> None:
    with Editor(device="cpu") as own:
        assert own.alive
        told: list[int] = []
        own.watch(lambda rows, capacity, seconds: told.append(rows))
        result = own.edit(str(EXAMPLES / "castle.jpg"), "a castle", strength=0.1, **QUICK)
    assert not own.alive
    assert told == [2] * result.network_calls
    result.save(tmp_path / "out.png")
    assert np.array_equal(decode.load(tmp_path / "out.png").pixels, result.pixels)
    own.close()


def test_params_are_a_value() -> None:
    assert EditParams(prompt="a") == EditParams(prompt="a")
    assert hash(EditParams(seed=1)) == hash(EditParams(seed=1))


def test_generate_is_strength_1_at_any_output_size(editor: Editor) -> None:
    """Also where the output has another shape than the bucket."""
    options = {"steps": 2, "seed": 3, "size": "64x64"}
    edited = editor.edit(random_picture(90, 40), "a lake", strength=1, **options)
    generated = editor.generate("a lake", output_size=(90, 40), **options)
    assert np.array_equal(edited.pixels, generated.pixels)


def test_arrays_are_copied(editor: Editor) -> None:
    """The caller may go on using a buffer, and a result is the caller's own."""
    buffer = PICTURE.copy()
    result = editor.edit(buffer, "", strength=0)
    assert not np.shares_memory(result.pixels, buffer)
    assert result.pixels.flags.writeable

    def frames() -> Iterator[EditRequest]:
        for value in (10, 200):
            buffer[:] = value
            yield EditRequest(buffer, "a lake", strength=0.3, detail=1.0, **QUICK)

    results = {r.index: r for r in editor.edit_many(frames())}
    assert results[0].pixels.mean() + 50 < results[1].pixels.mean()


def test_cancel_keeps_its_word(editor: Editor) -> None:
    """What ``cancel`` promised at the last step is what happens."""
    for _ in range(5):
        job = editor.submit(EditRequest(PICTURE, "a lake", strength=0.3, **QUICK))
        promised = [job.cancel() for event in job.events() if event.step == event.steps]
        assert isinstance(job.exception(), EditCancelled) == promised[0]


def test_many_of_one_open_file(editor: Editor) -> None:
    source = BytesIO(editor.edit(PICTURE, "", strength=0)._repr_png_())
    assert len(editor.variations(source, "a lake", n=2, strength=0.3, steps=4, size="64x64")) == 2


def test_replace_is_checked_as_a_new_request(editor: Editor) -> None:
    request = EditRequest(None, "a lake")
    for strength in (0, 0.3):
        with pytest.raises(ParameterError, match="without a picture"):
            request.replace(strength=strength)
    with pytest.raises(TypeError, match="use steps="):
        request.replace(num_inference_steps=4)  # type: ignore[call-arg]
    with pytest.raises(ImageError, match="generate"):
        editor.edit(None, "a lake")  # type: ignore[arg-type]


def test_resolved_params_make_the_same_again(editor: Editor) -> None:
    picture = random_picture(101, 37)
    first = editor.edit(picture, "a lake", strength=0.3, steps=4, size="64x64", output_size="working", seed=1)
    again = editor.edit(
        picture, "a lake", strength=0.3, steps=4, size=first.params.size, output_size=first.params.output_size, seed=1
    )
    assert np.array_equal(first.pixels, again.pixels)


def test_edit_many_yields_while_requests_are_still_arriving(editor: Editor) -> None:
    arrived = []

    def slow() -> Iterator[EditRequest]:
        for seed in range(3):
            arrived.append(seed)
            yield EditRequest(PICTURE, "a lake", strength=0.3, steps=4, size="64x64", seed=seed)
            time.sleep(0.8)

    results = editor.edit_many(slow())
    next(results)
    assert len(arrived) < 3
    assert len(list(results)) == 2
