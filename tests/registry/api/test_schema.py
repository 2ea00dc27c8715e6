"""The whole schema, met by requests that were made from it: no crash, nothing undeclared."""

from __future__ import annotations

import contextlib
import io
import time
from collections import Counter
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.core.wsgi import get_wsgi_application
from django.db import close_old_connections
from hypothesis import HealthCheck, Phase, given, seed
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable

from dougong_ci.report import signing
from dougong_registry.advisories.services import advisory_publish
from dougong_registry.forge.builds import sources_of
from dougong_registry.forge.models import Build
from dougong_registry.people.services import token_create

EXAMPLES = 2000
PER_OPERATION = 44


class InProcess:
    """The hub as a WSGI program; with a runner's key, requests are signed on their way in."""

    def __init__(self, private: str = "") -> None:
        self.app, self.private = get_wsgi_application(), private

    def __call__(self, environ: dict[str, Any], start_response: Any) -> list[bytes]:
        if self.private:
            self._sign(environ)
        answer = self.app(environ, start_response)
        try:
            return list(answer)
        finally:
            answer.close()

    def _sign(self, environ: dict[str, Any]) -> None:
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        path = environ["PATH_INFO"].encode("latin-1").decode()
        signed = signing.request_headers(
            environ["REQUEST_METHOD"], path, int(time.time()), body, self.private
        )
        for name, value in signed.items():
            environ["HTTP_" + name.upper().replace("-", "_")] = value


