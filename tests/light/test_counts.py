"""Casualties phrases as counts with bounds, and several of them as the totals of an incident."""

from __future__ import annotations

from typing import Any

import pytest

from waqia.document.counts import Bound, Counts, read_counts
from waqia.errors import ConfigError


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("مقتل مدني ونجله وإصابة سبعة", {"killed": [2, 2], "injured": [7, 7]}),
        ("فقد طفلان حياتهما", {"killed": [2, 2]}),
        ("فقدان رجل لحياته", {"killed": [1, 1]}),
        ("امرأة فقدت حياتها", {"killed": [1, 1]}),
        ("ارتقاء أربعة أطفال", {"killed": [4, 4]}),
        ("لترتقي شهيدتان", {"killed": [2, 2]}),
        ("ارتقى شابان", {"killed": [2, 2]}),
        ("أدى إلى وفاته", {"killed": [1, 1]}),
        ("لوفاته", {"killed": [1, 1]}),
        ("ما أدى لمقتله على الفور", {"killed": [1, 1]}),
        ("ضحيتين", {"killed": [2, 2]}),
        ("أصيب برصاص الحراس", {"injured": [1, 1]}),
        ("مقتله برصاص عناصر الدورية", {"killed": [1, 1]}),
        ("إصابة 5 أطفال بجروح متفاوتة", {"injured": [5, 5]}),
        ("إصابة خمسة أطفال بجروح خطيرة في حي الأربعين", {"injured": [5, 5]}),
        ("وفاة شاب متأثراً بجراحه", {"killed": [1, 1]}),
        ("إصابة رجل وطفلتيه", {"injured": [3, 3]}),
        ("وأصيب شقيقاها", {"injured": [2, 2]}),
        ("م ق ت ل 3 عناصر", {"killed": [3, 3]}),
        ("ف ق دان طفلة لحي ات ها", {"killed": [1, 1]}),
        ("الش هداء إلى 21", {"killed": [21, 21]}),
        ("12 ش ه يداً", {"killed": [12, 12]}),
        ("وإص ابة عشرة مدنيين", {"injured": [10, 10]}),
        ("ق ت ي لان", {"killed": [2, 2]}),
        ("وقُتل اليوم مدنيان", {"killed": [2, 2]}),
        ("قُتلا", {"killed": [2, 2]}),
        ("أُصيبوا برصاص الحراس", {"injured": [2, None]}),
        ("لقي حتفه", {"killed": [1, 1]}),
        ("مقتل شرطي ومختار", {"killed": [2, 2]}),
        ("إصابة رجل وزوجته وطفليهما", {"injured": [4, 4]}),
        ("قتيلان وجريح", {"killed": [2, 2], "injured": [1, 1]}),
        ("استشهاد شابين", {"killed": [2, 2]}),
        ("إصابة رجلي شرطة", {"injured": [2, 2]}),
        ("قتلى وجرحى", {"killed": [2, None], "injured": [2, None]}),
        ("عشرات القتلى والجرحى", {"killed_or_injured": [20, None]}),
        ("مقتل وإصابة 9", {"killed_or_injured": [9, 9]}),
        ("12 شخصاً بين قتيل وجريح", {"killed_or_injured": [12, 12]}),
        ("مقتل 5 مدنيين بينهم طفلان وإصابة 7", {"killed": [5, 5], "injured": [7, 7]}),
        ("21 جريحاً بينهم 7 من رجال الشرطة", {"injured": [21, 21]}),
        ("مقتل أكثر من 30", {"killed": [31, None]}),
        ("بما لا يقل عن 25 قتيلاً", {"killed": [25, None]}),
        ("مقتل 32 إرهابياً على الأقل", {"killed": [32, None]}),
        ("بين 5 و7 قتلى", {"killed": [5, 7]}),
        ("لم تسجل إصابات", {"injured": [0, 0]}),
        ("دون وقوع خسائر بشرية", {"killed": [0, 0], "injured": [0, 0]}),
        ("مئة وأربعة وعشرون قتيلاً", {"killed": [124, 124]}),
        ("تهجير ٢٠ ألف مدني", {"displaced": [20_000, 20_000]}),
        ("فقدان أربعة صيادين", {"missing": [4, 4]}),
        ("فقد ثلاثة صيادين أرواحهم", {"killed": [3, 3]}),
        ("اعتقال خمسة شبان", {"detained": [5, 5]}),
        ("ارتفاع عدد القتلى إلى 21", {"killed": [21, 21]}),
        ("قُ تل 3 أشخاص", {"killed": [3, 3]}),
        ("إصابته", {"injured": [1, 1]}),
        ("57 رجلاً وفتى قتلوا", {"killed": [57, 57]}),
        ("مقتل الشاب محمد العلي (22 عاماً)", {"killed": [1, 1]}),
    ],
)
def test_phrase_gives_counts_with_bounds(phrase: str, expected: dict[str, Any]) -> None:
    assert read_counts(phrase).to_dict() == expected


def test_about_marks_an_approximate_number() -> None:
    counts = read_counts("مقتل نحو 40 شخصاً")
    assert counts.killed == Bound(40, 40, about=True)
    assert counts.about


def test_context_tells_what_happened_where_the_phrase_does_not() -> None:
    assert read_counts("سبعة أشخاص", before="قتلت القوات أمس ").to_dict() == {"killed": [7, 7]}
    assert read_counts("سبعة أشخاص", after=" اعتُقلوا في المداهمة").to_dict() == {"detained": [7, 7]}
    assert read_counts("سبعة أشخاص", before="استشهد ", after=" وأصيب آخرون").to_dict() == {"killed": [7, 7]}
    assert read_counts("سبعة أشخاص") == Counts()


def test_vowels_or_context_make_an_ambiguous_plural_a_dual() -> None:
    assert read_counts("مقتل مدنيين").to_dict() == {"killed": [2, None]}
    assert read_counts("مقتل مدنيين", after=" كانا في السيارة").to_dict() == {"killed": [2, 2]}
    assert read_counts("مقتل مصورَين").to_dict() == {"killed": [2, 2]}


@pytest.mark.parametrize(
    ("phrase", "least", "acled"), [("عدد من القتلى", 2, 10), ("عشرات القتلى", 20, 12), ("مئات القتلى", 200, 100), ("5 قتلى", 5, 5)]
)
def test_acled_policy_codes_vague_counts(phrase: str, least: int, acled: int) -> None:
    killed = read_counts(phrase).killed
    assert killed is not None
    assert (killed.estimate(), killed.estimate(policy="acled")) == (least, acled)


def test_an_unknown_policy_is_refused() -> None:
    with pytest.raises(ConfigError, match="policy is 'most', expected one of least, acled"):
        Bound(1, 1).estimate(policy="most")
