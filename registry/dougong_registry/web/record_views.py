"""Pages of who and what the record is made by: people, machines, suites, the audit log."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dougong_registry.boards.selectors.audit import audit_entries
from dougong_registry.boards.selectors.contributions import person_record
from dougong_registry.boards.selectors.hardware import hardware_detail, hardware_list
from dougong_registry.boards.selectors.people import people_list, person_detail
from dougong_registry.boards.selectors.suites import suite_detail, suites_list
from dougong_registry.web.paging import PAGE, given, page_number, page_or_404

RECORDS = 20
"""Of a person's contributions, plugins and submissions each, on one page."""


@require_safe
def people(request: HttpRequest) -> HttpResponse:
    """Everybody who published something."""
    number = page_number(request)
    found = people_list(limit=PAGE + 1, offset=PAGE * (number - 1))
    context = {"people": found[:PAGE], "page": number, "more": len(found) > PAGE}
    return render(request, "dougong/people.html", context)


@require_safe
def person(request: HttpRequest, login: str) -> HttpResponse:
    """One person and what they published."""
    number = page_number(request)
    part = {"limit": RECORDS, "offset": RECORDS * (number - 1)}
    with page_or_404():
        detail = person_detail(login, provider=given(request, "provider"), **part)
        record = person_record(detail.person.provider, detail.person.external_id, **part)
    person = detail.person
    context = {
        "detail": detail,
        "person": person,
        "record": record,
        "page": number,
        "more": max(record.standing.contributions, person.plugins, person.submissions)
        > RECORDS * number,
    }
    return render(request, "dougong/person.html", context)


@require_safe
def hardware(request: HttpRequest) -> HttpResponse:
    """Kinds of machines."""
    return render(request, "dougong/hardware.html", {"machines": hardware_list()})


@require_safe
def machine(request: HttpRequest, hardware_class: str) -> HttpResponse:
    """One kind of machine."""
    with page_or_404():
        detail = hardware_detail(hardware_class)
    context = {"detail": detail, "hardware": detail.hardware}
    return render(request, "dougong/machine.html", context)


@require_safe
def suites(request: HttpRequest) -> HttpResponse:
    """Every suite with a run."""
    return render(request, "dougong/suites.html", {"section": "boards", "suites": suites_list()})


@require_safe
def suite(request: HttpRequest, contract: str, version: str) -> HttpResponse:
    """One suite: what is timed and what is checked."""
    with page_or_404():
        detail = suite_detail(contract, version)
    context = {"section": "boards", "detail": detail, "suite": detail.suite}
    return render(request, "dougong/suite.html", context)


@require_safe
def audit(request: HttpRequest) -> HttpResponse:
    """The audit log, newest first; `?before=` goes on where a page ended."""
    text = given(request, "before")
    before = int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
    target = given(request, "target")
    found = audit_entries(before=before, target=target, limit=PAGE + 1)
    context = {
        "entries": found[:PAGE],
        "target": target,
        "next": found[PAGE - 1].seq if len(found) > PAGE else None,
        "first": before is None,
    }
    return render(request, "dougong/audit.html", context)
