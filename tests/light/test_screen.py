from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest

from waqia import ArtefactError, ConfigError, Reader
from waqia.bulk import screen
from waqia.bulk.jsonl import run
from waqia.bulk.screen import Bound, Screen, Weights, scores
from waqia.model.pipeline import cut_texts
from waqia.model.windows import Window

SPORT = "فاز فريق الوداد على ضيفه بثلاثة أهداف مقابل هدف في المباراة التي جمعتهما ضمن الدوري الممتاز لكرة القدم."
ATTACK = "قتل خمسة جنود في هجوم شنه مسلحون على حاجز للجيش شمال مدينة تعز مساء أمس."


@pytest.fixture(scope="module")
def shipped():
    return screen.load()


@pytest.fixture(scope="module")
def screening(shipped):
    return Reader.load(threads=1, screen=shipped)


def window(*ids):
    places = np.arange(len(ids))
    return Window(np.array(ids, np.int64), places[1:-1], places[2:], np.zeros((len(ids) - 2, 2), np.int64), (0, len(ids) - 2))


def by_hand(threshold=0):
    """Tokens of one number, one neighbour on either side, two hidden numbers: what goes before weighs 2, the token 3, the mean 1."""
    vectors = np.array([[0], [1], [5], [-4]], np.int8)
    first = np.array([[2, 0], [3, 0], [0, 1], [1, 0]], np.int8)
    weights = Weights(vectors, first, np.array([1, 10], np.int64), np.array([1, 0.5], np.float32), np.array([2, -1], np.int8))
    return Screen("by hand", "v", "m", weights, Bound(0.1, 0.9, threshold, 1, 0), "d")


def test_the_score_of_a_window_is_that_of_its_likeliest_token_worked_out_by_hand():
    # tokens 1, 5, -4, 1; their mean 3/4, four times and rounded down 3; first hidden number: 2 before + 3 self + mean + 1
    # token 1: 3 + 3 + 1 = 7, with (10 + 5) / 2 = 7.5 -> 7 after it: 2 * 7 - 7 = 7; token 5: 2 + 15 + 4 = 21, (10 - 4) / 2 = 3: 39
    assert scores([window(1, 2, 3, 1)], by_hand().weights).tolist() == [39]
    assert scores([], by_hand().weights).tolist() == []


def test_a_window_passes_where_its_score_reaches_the_threshold():
    assert by_hand(39).keep([window(1, 2, 3, 1)]).tolist() == [True]
    assert by_hand(40).keep([window(1, 2, 3, 1)]).tolist() == [False]


def test_a_window_scores_the_same_alone_and_between_others(screening, shipped, passages, monkeypatch):
    windows = [one for of_text in cut_texts(passages, screening._model) for one in of_text]
    together = scores(windows, shipped.weights)
    assert together.tolist() == [int(scores([one], shipped.weights)[0]) for one in windows]
    monkeypatch.setattr(screen, "TOKENS_A_BATCH", 7)
    assert together.tolist() == scores(windows, shipped.weights).tolist()


def test_sums_stay_exact_in_float32(shipped):
    first, second = (np.abs(array.astype(np.int64)) for array in (shipped.weights.first, shipped.weights.second))
    assert first.sum(0).max() * 127 + np.abs(shipped.weights.bias).max() < 1 << 24
    assert second.sum() * screen.HIGHEST < 1 << 24


def test_sport_is_screened_out_and_an_attack_is_read(screening):
    sport, attack = screening.read_many([SPORT, ATTACK])
    assert (sport.windows, sport.screened, sport.incidents, set(sport.types.values())) == (1, 1, (), {0.0})
    assert (attack.windows, attack.screened) == (1, 0)
    assert attack.incidents


def test_read_never_screens(screening, reader):
    assert screening.read(SPORT) == reader.read(SPORT)
    assert screening.read(SPORT).screened == 0


def test_with_a_screen_the_readings_differ_in_the_screened_windows_alone(screening, reader, shipped, passages):
    plain = list(reader.read_many(passages))
    kept = [shipped.keep(list(of_text)) for of_text in cut_texts(passages, screening._model)]
    found = list(screening.read_many(passages))
    assert [one.screened for one in found] == [int((~keep).sum()) for keep in kept]
    assert [one for one in found if not one.screened] == [one for one, other in zip(plain, found, strict=True) if not other.screened]


