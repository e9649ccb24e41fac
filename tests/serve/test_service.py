from __future__ import annotations

import io
import json
import logging
import signal
import socket
import sys
import threading
import time

import jsonschema
import pytest

from eval.speed.load import load, service
from tests.serve.conftest import command, serving
from waqia import Reading
from waqia.cli import main
from waqia.errors import ConfigError
from waqia.serve.logs import JsonLines
from waqia.serve.settings import Settings

TEXT = "قتل ثلاثة مدنيين في قصف مدفعي على مدينة إدلب مساء أمس."


class Slow:
    """A reader that takes its time, and keeps what it was given."""

    def __init__(self, labels, seconds):
        self.labels, self.model, self.seconds, self.given = labels, "slow", seconds, []

    def read(self, text):
        return next(iter(self.read_many([text])))

    def read_many(self, texts):
        for text in texts:
            self.given.append(text)
            time.sleep(self.seconds)
            if text == "fault":
                raise MemoryError(TEXT)
            yield Reading(label_set="incidents/1", model="slow")


def stream(client, lines):
    status, headers, raw = client.ask("POST", "/v1/read/stream", b"\n".join(lines), content_type="application/x-ndjson")
    assert (status, headers["content-type"]) == (200, "application/x-ndjson")
    return [json.loads(line) for line in raw.splitlines()]


def test_one_text_is_answered_with_what_the_reader_reads(client, reader):
    status, answer = client.post({"text": TEXT, "id": 7, "date": "2026-01-02"})
    assert status == 200
    assert (answer.pop("id"), answer.pop("date")) == (7, "2026-01-02")
    assert answer["incidents"]
    assert answer == reader.read(TEXT, date="2026-01-02").to_dict()
    assert any(incident.get("date") == "2026-01-01" for incident in answer["incidents"])


def test_many_texts_are_answered_in_order_and_a_bad_one_in_its_place(client, reader):
    third, fourth = {"id": "b", "text": "اعتقلت الشرطة خمسة متظاهرين في بغداد"}, {"text": TEXT, "date": "أمس"}
    status, answer = client.post({"texts": [TEXT, 5, third, fourth]})
    assert (status, answer["errors"]) == (200, 2)
    first, second, third, fourth = answer["readings"]
    assert first == reader.read(TEXT).to_dict()
    assert "found int" in second["error"]
    assert (third["id"], third["error"]) == ("b", None)
    assert "YYYY-MM-DD" in fourth["error"]


def test_a_lone_surrogate_is_answered(client):
    status, answer = client.post(b'{"text": "\\ud800 \xd9\x82\xd8\xb5\xd9\x81"}')
    assert (status, answer["error"]) == (200, None)


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        (b"{", 422, "no JSON"),
        (b"\xff", 422, "no UTF-8"),
        (b'{"text": NaN}', 422, "NaN"),
        (b"[" * 100_000, 422, "nested too deep"),
        ({"txt": "x"}, 422, "expected"),
        ({"text": "x", "texts": []}, 422, "expected"),
        ({"text": 5}, 422, "text is int"),
        ({"text": "x", "date": "2026-02-30"}, 422, "date"),
        ({"texts": "x"}, 422, "list"),
        ({"text": "x" * 200_001}, 413, "200001 characters"),
        ({"texts": ["x"] * 257}, 413, "257 texts"),
        ({"texts": ["x" * 200_000] * 3}, 413, "tokens"),
        (b" " * (4 * 1024 * 1024 + 1), 413, "bytes"),
    ],
)
def test_a_wrong_request_is_refused_with_its_reason(client, body, status, said):
    found, answer = client.post(body)
    assert (found, answer["status"]) == (status, status)
    assert said in answer["error"]


def test_only_json_is_taken_so_that_other_sites_cannot_send_forms(client):
    assert client.post(b"text=x", content_type="application/x-www-form-urlencoded")[0] == 415
    assert client.post(b'{"text": "x"}', content_type="text/plain")[0] == 415


def test_other_paths_and_methods_are_named_as_such(client):
    assert client.ask("GET", "/nothing")[0] == 404
    status, headers, _ = client.ask("GET", "/v1/read")
    assert status == 405
    assert "POST" in headers["allow"]


