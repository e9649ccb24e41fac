"""What /openapi.json says: every route, its bodies and every answer; a test holds it to the routes and to real answers."""

from __future__ import annotations

from typing import Any

import waqia
from waqia.labels import LabelSet
from waqia.serve.settings import Settings

Schema = dict[str, Any]

NULLABLE_TEXT: Schema = {"type": ["string", "null"]}
SCORE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
SPAN: Schema = {"start": {"type": "integer"}, "end": {"type": "integer"}, "text": {"type": "string"}}
REFUSALS = {
    401: "the bearer token is missing or wrong",
    408: "the body did not come in time",
    413: "too long: the body, the text, or all texts of the request together",
    415: "another content type",
    422: "no JSON, or not what is expected",
    429: "the queue is full; Retry-After says when to try again",
    500: "the service failed",
    503: "stopping, or not read in time; Retry-After says when to try again",
}


def document(settings: Settings, labels: LabelSet) -> Schema:
    """The OpenAPI 3.1 document of a service with these settings and this label set."""
    paths: dict[str, Schema] = {
        "/v1/read": {"post": _read()},
        "/v1/read/stream": {"post": _stream()},
        "/v1/labels": {"get": _get("the label set, and whether reading asks for a token", "application/json")},
        "/healthz": {"get": _get("whether the process reads at all", "application/json", 503)},
        "/readyz": {"get": _get("whether to send requests here", "application/json", 503)},
        "/metrics": {"get": _get("counts for Prometheus", "text/plain", 401)},
        "/openapi.json": {"get": _get("this document", "application/json")},
        "/": {"get": _get("the page", "text/html")},
        "/page.css": {"get": _get("the style of the page", "text/css")},
        "/page.js": {"get": _get("the script of the page", "text/javascript")},
        "/icon.svg": {"get": _get("the icon of the page", "image/svg+xml")},
    }
    parts: Schema = {"schemas": _schemas(settings, labels)}
    if settings.token is not None:
        parts["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        for path, method in (("/v1/read", "post"), ("/v1/read/stream", "post"), ("/metrics", "get")):
            paths[path][method]["security"] = [{"token": []}]
    info = {"title": "Waqia", "version": waqia.__version__, "description": waqia.__doc__, "license": {"name": "Apache-2.0"}}
    return {"openapi": "3.1.0", "info": info, "paths": paths, "components": parts}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _answer(description: str, media_type: str, schema: Schema | None = None) -> Schema:
    return {"description": description, "content": {media_type: {"schema": schema or {}}}}


def _refusals(*statuses: int) -> Schema:
    return {str(status): _answer(REFUSALS[status], "application/json", _ref("Error")) for status in statuses}


def _get(description: str, media_type: str, *statuses: int) -> Schema:
    return {"responses": {"200": _answer(description, media_type), **_refusals(429, *statuses)}}


def _read() -> Schema:
    asked = {"oneOf": [_ref("Text"), _ref("Texts")]}
    told = {"anyOf": [_ref("Reading"), _ref("Readings")]}
    return {
        "summary": "Read one text, or many",
        "requestBody": {"required": True, "content": {"application/json": {"schema": asked}}},
        "responses": {"200": _answer("the reading, or one a text in order", "application/json", told), **_refusals(*REFUSALS)},
    }


def _stream() -> Schema:
    return {
        "summary": "Read a stream: a text a line in, a reading a line out, in order",
        "requestBody": {"required": True, "content": {"application/x-ndjson": {"schema": _ref("Text")}}},
        "responses": {"200": _answer("a reading a line", "application/x-ndjson", _ref("Row")), **_refusals(401, 415, 429, 500, 503)},
    }


def _schemas(settings: Settings, labels: LabelSet) -> Schema:
    text = {"type": "string", "maxLength": settings.text_characters}
    date = {"type": ["string", "null"], "description": "the text's day (2026-01-31; «أمس» is relative to it), month or year; carried along"}
    asked = {"text": text, "date": date, "at_least": _ref("AtLeast")}
    one = {"type": "object", "required": ["text"], "properties": asked, "description": "Other fields come back."}
    many = {
        "type": "object",
        "required": ["texts"],
        "additionalProperties": False,
        "properties": {
            "texts": {"type": "array", "maxItems": settings.texts, "items": {"anyOf": [_ref("Text"), text]}},
            "at_least": _ref("AtLeast"),
        },
    }
    error = {"error": {"type": "string"}, "status": {"type": "integer"}, "request": {"type": "string"}}
    return {
        "Text": one,
        "Texts": many,
        "AtLeast": _at_least(labels),
        "Reading": _reading(),
        "Row": {"anyOf": [_ref("Reading"), {"type": "object", "required": ["row", "error"]}]},
        "Readings": _whole({"readings": {"type": "array", "items": _ref("Reading")}, "errors": {"type": "integer"}}),
        "Incident": _incident(labels),
        "Participant": _participant(labels),
        "Span": _whole(SPAN),
        "Error": _whole(error),
    }


def _at_least(labels: LabelSet) -> Schema:
    named = {"type": "object", "properties": dict.fromkeys((*labels.incident_types, *labels.roles), SCORE), "additionalProperties": False}
    said = "the least probability of an incident, or of a type's incidents or a role's participants; as fitted where nothing is said"
    return {"oneOf": [SCORE, named, {"type": "null"}], "description": said}


def _whole(properties: Schema) -> Schema:
    return {"type": "object", "required": list(properties), "properties": properties}


def _reading() -> Schema:
    properties: Schema = {
        "incidents": {"type": "array", "items": _ref("Incident")},
        "types": {"type": "object", "additionalProperties": SCORE},
        "windows": {"type": "integer"},
        "screened": {"type": "integer"},
        "truncated": {"type": "boolean"},
        "label_set": {"type": "string"},
        "model": {"type": "string"},
        "error": NULLABLE_TEXT,
    }
    return _whole(properties)


def _incident(labels: LabelSet) -> Schema:
    must: Schema = {
        "type": {"enum": list(labels.incident_types)},
        "status": {"enum": list(labels.statuses)},
        "trigger": _ref("Span"),
        "participants": {"type": "array", "items": _ref("Participant")},
    }
    may = {"score": SCORE, "mentions": {"type": "array", "items": _ref("Span")}}
    may |= {"date": {"type": "string"}, "killed": {"type": "integer"}, "injured": {"type": "integer"}}
    return {"type": "object", "required": list(must), "properties": must | may}


def _participant(labels: LabelSet) -> Schema:
    must: Schema = {"role": {"enum": list(labels.roles)}, "sector": {"enum": [*labels.sectors, None]}, **SPAN}
    may = {"score": SCORE, "mentions": {"type": "array", "items": _ref("Span")}}
    return {"type": "object", "required": list(must), "properties": must | may}
