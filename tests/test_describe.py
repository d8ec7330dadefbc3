"""``overpaint describe``: the judge is as good as its file says, drafts name what is there, and BLIP where it is."""

import json
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from conftest import EXAMPLES, ROOT, random_picture
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from overpaint.cli.app import app
from overpaint.describe import Description, HeadFacts, Judge, describe
from overpaint.describe.drafting import KINDS, WORDS, drafted
from overpaint.describe.heads import FEATURES, HEADS, SIDE
from overpaint.describe.judge import FORMAT, WEIGHTS, Verdicts, facts_as_text
from overpaint.errors import ImageError, ModelError
from overpaint.picture import Pixels
from training.judge.damage import DAMAGES, damaged
from training.judge.measuring import asked, calibrated, measured
from training.judge.rendering import LABELLED, Renders, render
from training.scenes.words.phrases import BUILT, IN_SEASON, IN_TIME, IN_WEATHER, PLACES
from training.scenes.words.style_phrases import STYLE_OF

SEED = 424242  # of places that the judge neither was trained on, nor calibrated or measured by
RUN = CliRunner()


@pytest.fixture(scope="module")
def judge() -> Judge:
    return Judge.load()


@cache
def renders() -> Renders:
    return render(15, SEED)


def pictures_of(renders: Renders) -> list[Pixels]:
    return [p.transpose(1, 2, 0).astype(np.float32) / 255 for p in renders.pictures]


# ---- the judge -------------------------------------------------------------------------------------------------------


def test_the_file(judge: Judge) -> None:
    """It is small, and tells of every head what the measurements write, nothing else."""
    assert WEIGHTS.stat().st_size <= 600_000
    with safe_open(WEIGHTS, framework="np") as file:
        told = json.loads(file.metadata()[FORMAT])
    assert told == json.loads(facts_as_text(judge.facts))
    for head, facts in judge.facts.items():
        assert facts.pictures >= 600
        assert 0 < facts.accuracy <= 1, head
        assert facts.accuracy > facts.chance or head in ("boat", "flowers"), head
        assert facts.precision is None or facts.precision >= 0.75, head


@pytest.mark.parametrize("head", [h for h in LABELLED if h not in ("flowers", "boat")])
def test_it_is_as_good_as_its_file_says(judge: Judge, head: str) -> None:
    """On other places; three standard errors of so few pictures are allowed for."""
    labels = renders().labels[:, LABELLED.index(head)]
    found = judge.look(pictures_of(renders())).probabilities[head].argmax(1)
    told = labels >= 0
    said, n = judge.facts[head].accuracy, int(told.sum())
    assert n >= 40
    margin = 3 * np.sqrt(said * (1 - said) / (n / 2))  # two styles of one place fail together
    assert (found == labels)[told].mean() >= said - margin


def test_the_docs_tell_the_files_numbers(judge: Judge) -> None:
    page = " ".join((ROOT / "docs" / "command-line.md").read_text(encoding="utf-8").split())
    for head, words in {"terrain": "terrain", "time": "time of day", "season": "season", "style": "style"}.items():
        assert f"the {words} in {100 * judge.facts[head].accuracy:.0f} %" in page


def test_it_knows_the_broken_ones(judge: Judge) -> None:
    whole = torch.from_numpy(renders().pictures).float() / 255
    whole = torch.nn.functional.interpolate(whole, size=(SIDE, SIDE), mode="bilinear", antialias=True)
    broken, _ = damaged(whole, torch.Generator().manual_seed(SEED))
    sound = judge.look([x.permute(1, 2, 0).numpy() for x in torch.cat([whole, broken])]).sound
    undamaged = renders().labels[:, LABELLED.index("style")] != HEADS["style"].index("degraded")
    n = len(whole)
    intact, found_out = (sound[:n] > 0.5)[undamaged].mean(), (sound[n:] < 0.5).mean()
    assert intact > 0.85
    assert (intact + found_out) / 2 > judge.facts["sound"].accuracy - 0.12  # three standard errors, as above


