"""The two spellings of an answer: JSON (PEP 691) and HTML (PEP 503), of one version.

Version 1.4 has sizes, upload times and versions (PEP 700), yanks (PEP 592), metadata files
(PEP 658 under the name of PEP 714) and project status (PEP 792).
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from typing import Any

from django.utils.html import escape

from dougong_registry.index.selectors import File, Project

VERSION = "1.4"
JSON_TYPE = "application/vnd.pypi.simple.v1+json"
HTML_TYPE = "application/vnd.pypi.simple.v1+html"
TYPES = (HTML_TYPE, JSON_TYPE, "text/html")
"""In the order of preference where a client likes several equally."""


def list_json(names: Sequence[str]) -> str:
    """Return the list of projects as JSON."""
    return _json({"projects": [{"name": name} for name in names]})


def list_html(names: Sequence[str]) -> str:
    """Return the list of projects as HTML."""
    links = "\n".join(f'<a href="/simple/{name}/">{name}</a><br>' for name in names)
    return _html("Simple index", "", links)


def project_json(project: Project) -> str:
    """Return one project as JSON."""
    status: dict[str, Any] = {"status": project.status}
    if project.status_reason:
        status["reason"] = project.status_reason
    return _json(
        {
            "name": project.name,
            "project-status": status,
            "versions": project.versions,
            "files": list(map(_file_json, project.files)),
        }
    )


def project_html(project: Project) -> str:
    """Return one project as HTML."""
    meta = f'<meta name="pypi:project-status" content="{project.status}">\n'
    if project.status_reason:
        meta += (
            f'<meta name="pypi:project-status-reason" content="{escape(project.status_reason)}">\n'
        )
    return _html(f"Links for {project.name}", meta, "\n".join(map(_link, project.files)))


def _file_json(file: File) -> dict[str, Any]:
    found: dict[str, Any] = {
        "filename": file.filename,
        "url": file.url,
        "hashes": {"sha256": file.sha256},
        "size": file.size_bytes,
        "upload-time": file.uploaded_at.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        "yanked": file.yanked_reason or file.yanked,
        "core-metadata": {"sha256": file.core_metadata_sha256}
        if file.core_metadata_sha256
        else False,
    }
    if file.requires_python:
        found["requires-python"] = file.requires_python
    return found


def _link(file: File) -> str:
    attributes = {"href": f"{file.url}#sha256={file.sha256}"}
    if file.requires_python:
        attributes["data-requires-python"] = file.requires_python
    if file.core_metadata_sha256:
        attributes["data-core-metadata"] = f"sha256={file.core_metadata_sha256}"
    if file.yanked:
        attributes["data-yanked"] = file.yanked_reason
    text = " ".join(f'{name}="{escape(value)}"' for name, value in attributes.items())
    return f"<a {text}>{escape(file.filename)}</a><br>"


def _json(members: dict[str, Any]) -> str:
    return json.dumps({"meta": {"api-version": VERSION}, **members})


def _html(title: str, meta: str, body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta name="pypi:repository-version" content="{VERSION}">\n{meta}'
        f"<title>{title}</title>\n</head>\n<body>\n<h1>{title}</h1>\n{body}\n</body>\n</html>\n"
    )
