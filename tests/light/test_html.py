from __future__ import annotations

import re
from dataclasses import replace
from html import unescape

from waqia import Incident, Participant, Reading, Span
from waqia.formats.html import COLOURS, page, role_class
from waqia.labels import Role

TEXT = "هاجم <b>مسلحون</b> دورية & قتلوا شرطياً في تعز"


def reading() -> Reading:
    """Two incidents that share an actor, who is part of the second one's trigger."""
    trigger, actor = Span(0, 4, "هاجم"), (8, 14, "مسلحون")
    second = Span(TEXT.index("قتلوا"), TEXT.index("قتلوا") + 5, "قتلوا")
    place = Participant(len(TEXT) - 3, len(TEXT), "تعز", "place", None, 0.7)
    return Reading(
        (
            Incident("armed_attack", "actual", trigger, (Participant(*actor, "initiator", "UAF", 0.9), place), 0.95),
            Incident("assassination", "alleged", second, (Participant(*actor, "initiator", "UAF", 0.8),), 0.6),
        ),
        model="waqia-mini",
        label_set="incidents/1",
    )


def shown(labels) -> str:
    return page(TEXT, reading(), labels, title="<script>")


def test_the_page_reads_right_to_left_and_needs_nothing_from_outside(labels):
    html = shown(labels)
    assert '<html lang="ar" dir="rtl">' in html
    assert not re.search(r"https?://|src=|@import|url\(", html)


def test_text_and_title_are_escaped(labels):
    html = shown(labels)
    assert "<b>" not in html
    assert "<script>" not in html


def test_the_whole_text_is_there_unchanged(labels):
    body = re.search(r'<p class="text">(.*?)</p>\n<section', shown(labels), re.DOTALL)[1]
    without_numbers = re.sub(r"<a .*?</a>", "", body)
    assert unescape(re.sub(r"</?mark[^>]*>", "", without_numbers)) == TEXT


def test_every_incident_has_a_card_with_its_labels_in_arabic(labels):
    html = shown(labels)
    assert html.count('class="card"') == 2
    for name in ("هجوم مسلح", "مزعوم", "الفاعل", labels.sectors["UAF"].ar):
        assert name in html


def test_a_guessed_date_is_named_a_guess(labels):
    whole = reading()
    first = replace(whole.incidents[0], date="2020-03-05", facts={"date": {"source": "text day"}})
    told = replace(whole.incidents[1], date="2020-03-04")
    html = page(TEXT, replace(whole, incidents=(first, told)), labels, title="")
    assert '<dt>يوم النص (تقدير)</dt><dd><bdi dir="ltr">2020-03-05</bdi></dd>' in html
    assert '<dt>التاريخ</dt><dd><bdi dir="ltr">2020-03-04</bdi></dd>' in html


def test_a_word_of_two_incidents_names_both(labels):
    assert re.search(r'<mark class="role-1" data-incidents="1 2" title="الفاعل 1، الفاعل 2">مسلحون</mark>', shown(labels))


def test_words_under_spans_of_two_kinds_show_both(labels):
    text = "مقتل قائد الشرطة"
    inner, outer = Participant(10, 16, "الشرطة", "target", "COP"), Participant(5, 16, "قائد الشرطة", "initiator", "COP")
    html = page(text, Reading((Incident("armed_attack", "actual", Span(0, 4, "مقتل"), (inner, outer)),)), labels, title="x")
    assert '<mark class="role-1 open-end" data-incidents="1" title="الفاعل 1">قائد </mark>' in html
    assert '<mark class="role-2 also-role-1" data-incidents="1" title="المستهدَف 1، الفاعل 1">الشرطة</mark>' in html


