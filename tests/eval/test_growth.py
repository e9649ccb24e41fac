from __future__ import annotations

import json

import pytest

from eval.speed.growth import SIZES, cost, duration, main, measured, table
from waqia import ConfigError


def report(threads=1):
    """What eval.speed writes, with round figures that nobody measured."""
    streams = [{"engine": "waqia onnxruntime int8", "articles": n, "cpu_s": s, "peak_mb": 100.0} for n, s in ((100, 0.036), (10, 0.05))]
    shape = {"shape": {"tokens": 800, "texts": 10}, "articles": streams}
    return {"threads": threads, "machine": {"processor": "a processor"}, "shapes": {"mini": shape}}


def test_the_longest_stream_gives_the_cost_of_an_article():
    row = cost(measured(report(), "mini", "waqia onnxruntime int8"), 10**6, 80, 10, 0.5)
    assert row.core_hours == pytest.approx(10)
    assert row.wall_s == pytest.approx(3600)
    assert row.usd == pytest.approx(5)
    assert row.resume_mb == pytest.approx(40)


def test_longer_articles_cost_more_by_their_tokens():
    found = measured(report(), "mini", "waqia onnxruntime int8")
    assert cost(found, 10, 160, 1, None).core_hours == pytest.approx(2 * cost(found, 10, 80, 1, None).core_hours)


def test_the_table_says_what_it_rests_on(tmp_path, capsys):
    (tmp_path / "speed.json").write_text(json.dumps(report()), "utf-8")
    main([str(tmp_path / "speed.json"), "--cores", "8", "--out", str(tmp_path / "rows.json")])
    shown = capsys.readouterr().out
    assert "10: 50.00 ms, 100: 36.00 ms" in shown
    assert "8 cores need 0.8 GB" in shown
    assert [row["articles"] for row in json.loads((tmp_path / "rows.json").read_text("utf-8"))] == list(SIZES)


def test_a_price_adds_a_column():
    found = measured(report(), "mini", "waqia onnxruntime int8")
    with_price, without = (table(found, [cost(found, 10, 80, 1, price)], 1)[-1].count("|") for price in (1.0, None))
    assert with_price == without + 1


def test_what_was_not_measured_is_never_shown():
    with pytest.raises(ConfigError, match="no stream of 'waqia openvino' on 'mini' was measured"):
        measured(report(), "mini", "waqia openvino")
    with pytest.raises(ConfigError, match="had 2 threads"):
        measured(report(threads=2), "mini", "waqia onnxruntime int8")


@pytest.mark.parametrize(("seconds", "shown"), [(0.5, "0.5 s"), (90, "1.5 min"), (7200, "2.0 h"), (10 * 86_400, "10.0 days")])
def test_durations_have_the_largest_unit_that_fits(seconds, shown):
    assert duration(seconds) == shown
