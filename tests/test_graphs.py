"""Calls recorded and replayed: the bookkeeping, with a recorder that needs no GPU; `test_cuda.py` has real ones."""

import logging
from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from overpaint.errors import EditFailed
from overpaint.model import DiffusionModel
from overpaint.model_graphs import AHEAD, Replayed, ReplayedLayer, Replays


class Sum:
    """A network whose output tells all its inputs."""

    def __init__(self) -> None:
        self.calls = 0

    def read(self, states: Tensor) -> Tensor:
        return states + 1

    def moment(self, t: float, guidance: float) -> Tensor:
        return torch.tensor([[t, guidance]])

    def __call__(self, x: Tensor, moments: Tensor, texts: Tensor) -> Tensor:
        self.calls += 1
        return x + moments.sum(1)[:, None, None, None] + texts.sum((1, 2))[:, None, None, None]


class Again:
    """Does work again into the tensor of its first result, as a CUDA graph does; waits are counted."""

    def __init__(self, works: bool = True) -> None:
        self.works = works
        self.recorded, self.marks, self.waits = 0, 0, 0

    def record(self, work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        if not self.works:
            raise RuntimeError("operation not permitted\nwhen stream is capturing")
        self.recorded += 1
        result = work()

        def replay() -> None:
            result.copy_(work())

        return replay, result

    def mark(self) -> Callable[[], None]:
        self.marks += 1

        def wait() -> None:
            self.waits += 1

        return wait


def rows(n: int, side: int = 4, tokens: int = 3, seed: int = 0) -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return (
        torch.randn(n, 4, side, side, generator=generator).contiguous(memory_format=torch.channels_last),
        torch.randn(n, 2, generator=generator),
        torch.randn(n, tokens, 5, generator=generator),
    )


def test_each_shape_is_recorded_once_and_says_what_the_network_says() -> None:
    recorder = Again()
    network = Replayed(Sum(), recorder)
    shapes = [(2, 4, 3), (4, 4, 3), (2, 8, 3), (2, 4, 6)]
    for turn in range(3):
        for n, side, tokens in shapes:
            told = rows(n, side, tokens, seed=turn)
            assert torch.equal(network(*told), Sum()(*told))
    assert recorder.recorded == len(shapes)


def test_a_result_is_the_askers_own() -> None:
    """The next call may not overwrite it, and nobody's tensors are kept."""
    network = Replayed(Sum(), Again())
    first, second = rows(2, seed=1), rows(2, seed=2)
    kept = network(*first)
    said = kept.clone()
    copies = [part.clone() for part in first]
    network(*second)
    assert torch.equal(kept, said)
    assert all(torch.equal(part, copy) for part, copy in zip(first, copies, strict=True))


def test_the_order_of_memory_is_the_askers() -> None:
    seen: list[bool] = []

    class Looking(Sum):
        def __call__(self, x: Tensor, moments: Tensor, texts: Tensor) -> Tensor:
            seen.append(x.is_contiguous(memory_format=torch.channels_last))
            return super().__call__(x, moments, texts)

    Replayed(Looking(), Again())(*rows(2))
    assert seen
    assert all(seen)


def test_only_the_newest_are_kept() -> None:
    recorder = Again()
    network = Replays(Sum(), recorder, most=2)
    for n in (1, 2, 3, 3, 2):
        network(*rows(n))
    assert recorder.recorded == 3
    network(*rows(1))
    assert recorder.recorded == 4


def test_where_nothing_can_be_recorded_the_network_is_asked_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING, "overpaint")
    asked = Sum()
    network = Replayed(asked, Again(works=False))
    for seed in range(3):
        told = rows(2, seed=seed)
        assert torch.equal(network(*told), Sum()(*told))
    assert [r.message for r in caplog.records] == [
        "no CUDA graph for [2, 4, 4, 4], it is slower without: operation not permitted when stream is capturing"
    ]
    assert asked.calls == 4  # the first failed to be recorded after an ordinary call


def test_a_network_that_fails_fails_its_asker_and_is_tried_again() -> None:
    class Once(Sum):
        def __call__(self, x: Tensor, moments: Tensor, texts: Tensor) -> Tensor:
            if not self.calls:
                self.calls += 1
                raise EditFailed("out of memory")
            return super().__call__(x, moments, texts)

    network = Replayed(Once(), Again())
    with pytest.raises(EditFailed):
        network(*rows(2))
    assert torch.equal(network(*rows(2)), Sum()(*rows(2)))


def test_the_host_is_few_calls_ahead() -> None:
    recorder = Again()
    network = Replayed(Sum(), recorder)
    for n in range(10):
        network(*rows(2))
        assert recorder.marks - recorder.waits == min(n + 1, AHEAD)


def test_texts_and_moments_are_the_networks() -> None:
    network = Replayed(Sum(), Again())
    assert torch.equal(network.moment(3.0, 1.0), torch.tensor([[3.0, 1.0]]))
    assert torch.equal(network.read(torch.zeros(1)), torch.ones(1))


def test_a_model_that_replays_makes_the_same_pictures(model: DiffusionModel, monkeypatch: pytest.MonkeyPatch) -> None:
    x = torch.randn(6, model.channels, 16, 16, generator=torch.Generator().manual_seed(0))
    t = [900.0, 700.0, 500.0, 300.0, 100.0, 1.0]
    texts = torch.cat([model.encode_text(text).states for text in ("", "a lake") * 3])
    expected = model.predict(x, t, texts)
    recorder = Again()
    monkeypatch.setattr(model, "_network", Replayed(model._network, recorder))
    assert torch.equal(model.predict(x, t, texts), expected)
    assert recorder.recorded == 1


def test_a_layer_is_recorded_for_small_pictures_and_anew_when_its_weights_move() -> None:
    recorder = Again()
    convolution = nn.Conv2d(4, 2, 3).requires_grad_(False)
    layer = ReplayedLayer(convolution, recorder, largest=64)
    small, large = torch.randn(1, 4, 8, 8), torch.randn(1, 4, 8, 9)
    for x in (small, large, small, large):
        assert torch.equal(layer(x), convolution(x))
    assert recorder.recorded == 1
    layer.double()
    assert torch.equal(layer(small.double()), convolution(small.double()))
    assert recorder.recorded == 2