def test_roles_have_the_colours_of_their_places_in_any_label_set_and_of_more_than_there_are_colours_they_come_again(labels):
    other = replace(labels, roles={f"r {n}": Role(f"دور {n}", "", True) for n in range(9)}, actors=("r 0",), fact_roles={})
    assert [role_class(role, other) for role in other.roles] == [*(f"role-{n}" for n in range(1, 9)), "role-1"]
    assert [role_class(role, labels) for role in labels.roles] == [f"role-{n}" for n in range(1, 7)]


def test_every_page_has_a_colour_for_each_role_and_none_of_its_name(labels, root):
    palette = (root / "src/waqia/formats/palette.css").read_text("utf-8")
    for n in range(1, COLOURS + 1):
        assert palette.count(f"--role-{n}: #") == 2  # light, dark
        assert f".role-{n} {{ --own: var(--role-{n}); }}" in palette
        assert f".also-role-{n} {{ --also: var(--role-{n}); }}" in palette
    assert f"role-{COLOURS + 1}" not in palette
    assert f"const COLOURS = {COLOURS};" in (root / "src/waqia/serve/page.js").read_text("utf-8")
    for path in (*(root / "src/waqia/formats").iterdir(), *(root / "src/waqia/serve").iterdir()):
        if path.suffix in (".css", ".js", ".html"):
            assert not re.search(r"[.\"'-](initiator|reporter|casualties)\b", path.read_text("utf-8")), path


def test_what_no_page_can_hold_is_shown_as_replaced(labels):
    html = page("قصف\0\ud800", Reading(error="\0"), labels, title="x")
    assert '<p class="text">قصف\ufffd\ufffd</p>' in html
    html.encode()


def test_a_reading_without_incidents_says_so(labels):
    assert "لا وقائع" in page("طقس جميل", Reading(), labels, title="x")


STORY = "هاجم مسلحون دورية للشرطة في تعز. وأسفر الهجوم عن مقتل ثلاثة، وفرّ المهاجمون."


def word(text: str) -> Span:
    return Span(STORY.index(text), STORY.index(text) + len(text), text)


def story(labels) -> str:
    """One incident told twice, whose actor is named twice."""
    actor, again = word("مسلحون"), word("المهاجمون")
    initiator = Participant(actor.start, actor.end, actor.text, "initiator", "UAF", mentions=(again,))
    told = Incident(
        "armed_attack", "actual", word("هاجم"), (initiator,), mentions=(word("الهجوم"),), date="2015-07-30", killed=3, injured=0
    )
    return page(STORY, Reading((told,)), labels, title="x")


def test_every_mention_is_marked_and_leads_to_the_card_and_back(labels):
    body, cards = story(labels).split('<section class="cards"')
    for text in ("هاجم", "الهجوم"):
        assert re.search(rf'<mark class="trigger" data-incidents="1" [^>]*>{text}</mark><a class="number" [^>]*href="#incident-1"', body)
    for text in ("مسلحون", "المهاجمون"):
        assert re.search(rf'<a id="part-1-\d+-\d+"></a><mark class="role-1" data-incidents="1" [^>]*>{text}</mark>', body)
    assert re.findall(r'<a class="back" [^>]*><mark [^>]*>(.*?)</mark>', cards) == ["هاجم", "الهجوم", "مسلحون", "المهاجمون"]


def test_every_link_of_the_page_has_its_one_target(labels):
    for html in (story(labels), shown(labels)):
        ids, links = re.findall(r' id="([^"]+)"', html), re.findall(r'href="#([^"]+)"', html)
        assert len(ids) == len(set(ids))
        assert set(links) <= set(ids)
        assert len(links) > 3


def test_a_card_lists_date_killed_and_injured_only_where_they_are_told(labels):
    assert re.findall(r'<dt>(التاريخ|القتلى|الجرحى)</dt><dd><bdi dir="ltr">(.*?)</bdi>', story(labels)) == [
        ("التاريخ", "2015-07-30"),
        ("القتلى", "3"),
        ("الجرحى", "0"),
    ]
    assert "التاريخ" not in shown(labels)
