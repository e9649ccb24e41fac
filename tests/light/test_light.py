from __future__ import annotations

import subprocess
import sys

import pytest

import waqia

HEAVY = ("torch", "transformers", "datasets", "evaluate", "accelerate", "pydantic", "yaml", "scipy", "sklearn", "matplotlib")


def test_reading_works_where_nothing_heavy_can_be_imported():
    script = f"""
import sys
class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {HEAVY!r}:
            raise ImportError(name)
sys.meta_path.insert(0, Blocked())
import waqia
assert waqia.Reader.load(threads=1).read("قصف مدفعي على حلب").error is None
"""
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=60)


def test_importing_waqia_loads_neither_numpy_nor_the_tokenizer():
    script = "import sys, waqia; assert not {'numpy', 'tokenizers', 'onnxruntime'} & set(sys.modules); waqia.Reader"
    subprocess.run([sys.executable, "-W", "error", "-c", script], check=True, timeout=60)


def test_a_name_that_waqia_does_not_have_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'Writer'"):
        _ = waqia.Writer