def test_a_verdict_depends_on_its_picture_alone(judge: Judge) -> None:
    sizes = [(40, 30), (200, 90), (128, 128), (1, 1), (300, 301)]
    pictures = [random_picture(w, h, seed=i).astype(np.float32) / 255 for i, (w, h) in enumerate(sizes)]
    together = judge.look([*pictures, *pictures_of(renders())[:30]])
    assert together.features.shape == (35, FEATURES)
    assert together.features.dtype == np.float32
    for i, picture in enumerate(pictures):
        alone = judge.look([picture])
        assert np.allclose(alone.features[0], together.features[i], atol=1e-4)
        for head, p in alone.probabilities.items():
            assert p.shape == (1, len(together.classes[head]))
            assert np.allclose(p[0], together.probabilities[head][i], atol=1e-4)
            assert p.sum() == pytest.approx(1, abs=1e-5)
    assert np.array_equal(judge.look(pictures).features, judge.look(pictures).features)
    assert len(judge.look([])) == 0


@pytest.mark.parametrize(
    "picture",
    [
        np.zeros((8, 8)),
        np.zeros((8, 8, 4)),
        np.zeros((0, 8, 3)),
        np.zeros((8, 8, 3), np.uint8),
        np.full((8, 8, 3), np.nan),
    ],
)
def test_what_is_no_picture(judge: Judge, picture: Pixels) -> None:
    with pytest.raises(ImageError, match="picture 1"):
        judge.look([np.zeros((8, 8, 3), np.float32), picture])


def test_wrong_files(tmp_path: Path) -> None:
    with safe_open(WEIGHTS, framework="np") as file:
        metadata = file.metadata()
    tensors, path = load_file(WEIGHTS), tmp_path / "judge.safetensors"

    def refused(match: str) -> None:
        with pytest.raises(ModelError, match=match):
            Judge.load(path)

    refused("no such file")
    save_file(tensors, path, {"format": "pt"})
    refused(f"is no judge: its metadata has no entry '{FORMAT}'")
    save_file(tensors, path, {FORMAT: "{}"})
    refused("does not tell all heads' facts")
    save_file({k: v for k, v in tensors.items() if k != "heads.bias"}, path, metadata)
    refused(r"'heads.bias' has the shape None, must have \(\d+,\)")
    save_file(tensors | {"heads.bias": torch.zeros(3)}, path, metadata)
    refused(r"'heads.bias' has the shape \(3,\)")
    save_file(tensors | {"heads.bias": tensors["heads.bias"] * torch.nan}, path, metadata)
    refused("not finite")
    path.write_bytes(WEIGHTS.read_bytes()[:-10])
    refused("incomplete")


# ---- how its accuracy is measured ------------------------------------------------------------------------------------


def test_accuracy_is_counted_right() -> None:
    """Ten pictures by hand: 8 of 10 right; sure of five, four of which are right."""
    n = 10
    right = torch.zeros(n, dtype=torch.long)
    right[5:] = 3  # night
    scores = torch.zeros(n, 4)
    scores[:5, 0] = 5.0
    scores[5:, 3] = 5.0
    scores[0], scores[9] = torch.tensor([0, 0, 0, 5.0]), torch.tensor([5.0, 0, 0, 0])
    answers = {head: np.full(n, -1) for head in HEADS} | {"time": right.numpy(), "style": np.arange(n) % 2}
    facts = HeadFacts(1.0, {"day": 0.5, "sunset": 0.5, "dawn": None, "night": 0.5}, 0, 0, None, 0, 0, None)
    found = measured({"time": facts}, {"time": scores}, answers)["time"]
    assert (found.pictures, found.accuracy, found.chance) == (10, 0.8, 0.5)
    assert found.on_photos == 0.8  # those with style 0: pictures 0, 2, 4, 6, 8, of which 0 is wrong
    assert (found.named, found.precision) == (0.5, 0.8)  # nights; days are not drafted


def test_thresholds_keep_what_they_promise() -> None:
    """Scores that are right as often as they say: what is above a threshold is right often enough."""
    rng = np.random.default_rng(0)
    n = 4000
    strong = rng.normal(0, 1.5, n)
    right = (rng.random(n) < 1 / (1 + np.exp(-strong))).astype(np.int64)
    scores = {h: torch.zeros(n, len(c)) for h, c in HEADS.items()}
    answers = {h: np.zeros(n, np.int64) for h in HEADS}
    scores["boat"][:, 1] = torch.from_numpy(strong * 3).float()  # three times too sure
    answers["boat"] = right
    facts = calibrated(scores, answers)["boat"]
    assert facts.temperature == pytest.approx(3, rel=0.1)
    p = 1 / (1 + np.exp(-strong * 3 / facts.temperature))
    least = facts.least["yes"]
    assert least is not None
    assert 0.89 <= right[p >= least].mean() <= 0.99
    assert 0.6 < least < 0.97


