"""What only a CUDA device can show: collected only where there is one (`conftest.py`)."""

import logging
from typing import Any

import numpy as np
import pytest
import torch
from conftest import TinyCheckpoints, random_picture
from plain_kernels import Plain
from torch import Tensor, nn

from overpaint import model_kernels
from overpaint.editor import Editor
from overpaint.engine import Engine
from overpaint.model import DiffusionModel
from overpaint.model_graphs import Replayed
from overpaint.prepare import prepare
from overpaint.request import EditRequest
from overpaint.result import EditResult
from overpaint.samplers import SAMPLERS

PLAIN = Plain()
DTYPES = [torch.float32, torch.float16, torch.bfloat16]
PICTURE = random_picture(64, 64, seed=1)


def near(out: Tensor, exact: Tensor) -> bool:
    """Whether ``out`` is ``exact`` but for its own rounding, and that of arithmetic in float32."""
    error = float((out.double() - exact).norm() / exact.norm())
    return error < torch.finfo(out.dtype).eps / 2 + 2e-6


def exactly(module: Any) -> Any:
    """A copy in float64."""
    copy = type(module)(*_arguments(module)).cuda().double().requires_grad_(False)
    copy.load_state_dict(module.state_dict())
    return copy


def _arguments(module: Any) -> tuple[Any, ...]:
    if isinstance(module, nn.GroupNorm):
        return module.num_groups, module.num_channels
    return (module.normalized_shape,)


def norm_of(kind: Any, *shape: int, dtype: torch.dtype) -> Any:
    norm = kind(*shape)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return norm.cuda().to(dtype).requires_grad_(False)


def pictures(*shape: int, dtype: torch.dtype, mean: float = 0.0) -> Tensor:
    x = torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape))) * 2 + mean
    return x.cuda().to(dtype).contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("rows", "channels", "height", "width"),
    [
        *[(2, 960, 16, 16), (4, 2560, 8, 8), (1, 64, 3, 1), (3, 1920, 5, 7)],  # by one kernel
        *[(2, 320, 64, 64), (1, 128, 96, 56), (2, 1920, 17, 17), (1, 128, 160, 130), (1, 512, 130, 128)],  # by two
    ],
)
def test_group_norm(dtype: torch.dtype, rows: int, channels: int, height: int, width: int) -> None:
    norm = norm_of(nn.GroupNorm, 32, channels, dtype=dtype)
    x = pictures(rows, channels, height, width, dtype=dtype, mean=20)
    shift, bias = torch.randn(rows, 2 * channels).cuda().to(dtype)[:, channels:], torch.randn(channels).cuda().to(dtype)
    for told in ({}, {"silu": True}, {"shift": shift, "bias": bias, "silu": True}, {"bias": bias}):
        parts: dict[str, Any] = {k: v.double() if isinstance(v, Tensor) else v for k, v in told.items()}
        exact = PLAIN.group_norm(x.double(), exactly(norm), **parts)
        out = model_kernels.group_norm(x, norm, **told)
        assert out.is_contiguous(memory_format=torch.channels_last)
        assert near(out, exact), told


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [32, 320, 1280, 100])
def test_layer_norm_geglu_and_add(dtype: torch.dtype, width: int) -> None:
    norm = norm_of(nn.LayerNorm, width, dtype=dtype)
    x, y = (torch.randn(3, 77, width).cuda().to(dtype) + mean for mean in (0, 5))
    bias = torch.randn(width).cuda().to(dtype)
    for told in ((), (bias,)):
        exact = PLAIN.layer_norm(x.double(), exactly(norm), y.double(), *(part.double() for part in told))
        assert all(map(near, model_kernels.layer_norm(x, norm, y, *told), exact))
    same, alone = model_kernels.layer_norm(x, norm)
    assert same is x
    assert near(alone, PLAIN.layer_norm(x.double(), exactly(norm))[1])
    both = torch.randn(3, 77, 2 * width).cuda().to(dtype)
    assert near(model_kernels.geglu(both), PLAIN.geglu(both.double()))
    a, b = (pictures(2, width, 9, 5, dtype=dtype, mean=mean) for mean in (0, 3))
    assert near(model_kernels.add(a, b, bias), PLAIN.add(a.double(), b.double(), bias.double()))