def test_the_request_id_of_the_client_is_kept_only_where_it_is_harmless(client):
    assert client.ask("GET", "/healthz", x_request_id="a-1")[1]["x-request-id"] == "a-1"
    assert client.ask("GET", "/healthz", x_request_id='"} forged')[1]["x-request-id"].isalnum()


def test_a_stream_is_answered_line_by_line_in_order(client):
    rows = stream(client, [json.dumps({"id": 1, "text": TEXT}).encode(), b"", b"{", b'"' + TEXT.encode() + b'"'])
    assert [row["row"] for row in rows] == [1, 2, 3]
    assert (rows[0]["id"], rows[0]["error"]) == (1, None)
    assert "no JSON" in rows[1]["error"]
    assert rows[2]["incidents"] == rows[0]["incidents"]


def test_a_stream_answers_a_line_before_the_next_one_comes(client):
    with socket.create_connection(("127.0.0.1", client.port), 20) as connection:
        head = b"POST /v1/read/stream HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
        line = json.dumps({"text": TEXT}).encode() + b"\n"
        connection.sendall(head)
        answers = connection.makefile("rb")
        for number in (1, 2):
            connection.sendall(b"%x\r\n%s\r\n" % (len(line), line))
            while not (found := answers.readline()).startswith(b"{"):
                assert found
            assert json.loads(found)["row"] == number


def test_a_line_without_an_end_is_not_kept(reader):
    with serving(reader, text_characters=100) as client:
        rows = stream(client, [b'"' + b"x" * 3_000_000 + b'"', b'"x"'])
    assert "too long" in rows[0]["error"]
    assert rows[1]["error"] is None


def test_a_stream_that_stalls_ends_with_a_row_that_says_so(reader):
    with serving(reader, timeout=0.5) as client, socket.create_connection(("127.0.0.1", client.port), 20) as connection:
        head = b"POST /v1/read/stream HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/x-ndjson\r\n"
        connection.sendall(head + b"content-length: 9\r\n\r\n")
        assert b"no line came for 0.5 s" in b"".join(iter(lambda: connection.recv(4096), b""))


def test_a_body_that_does_not_come_is_given_up(reader):
    with serving(reader, timeout=0.5) as client, socket.create_connection(("127.0.0.1", client.port), 20) as connection:
        connection.sendall(b"POST /v1/read HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{")
        assert connection.recv(4096).startswith(b"HTTP/1.1 408")


