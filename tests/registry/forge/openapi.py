"""Requests held against GitHub's OpenAPI description, one by one."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import jsonschema
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT4


class Description:
    """The description, asked whether a request is one that it knows."""

    def __init__(self, content: dict[str, Any]) -> None:
        self.content = content
        resource = Resource.from_contents({"components": content["components"]}, DRAFT4)
        self._registry = Registry().with_resource("urn:github", resource)
        self._paths = [
            (
                re.compile(
                    re.sub(
                        r"\{[^}]+\}",
                        "([^/]+)",
                        re.escape(path).replace("\\{", "{").replace("\\}", "}"),
                    )
                ),
                path,
            )
            for path in content["paths"]
        ]

    def operation(self, method: str, path: str) -> dict[str, Any]:
        # Words before wildcards: /issues/comments is not the issue called comments.
        found = [known for shape, known in self._paths if shape.fullmatch(path)]
        found = [known for known in found if method.lower() in self.content["paths"][known]]
        assert found, f"GitHub has no {method} {path}"
        best = min(found, key=lambda known: known.count("{"))
        item = self.content["paths"][best]
        common = item.get("parameters", [])
        operation = dict(item[method.lower()])
        operation["parameters"] = [*common, *operation.get("parameters", [])]
        return operation

    def check(self, method: str, path: str, query: dict[str, str], body: Any) -> str:
        """Hold a request to its operation; return the operation's id."""
        operation = self.operation(method, path)
        known = {each["name"]: each for each in map(self._solved, operation["parameters"])}
        for name, value in query.items():
            assert name in known, f"{operation['operationId']} has no parameter {name}"
            assert known[name]["in"] == "query"
            schema = known[name]["schema"]
            given: Any = int(value) if schema.get("type") == "integer" else value
            self._valid(given, schema)
        wanted = operation.get("requestBody")
        if body is None:
            assert not (wanted and wanted.get("required")), "a body is required"
        else:
            assert wanted, f"{operation['operationId']} takes no body"
            self._valid(body, wanted["content"]["application/json"]["schema"])
            self._named(body, wanted["content"]["application/json"]["schema"])
        return operation["operationId"]

    def _solved(self, row: dict[str, Any]) -> dict[str, Any]:
        if "$ref" not in row:
            return row
        found = self.content
        for part in row["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        return found

    def _valid(self, value: Any, schema: dict[str, Any]) -> None:
        validator = jsonschema.Draft4Validator(_plain(schema), registry=self._registry)
        errors = [error.message for error in validator.iter_errors(value)]
        assert errors == []

    def _named(self, body: Any, schema: dict[str, Any]) -> None:
        """A name that no variant of the schema knows is a mistake of ours, though it is let by."""
        known: set[str] = set()
        for variant in [schema, *schema.get("oneOf", []), *schema.get("anyOf", [])]:
            known |= set(self._solved(variant).get("properties", {}))
        assert set(body) <= known, set(body) - known

    def properties(self, method: str, path: str, *names: str) -> set[str]:
        """The properties of what an operation answers, of an item where it is a list."""
        answers = self.operation(method, path)["responses"]
        good = next(answers[status] for status in ("200", "201") if status in answers)
        schema = self._solved(self._solved(good)["content"]["application/json"]["schema"])
        for name in ("", *names):
            if name:
                schema = self._solved(schema["properties"][name])
            while "items" in schema or "allOf" in schema or "anyOf" in schema:
                inner = schema.get("items") or (schema.get("allOf") or schema.get("anyOf"))[0]
                schema = self._solved(inner)
        return set(schema["properties"])


def _plain(schema: Any) -> Any:
    """JSON Schema from OpenAPI 3.0: references into the registry, `nullable` as a type."""
    if isinstance(schema, list):
        return [_plain(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _plain(value) for key, value in schema.items()}
    if isinstance(found.get("$ref"), str):
        found["$ref"] = found["$ref"].replace("#/", "urn:github#/", 1)
    if found.pop("nullable", False) and isinstance(found.get("type"), str):
        found["type"] = [found["type"], "null"]
    return found


@cache
def description() -> Description:
    from importlib import import_module

    return Description(import_module("forge_octokit").needed("openapi.json"))