def test_a_rows_numbers_do_not_depend_on_their_company() -> None:
    """The kernels themselves give the same bits at any number of rows."""
    norm = norm_of(nn.GroupNorm, 32, 320, dtype=torch.float16)
    x = pictures(8, 320, 32, 32, dtype=torch.float16)
    many = model_kernels.group_norm(x, norm, silu=True)
    assert torch.equal(model_kernels.group_norm(x[3:4], norm, silu=True), many[3:4])


@pytest.fixture(scope="module")
def cuda() -> DiffusionModel:
    return DiffusionModel.load("embedded", device="cuda")


def arguments(model: DiffusionModel, rows: int, side: int = 32) -> tuple[Tensor, list[float], Tensor]:
    x = torch.randn(rows, model.channels, side, side, generator=torch.Generator().manual_seed(rows)).cuda()
    texts = [model.encode_text(("", "a castle by a lake")[i % 2]).states for i in range(rows)]
    return x, [900.0 - 50 * i for i in range(rows)], torch.cat(texts)


@pytest.mark.parametrize("dtype", ["float16", "float32", "bfloat16"])
def test_replayed_calls_have_the_bits_of_ordinary_ones(dtype: Any, caplog: pytest.LogCaptureFixture) -> None:
    model = DiffusionModel.load("embedded", device="cuda", dtype=dtype)
    replayed = model._network
    assert isinstance(replayed, Replayed)
    for rows in (1, 2, 4, 7, 16):
        told = arguments(model, rows)
        first, second = model.predict(*told), model.predict(*told)
        model._network = replayed._network
        ordinary = model.predict(*told)
        model._network = replayed
        assert torch.equal(first, ordinary)
        assert torch.equal(second, ordinary)
    assert len(replayed._calls) == 4
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING]