def test_a_full_queue_says_when_to_try_again(labels):
    with serving(Slow(labels, 0.6), queue_tokens=30, text_characters=100) as client:
        answers = []
        threads = [threading.Thread(target=lambda: answers.append(client.ask("POST", "/v1/read", {"text": "x" * 80}))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        refused = [headers for status, headers, _ in answers if status == 429]
    assert len(answers) == 4
    assert len(refused) == 3
    assert all(int(headers["retry-after"]) >= 1 for headers in refused)


def test_more_open_requests_than_allowed_are_refused_but_health_is_told(labels):
    with serving(Slow(labels, 0.6), requests=1) as client:
        first = threading.Thread(target=client.post, args=({"text": "x"},))
        first.start()
        time.sleep(0.2)
        assert client.ask("POST", "/v1/read", {"text": "y"})[0] == 429
        assert client.ask("GET", "/healthz")[0] == 200
        first.join(20)


def test_what_is_not_read_in_time_is_answered_and_not_read(labels):
    slow = Slow(labels, 0.7)
    with serving(slow, timeout=0.4) as client:
        first = threading.Thread(target=client.post, args=({"text": "first"},))
        first.start()
        time.sleep(0.1)
        status, headers, _ = client.ask("POST", "/v1/read", {"text": "second"})
        first.join(20)
    assert (status, headers["retry-after"]) == (503, "1")
    assert slow.given == ["first"]


def test_a_client_that_goes_away_costs_no_reading(labels):
    slow = Slow(labels, 0.5)
    with serving(slow) as client:
        first = threading.Thread(target=client.post, args=({"text": "first"},))
        first.start()
        time.sleep(0.1)
        with socket.create_connection(("127.0.0.1", client.port), 20) as connection:
            head = b"POST /v1/read HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 15\r\n\r\n"
            connection.sendall(head + b'{"text":"gone"}')
            time.sleep(0.1)
        first.join(20)
        assert client.post({"text": "last"})[0] == 200
    assert slow.given == ["first", "last"]


def test_a_fault_of_the_reader_is_the_answer_and_the_next_text_is_read(labels):
    with serving(Slow(labels, 0)) as client:
        assert "MemoryError" in client.post({"text": "fault"})[1]["error"]
        assert client.post({"text": "x"})[1]["error"] is None
        assert client.ask("GET", "/healthz")[0] == 200


def test_a_short_request_does_not_wait_for_all_texts_of_a_long_one(labels):
    slow = Slow(labels, 0.05)
    with serving(slow) as client:
        long = threading.Thread(target=client.post, args=({"texts": ["x" * 8000] * 20},))
        long.start()
        time.sleep(0.2)
        assert client.post({"text": "short"})[0] == 200
        assert slow.given.index("short") < 15
        long.join(20)


def test_reading_and_counts_ask_for_the_token_and_nothing_else_does(reader):
    with serving(reader, token="s3cret") as client:
        for path, method in (("/v1/read", "POST"), ("/v1/read/stream", "POST"), ("/metrics", "GET")):
            status, headers, _ = client.ask(method, path, authorization="Bearer wrong")
            assert (status, headers["www-authenticate"]) == (401, "Bearer")
        assert client.post({"text": "x"}, authorization="Bearer s3cret")[0] == 200
        assert client.ask("GET", "/")[0] == client.ask("GET", "/readyz")[0] == client.ask("GET", "/v1/labels")[0] == 200


def test_other_sites_may_ask_only_where_they_are_named(client, reader):
    asked = {"origin": "https://a.example", "access_control_request_method": "POST"}
    assert "access-control-allow-origin" not in client.ask("OPTIONS", "/v1/read", **asked)[1]
    with serving(reader, origins=("https://a.example",)) as open_client:
        assert open_client.ask("OPTIONS", "/v1/read", **asked)[1]["access-control-allow-origin"] == "https://a.example"


def test_openapi_lists_the_real_routes_and_its_schemas_hold_for_real_answers(client):
    document = json.loads(client.ask("GET", "/openapi.json")[2])
    for path, methods in document["paths"].items():
        for method in methods:
            assert client.ask(method.upper(), path, b"{" if method == "post" else None)[0] not in (404, 405, 500)
    from waqia.serve.app import create_app

    routes = {route.path for route in create_app(Settings())._app.routes}
    assert set(document["paths"]) == routes
    for body, name in (({"text": TEXT}, "Reading"), ({"texts": [TEXT, 5]}, "Readings"), (b"{", "Error")):
        schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
        jsonschema.Draft202012Validator(schema).validate(client.post(body)[1])


def test_metrics_count_texts_and_requests(reader):
    with serving(reader) as client:
        client.post({"texts": [TEXT, 5]})
        client.ask("GET", "/secret-path")
        text = client.ask("GET", "/metrics")[2].decode()
    assert 'waqia_texts_total{outcome="read"} 1.0' in text
    assert 'waqia_texts_total{outcome="error"} 1.0' in text
    assert 'waqia_requests_total{path="/v1/read",status="200"} 1.0' in text
    assert "waqia_queue_tokens 0.0" in text
    assert "secret-path" not in text


def test_logs_hold_ids_and_never_a_text(labels):
    lines = io.StringIO()
    handler = logging.StreamHandler(lines)
    handler.setFormatter(JsonLines())
    log = logging.getLogger("waqia.serve")
    log.addHandler(handler)
    level = log.level
    log.setLevel(logging.INFO)
    try:
        with serving(Slow(labels, 0)) as client:
            client.post({"text": "fault"}, x_request_id="r1")
            client.post({"text": TEXT}, path="/v1/" + "x" * 9, x_request_id="r2")
    finally:
        log.removeHandler(handler)
        log.setLevel(level)
    rows = [json.loads(line) for line in lines.getvalue().splitlines()]
    assert [(row["request"], row["path"], row["status"]) for row in rows] == [("r1", "/v1/read", 200), ("r2", "other", 404)]
    assert "قصف" not in lines.getvalue()
    assert "\\u0642" not in lines.getvalue()


def test_a_log_line_of_a_fault_has_no_message():
    try:
        raise ValueError(TEXT)
    except ValueError as error:
        record = logging.LogRecord("x", logging.ERROR, "", 0, "fault", None, (type(error), error, error.__traceback__))
    line = json.loads(JsonLines().format(record))
    assert line["fault"] == "ValueError"
    assert "test_service.py" in line["at"][0]
    assert "قتل" not in str(line)


def test_open_requests_are_answered_before_the_service_stops():
    with command() as (process, client):
        answers = []
        body = {"texts": [TEXT * 4] * 20}
        thread = threading.Thread(target=lambda: answers.append(client.post(body)))
        thread.start()
        time.sleep(0.3)
        process.send_signal(signal.SIGTERM)
        thread.join(30)
        process.communicate(timeout=20)
    assert answers[0][0] == 200
    assert len(answers[0][1]["readings"]) == 20


def test_an_open_stream_ends_with_a_row_when_the_service_stops():
    with command() as (process, client), socket.create_connection(("127.0.0.1", client.port), 20) as connection:
        line = json.dumps({"text": TEXT}).encode() + b"\n"
        head = b"POST /v1/read/stream HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
        connection.sendall(head + b"%x\r\n%s\r\n" % (len(line), line))
        time.sleep(1)
        process.send_signal(signal.SIGTERM)
        answer = b"".join(iter(lambda: connection.recv(4096), b""))
    assert b'"row": 1, "incidents"' in answer
    assert b'"row": 2, "error": "the service is stopping' in answer


def test_several_workers_count_together():
    with command("--workers", "2") as (_, client):
        for _ in range(6):
            assert client.post({"text": TEXT})[0] == 200
        text = client.ask("GET", "/metrics")[2].decode()
    assert 'waqia_texts_total{outcome="read"} 6.0' in text


@pytest.mark.parametrize(
    "wrong", [{"port": 70000}, {"workers": 0}, {"timeout": 0}, {"token": ""}, {"token": "a b"}, {"queue_tokens": 10}, {"texts": 0}]
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ConfigError):
        Settings(**wrong)


def test_a_port_that_is_taken_ends_with_2(client, capsys):
    assert main(["serve", "--port", str(client.port)]) == 2
    assert "another --port" in capsys.readouterr().err


def test_the_missing_extra_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    assert main(["serve", "--port", "0"]) == 2
    assert "pip install 'waqia[serve]'" in capsys.readouterr().err


def test_the_load_test_loses_no_request_when_a_worker_is_killed():
    with service(2) as (process, port):
        found = load(port, [TEXT], 2, 2.0, kill=process)
    assert found["lost"] == 0
    assert found["texts"] > 0


def test_a_text_may_ask_for_other_thresholds_than_the_next(client, reader):
    strict = {"text": TEXT, "at_least": 0.9}
    status, answer = client.post({"texts": [TEXT, strict, {"text": TEXT, "at_least": {"shelling": 1.0}}]})
    assert (status, answer["errors"]) == (200, 0)
    assert [row["incidents"] for row in answer["readings"]] == [
        reader.read(TEXT, at_least=asked).to_dict()["incidents"] for asked in (None, 0.9, {"shelling": 1.0})
    ]
    assert client.post({"texts": [TEXT], "at_least": 1.0})[1]["readings"][0]["incidents"] == []
    assert stream(client, [json.dumps({"text": TEXT, "at_least": 1.0}).encode()])[0]["incidents"] == []


@pytest.mark.parametrize("wrong", [1.5, "0.5", {"boom": 0.5}])
def test_impossible_thresholds_are_refused(client, wrong):
    for body in ({"text": TEXT, "at_least": wrong}, {"texts": [TEXT], "at_least": wrong}):
        status, answer = client.post(body)
        assert status == 422
        assert "at_least" in answer["error"]
