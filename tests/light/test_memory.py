"""When free memory goes back to the system."""

from __future__ import annotations

from waqia.model import memory


def test_memory_goes_back_each_time_8192_tokens_are_read(monkeypatch):
    given: list[int] = []
    monkeypatch.setattr(memory, "_TRIM", given.append)
    holes = memory.Holes()
    for tokens, times in ((8191, 0), (1, 1), (8191, 1), (5000, 2), (1, 2)):
        holes.after(tokens)
        assert len(given) == times
    assert set(given) == {0}


def test_where_the_c_library_cannot_nothing_happens(monkeypatch):
    monkeypatch.setattr(memory, "_TRIM", None)
    memory.give_back()


def test_another_c_library_is_no_error(monkeypatch):
    monkeypatch.setattr(memory.ctypes, "CDLL", lambda name: object())
    assert memory._malloc_trim() is None