def test_it_is_what_the_cpu_says() -> None:
    cpu, gpu = (DiffusionModel.load("embedded", device=d, dtype="float32") for d in ("cpu", "cuda"))
    x, t, _ = arguments(gpu, 2)
    texts = [torch.cat([m.encode_text(text).states for text in ("", "a lake")]) for m in (cpu, gpu)]
    torch.testing.assert_close(
        gpu.predict(x, t, texts[1]).cpu(), cpu.predict(x.cpu(), t, texts[0]), rtol=1e-3, atol=1e-3
    )
    pixels = torch.from_numpy(PICTURE / np.float32(255)).permute(2, 0, 1)[None]
    mean = cpu.encode_picture(pixels)[0]
    torch.testing.assert_close(gpu.encode_picture(pixels)[0].cpu(), mean, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(gpu.decode(mean.cuda()).cpu(), cpu.decode(mean), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("kind", ["sd15", "sd2v", "lcm", "inpaint", "ddpm"])
def test_every_family_says_what_it_says_on_the_cpu(
    tiny: TinyCheckpoints, kind: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Within what cuDNN's convolutions in float32 round, some of which multiply in TF32."""
    said = []
    for device in ("cpu", "cuda"):
        model = DiffusionModel.load(tiny(kind), device=device, dtype="float32")
        generator = torch.Generator().manual_seed(0)
        x = torch.randn(2, model.channels, 16, 16, generator=generator).to(device)
        extra = torch.randn(2, 5, 16, 16, generator=generator).to(device) if model.takes_mask else None
        texts = torch.cat([model.encode_text(text).states for text in ("", "a lake")])
        for _ in range(2):  # recorded, then replayed
            out = model.predict(x, [900.0, 30.0], texts, [3.0, 1.0], extra)
        said.append(out.cpu())
    torch.testing.assert_close(said[1], said[0], rtol=5e-3, atol=5e-3)
    assert not [r for r in caplog.records if r.levelno >= logging.WARNING and r.name == "overpaint"]


def request(**options: Any) -> EditRequest:
    told = {"strength": 0.5, "steps": 8, "seed": 3, "sampler": "dpm++2m_sde", "size": "input"} | options
    return EditRequest(PICTURE, "a lake at night", **told)


def test_edits_have_the_same_bytes_every_time_and_in_company_of_their_bucket() -> None:
    """Alone a guided edit is two rows, and so are two edits without guidance together."""
    with Editor("embedded", device="cuda") as editor:
        first = editor.submit(request()).result()
        again = editor.submit(request()).result()
        assert np.array_equal(first.pixels, again.pixels)
        assert first.recipe.made_with["kernels"] == model_kernels.VERSION
        alone = editor.submit(request(guidance_scale=1)).result()
        both: list[EditResult] = editor._all([request(guidance_scale=1), request(guidance_scale=1, seed=4)])
        assert np.array_equal(both[0].pixels, alone.pixels)


@pytest.mark.filterwarnings("ignore:Synchronization debug mode is a prototype")
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_steps_do_not_wait_for_the_gpu(cuda: DiffusionModel, sampler: Any) -> None:
    """Start and end of an edit may; between them the host only asks."""
    mask = np.zeros((64, 64), np.float32)
    mask[16:48, 16:48] = np.linspace(0.2, 1, 32)
    requests = [
        request(sampler=sampler, steps=10, strength=0.8),
        request(sampler=sampler, steps=10, strength=0.8, change_map=mask, region="whole"),
        request(sampler=sampler, steps=10, strength=0.8, guidance_scale=1, seed=9),
    ]
    engine = Engine(lambda: cuda)
    jobs = []
    for one in requests:
        job = _waiting(prepare(one, cuda))
        engine._start(job)
        jobs.append(job)
    assert len(engine._active) == 3
    engine.step()  # the first call of a shape is recorded
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        for _ in range(3):
            engine.step()
    finally:
        torch.cuda.set_sync_debug_mode("default")
    assert [job.done() for job in jobs] == [False] * 3
    assert all(item.steps_taken >= 2 for item in engine._active)
    with pytest.raises(RuntimeError, match="synchroniz"):  # the mode does see what waits
        _wait_for(engine._active[0].trajectory.x)
    engine._finishers.shutdown()


def _waiting(task: Any) -> Any:
    from overpaint.job import TaskJob

    return TaskJob(task)


def _wait_for(x: Tensor) -> None:
    torch.cuda.set_sync_debug_mode("error")
    try:
        bool(x.sum() > 0)
    finally:
        torch.cuda.set_sync_debug_mode("default")


def test_a_vae_is_replayed_with_the_bits_of_ordinary_calls(cuda: DiffusionModel) -> None:
    codec: Any = cuda._codec
    encoder, decoder = codec._vae.encoder, codec._vae.decoder
    z = torch.randn(1, cuda.channels, 32, 24, generator=torch.Generator().manual_seed(0)).cuda()
    first, second = cuda.decode(z), cuda.decode(z)
    pixels = first.cpu()
    mean, _ = cuda.encode_picture(pixels)
    assert len(decoder._calls) > 0
    assert len(encoder._calls) > 0
    codec._vae.encoder, codec._vae.decoder = encoder.layer, decoder.layer
    ordinary = cuda.decode(z)
    with torch.inference_mode():
        encoded, _ = codec.encode(pixels.cuda())
    codec._vae.encoder, codec._vae.decoder = encoder, decoder
    assert torch.equal(first, ordinary)
    assert torch.equal(second, ordinary)
    assert torch.equal(mean, encoded)


def test_a_picture_that_overflows_half_precision_is_decoded_all_the_same(cuda: DiffusionModel) -> None:
    """In float32, after which the recorded calls are right again: the weights have moved meanwhile."""
    z = torch.randn(1, cuda.channels, 16, 16, generator=torch.Generator().manual_seed(0)).cuda()
    before = cuda.decode(z)
    assert torch.isfinite(cuda.decode(z * 3e5)).all()
    junk = [torch.randn(2**20, device="cuda") for _ in range(64)]  # where the weights were
    assert torch.equal(cuda.decode(z), before)
    assert junk