def test_damages_are_told_apart_from_the_whole() -> None:
    whole, answers = asked(renders(), SEED)
    n = len(renders())
    assert whole.shape == (2 * n, 3, SIDE, SIDE)
    assert set(answers["sound"][n:]) == {0}
    assert set(answers["time"][n:]) == {-1}
    assert set(answers["sound"][:n]) <= {1, -1}
    assert float(whole.min()) >= 0
    assert float(whole.max()) <= 1
    for name, (damage, _) in DAMAGES.items():
        broken = damage(whole[:4], whole[4:8], torch.full((4, 1, 1, 1), 0.5), torch.Generator().manual_seed(1))
        assert broken.isfinite().all(), name
        assert (broken - whole[:4]).abs().mean() > 0.02, name


# ---- drafts ----------------------------------------------------------------------------------------------------------


def verdicts(**best: tuple[str, float]) -> Verdicts:
    """Of one intact picture: the named classes with their probabilities, the rest unsure."""
    probabilities = {}
    for head, classes in HEADS.items():
        name, p = ({"sound": ("intact", 0.9)} | best).get(head, (classes[0], 1 / len(classes) + 0.01))
        row = np.full(len(classes), (1 - p) / (len(classes) - 1), np.float32)
        row[classes.index(name)] = p
        probabilities[head] = row[None]
    return Verdicts(probabilities, dict(HEADS), np.zeros((1, FEATURES), np.float32))


def draft(**best: tuple[str, float]) -> Description:
    facts = {head: HeadFacts(1, dict.fromkeys(classes, 0.7), 0, 0, None, 0, 0, None) for head, classes in HEADS.items()}
    return drafted(verdicts(**best), facts)[0]


def test_a_draft_is_a_caption() -> None:
    sure = dict.fromkeys(("style", "terrain", "building", "time", "season", "weather"), 0.9)
    names = ("photo", "mountain lake", "castle", "sunset", "autumn", "fog")
    told = {head: (name, p) for (head, p), name in zip(sure.items(), names, strict=True)}
    assert draft(**told).prompt == "a photo of a mountain lake with a castle at sunset in autumn, foggy"
    told |= {"boat": ("yes", 0.9), "trees": ("yes", 0.9)}
    prompt = "a photo of a mountain lake with a castle, a boat and trees at sunset in autumn, foggy"
    assert draft(**told).prompt == prompt


def test_a_draft_names_only_what_is_sure() -> None:
    told = {"style": ("photo", 0.5), "terrain": ("desert", 0.69), "time": ("night", 0.71), "season": ("winter", 0.3)}
    found = draft(**told)
    assert found.prompt == "a picture of a landscape at night"
    assert [p.head for p in found.parts if p.sure] == ["time"]
    assert draft(style=("oil", 0.9)).prompt == ""  # the style alone is no description
    assert draft(time=("day", 0.9), building=("none", 0.9)).prompt == ""  # goes without saying
    assert draft(time=("night", 0.9), sound=("broken", 0.9)).prompt == ""
    lines = {"style": ("lines", 0.9), "terrain": ("forest", 0.9), "time": ("night", 0.9), "trees": ("yes", 0.9)}
    assert draft(**lines).prompt == "a line drawing of a forest"


def test_kinds_are_named_where_no_terrain_is_sure() -> None:
    two = verdicts(style=("photo", 0.9))
    row = np.full(len(HEADS["terrain"]), 0.02, np.float32)
    for terrain, p in (("mountain lake", 0.45), ("forest lake", 0.35)):
        row[HEADS["terrain"].index(terrain)] = p
    two.probabilities["terrain"][0] = row
    facts = {head: HeadFacts(1, dict.fromkeys(cs, 0.7), 0, 0, None, 0, 0, None) for head, cs in HEADS.items()}
    (found,) = drafted(two, facts)
    assert found.prompt == "a photo of a lake"
    assert {p.head: (p.name, p.sure) for p in found.parts}["terrain"] == ("lake", True)
    row[HEADS["terrain"].index("forest lake")] = 0.25
    two.probabilities["terrain"][0] = row
    assert drafted(two, facts)[0].prompt == ""
    assert all(set(terrains) <= set(HEADS["terrain"]) for terrains, _ in KINDS.values())