def test_texts_beside_one_that_cannot_be_read_are_screened_all_the_same(screening):
    assert [one.screened for one in screening.read_many([SPORT, None, (SPORT, "no day")])] == [1, 0, 0]


def test_a_pickled_reader_keeps_its_screen(tmp_path, screening):
    source = tmp_path / "in.jsonl"
    rows = [{"id": n, "text": text} for n, text in enumerate([SPORT, ATTACK] * 3)]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    run(source, tmp_path / "one.jsonl", screening)
    run(source, tmp_path / "two.jsonl", screening, workers=2)
    assert (tmp_path / "one.jsonl").read_bytes() == (tmp_path / "two.jsonl").read_bytes()
    assert [json.loads(line)["screened"] for line in (tmp_path / "two.jsonl").read_text("utf-8").splitlines()] == [1, 0] * 3


def test_a_job_does_not_go_on_with_another_screen(tmp_path, screening, reader):
    source = tmp_path / "in.jsonl"
    source.write_text(json.dumps({"id": 1, "text": SPORT}) + "\n", "utf-8")
    run(source, tmp_path / "out.jsonl", screening)
    with pytest.raises(ConfigError, match=r"was read with screen 'waqia-mini-screen .* now None"):
        run(source, tmp_path / "out.jsonl", reader)


def test_the_shipped_screen_knows_the_vocabulary_of_the_shipped_model_and_says_what_it_loses(shipped):
    assert shipped.vocabulary == screen_vocabulary()
    told = json.loads((screen.PACKAGED / screen.DEFAULT / "screen.json").read_text("utf-8"))
    for bound, measured in zip(told["bounds"], told["card"]["measured"], strict=True):
        assert measured["other outlets"]["lost"] <= bound["lost"] * measured["other outlets"]["incidents"]
    assert shipped.bound.lost == screen.LOST
    assert shipped.bound.confidence == 0.9


def screen_vocabulary():
    from waqia.model import artefact

    return artefact.load().vocabulary


def test_a_share_that_was_not_proved_is_refused_with_those_that_were():
    with pytest.raises(ConfigError, match=r"no threshold was proved for a share of 0\.3 lost; proved: 0\.01"):
        screen.load(lost=0.3)


@pytest.mark.parametrize("damage", ["gone", "changed", "cut"])
def test_a_damaged_screen_is_refused(tmp_path, damage):
    folder = tmp_path / "screen"
    shutil.copytree(screen.PACKAGED / screen.DEFAULT, folder)
    weights = folder / "weights.npz"
    data = weights.read_bytes()
    if damage == "gone":
        weights.unlink()
    else:
        weights.write_bytes(data[:-1] if damage == "cut" else data.replace(data[5000:5001], b"x", 1))
    with pytest.raises(ArtefactError, match="is no whole screen"):
        screen.load(folder)


def test_a_screen_is_read_back_as_it_was_written(tmp_path):
    one = by_hand()
    bounds = [replace(one.bound, lost=0.2), one.bound]
    screen.write(tmp_path, name="by hand", vocabulary="v", model="m", weights=one.weights, bounds=bounds, card={})
    back = screen.load(tmp_path, lost=0.2)
    assert back.bound == bounds[0]
    assert scores([window(1, 2, 3, 1)], back.weights).tolist() == [39]


def test_arrays_that_do_not_belong_together_are_refused():
    with pytest.raises(ValueError, match="arrays are vectors int8"):
        replace(by_hand().weights, bias=np.zeros(3, np.int64))


def test_a_screen_of_another_vocabulary_is_refused():
    with pytest.raises(ConfigError, match="by hand: knows another vocabulary"):
        Reader.load(threads=1, screen=by_hand())


def test_a_screen_proved_for_another_artefact_says_that_its_bound_does_not_hold(shipped, caplog):
    Reader.load(threads=1, screen=replace(shipped, model="another"))
    assert "was proved for another artefact" in caplog.text


def test_screens_with_other_thresholds_are_not_the_same(shipped):
    other = replace(shipped, bound=replace(shipped.bound, threshold=shipped.bound.threshold + 1))
    assert other.identity != shipped.identity