@pytest.fixture
def kept_open():
    """The test's own connection, which every request would close behind itself."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def known(ada, runner, job, verdict_of, pull):
    """Parts of addresses that there is something at: a judged release and its run."""
    runner.claim(job)
    runner.discover(job)
    run = runner.send(job, verdict_of(job)).json()["run_id"]
    runner.complete(job)
    advisory = advisory_publish(
        plugin="acme-rms",
        versions="==1.0",
        kind="other",
        severity="low",
        summary="odd rows",
    )
    build = Build.objects.get()
    sources_of(build.tree).parent.mkdir(parents=True)
    sources_of(build.tree).write_bytes(b"sources")
    return {
        "number": advisory.number,
        "pull": pull.number,
        "submission_id": job.submission_id,
        "job_id": job.pk,
        "build_id": build.pk,
        "sha256": job.submission.sha256,
        "run_id": run,
        "contract": "norm.rms@1",
        "provider": "acme",
        "version": "1.0",
        "login": "ada",
    }


def parts_of(operation: Any, known: dict[str, Any]) -> dict[str, Any]:
    """Return what to put into the address of one operation."""
    name = "rms" if "{provider}" in operation.path else "acme-rms"
    number = known["pull" if "/pulls/" in operation.path else "number"]
    have = {**known, "name": name, "number": number}
    return {part: have[part] for part in have if f"{{{part}}}" in operation.path}


def by_status(seen: Counter[str]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for name, count in seen.items():
        counts[name.rpartition(" ")[2]] += count
    return dict(sorted(counts.items()))


def met(operation: Any, headers: dict[str, str], parts: dict[str, Any], seen: Counter[str]) -> None:
    """Send an operation requests made from its schema, right and wrong, and check each answer."""
    import schemathesis
    from schemathesis.checks import CHECKS, load_all_checks

    load_all_checks()
    left_out = [CHECKS.get_one("object_level_authorization")]
    if operation.method.upper() == "POST":
        # What a wheel or a verdict holds is more than a schema can say: it may be refused (422).
        left_out.append(CHECKS.get_one("positive_data_acceptance"))

    for mode in schemathesis.GenerationMode:
        made = operation.as_strategy(generation_mode=mode)
        if parts:
            there = operation.as_strategy(generation_mode=mode, path_parameters=parts)
            made = st.one_of(made, there)
        if operation.path.endswith("/resolve") and mode is schemathesis.GenerationMode.POSITIVE:
            there = operation.as_strategy(generation_mode=mode, query={"name": "acme-rms"})
            made = st.one_of(made, there)

        @seed(20261125)
        @hypothesis_settings(
            max_examples=PER_OPERATION // 2,
            deadline=None,
            database=None,
            phases=[Phase.explicit, Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(case=made)
        def each(case: Any) -> None:
            response = case.call(headers=headers)
            seen[f"{operation.label} {response.status_code}"] += 1
            case.validate_response(response, headers=headers, excluded_checks=left_out)

        # Where nothing is asked for, nothing can be asked wrongly.
        unmade = Unsatisfiable if mode is schemathesis.GenerationMode.NEGATIVE else ()
        with contextlib.suppress(unmade):
            each()


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_requests_made_from_the_schema_meet_no_crash_and_no_undeclared_answer(
    ada, runner, known, capsys, settings, kept_open
):
    import schemathesis

    settings.RATES = dict.fromkeys(settings.RATES, (1, 1_000_000))
    token = token_create(login="ada", scope="submit yank read")
    seen: Counter[str] = Counter()
    failures, labels = [], set()
    senders = [
        ("", InProcess(), {}),
        ("token", InProcess(), {"Authorization": f"Bearer {token}"}),
        ("signature", InProcess(runner.private), {}),
    ]
    for proof, sender, headers in senders:
        schema = schemathesis.openapi.from_wsgi("/api/schema/?format=json", sender)
        schema.config.generation.update(allow_x00=False)
        for found in schema.get_all_operations():
            operation = found.ok()
            labels.add(operation.label)
            wanted = [next(iter(each)) for each in operation.definition.raw.get("security", [])]
            if proof and proof not in wanted:
                continue
            try:
                met(operation, headers, parts_of(operation, known), seen)
            except BaseExceptionGroup as group:
                failures.append(group)
    with capsys.disabled():
        print(f"\n{seen.total()} requests made from the schema: {by_status(seen)}")
    if failures:
        raise BaseExceptionGroup("the API does not do what its schema says", failures)
    assert seen.total() >= EXAMPLES
    unanswered = {name for name in labels if name.startswith("GET") and not seen[f"{name} 200"]}
    assert not unanswered, "their answers were never held against the schema"


@pytest.mark.parametrize(
    "address",
    [
        "/api/v1/runs/%00",
        "/api/v1/boards/norm%00",
        "/api/v1/operators/acme/r%00ms",
        "/api/v1/submissions/99999999999999999999/events",
        "/api/v1/artifacts/%00",
    ],
)
def test_an_address_that_no_row_can_have_is_not_found(client, address):
    answer = client.get(address)
    assert answer.status_code == 404, answer.content
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("method", "address", "given", "status"),
    [
        ("get", "/api/v1/operators?q=%00", {}, 400),
        ("get", "/api/v1/operators?limit=1.0", {}, 400),
        ("get", "/api/v1/operators?limit=", {}, 400),
        ("get", "/api/v1/operators", {"headers": {"Accept": "image/png"}}, 406),
        ("delete", "/api/v1/operators", {}, 405),
        ("post", "/api/v1/nowhere", {}, 404),
    ],
)
def test_every_refusal_is_a_problem(client, method, address, given, status):
    answer = getattr(client, method)(address, **given)
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("{", "application/json", 400),
        ('{"reason": NaN}', "application/json", 400),
        ('{"reason": 1}', "application/json", 400),
        ('{"reason": "\\u0000"}', "application/json", 400),
        ('{"reason": "\\ud800"}', "application/json", 400),
        ('{"reason": " "}', "application/json", 400),
        (b"\xff\xfe", "application/json", 400),
        ("reason: x", "text/yaml", 415),
    ],
)
def test_a_body_that_is_none_is_refused_with_a_problem(ada, job, body, kind, status):
    answer = ada.client.post(
        "/api/v1/plugins/acme-rms/releases/1.0/yank",
        body,
        content_type=kind,
        headers={"Authorization": f"Bearer {ada.token}"},
    )
    assert answer.status_code == status, answer.content
    assert answer["Content-Type"] == "application/problem+json"


def test_a_body_over_the_limit_and_a_form_without_an_end_are_problems(ada, job, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 64
    address = "/api/v1/plugins/acme-rms/releases/1.0/yank"
    signed_in = {"Authorization": f"Bearer {ada.token}"}
    long = {"reason": "x" * 100}
    answer = ada.client.post(address, long, content_type="application/json", headers=signed_in)
    assert answer.status_code == 413, answer.content
    cut = b'--x\r\nContent-Disposition: form-data; name="wheel"; filename="a.whl"\r\n\r\nPK'
    for kind in ("multipart/form-data; boundary=x", "multipart/form-data"):
        answer = ada.client.post("/api/v1/submissions", cut, content_type=kind, headers=signed_in)
        assert answer.status_code in (400, 422), answer.content
        assert answer["Content-Type"] == "application/problem+json"