def test_drafts_are_in_the_words_of_the_captions() -> None:
    """Every phrase is one that the embedded model was trained on, but for bare trees and flowers."""
    by_name = (*STYLE_OF.values(), *PLACES.values(), *BUILT.values())
    by_name += (*IN_TIME.values(), *IN_SEASON.values(), *IN_WEATHER.values())
    trained = {phrase for phrases in by_name for phrase in phrases} | {"a boat", "trees", "flowers"}
    for head, by_class in WORDS.items():
        assert set(by_class) <= set(HEADS[head])
        assert {words.strip(" ,") for words in by_class.values()} <= trained
    assert {words for _, words in KINDS.values()} <= trained


@pytest.mark.parametrize(("file", "terrain"), [("castle.jpg", "lake"), ("mountains.jpg", "mountains")])
def test_the_examples(file: str, terrain: str) -> None:
    """Days, as photographs; where it is unsure of the terrain it still guesses right."""
    found = describe(EXAMPLES / file)
    told = {p.head: p.name for p in found.parts}
    assert (told["style"], told["time"], told["terrain"]) == ("photo", "day", terrain)
    assert found.prompt.startswith("a photo of ")
    assert not any(word in found.prompt for word in ("night", "sunset", "winter", "desert", "sea", "storm"))


@pytest.mark.parametrize("kind", ["fine", "blobs", "grey"])
def test_of_noise_nothing_is_said(kind: str) -> None:
    rng = np.random.default_rng(1)
    noise = {
        "fine": rng.random((256, 256, 3), np.float32),
        "blobs": random_picture(256, 256, seed=5),
        "grey": np.full((64, 64, 3), 128, np.uint8),
    }[kind]
    found = describe(noise)
    assert found.prompt == ""
    assert found.as_dict()["prompt"] is None


def test_night_and_day_of_one_place(judge: Judge) -> None:
    """What a benchmark asks it: the same place, and only the time differs."""
    labels = renders().labels
    photos = labels[:, LABELLED.index("style")] == HEADS["style"].index("photo")
    night = labels[:, LABELLED.index("time")] == HEADS["time"].index("night")
    chance = judge.look(pictures_of(renders())).probabilities["time"][:, HEADS["time"].index("night")]
    assert chance[photos & night].min() > chance[photos & ~night].max() - 0.2
    assert chance[night].mean() > chance[~night].mean() + 0.5


# ---- the command -----------------------------------------------------------------------------------------------------


def test_the_command(tmp_path: Path) -> None:
    done = RUN.invoke(app, ["describe", str(EXAMPLES / "castle.jpg")])
    assert done.exit_code == 0
    assert done.stdout.splitlines()[0] == describe(EXAMPLES / "castle.jpg").prompt
    assert "sure:" in done.stdout
    assert "small classifier of landscapes" in done.stderr
    assert "%" in done.stderr


def test_the_command_as_json(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    files = [str(EXAMPLES / "castle.jpg"), str(tmp_path / "bad.png"), str(EXAMPLES / "mountains.jpg")]
    done = RUN.invoke(app, ["describe", *files, "--json"])
    assert done.exit_code == 1
    castle, bad, mountains = map(json.loads, done.stdout.splitlines())
    assert castle["prompt"] == describe(files[0]).prompt
    assert castle["parts"]["time"]["name"] == "day"
    assert set(castle["parts"]) == set(LABELLED)
    assert castle["accuracy"]["time"]["right"] == Judge.load().facts["time"].accuracy
    assert castle["accuracy"]["time"]["pictures"] >= 600
    assert bad["error"]["type"] == "ImageError"
    assert mountains["input"] == files[2]


def test_the_command_refuses(tmp_path: Path) -> None:
    photo = str(EXAMPLES / "castle.jpg")
    for given, code, words in [
        (["describe"], 2, "images"),
        (["describe", photo, "--with", ""], 2, "with: is empty"),
        (["describe", photo, "--download"], 2, "--download goes with --with blip"),
        (["describe", photo, "--with", str(tmp_path / "x")], 3, "no such folder"),
        (["describe", str(tmp_path / "x.jpg")], 1, "x.jpg"),
    ]:
        done = RUN.invoke(app, given)
        assert done.exit_code == code, done.output
        assert words in done.output.replace("\n", " ")
