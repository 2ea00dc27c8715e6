"""Who signs ID tokens, on this machine: real keys, a real JWKS over HTTP, a job's request too."""

from __future__ import annotations

import json
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

REQUEST_TOKEN = "the job's own"


class Issuer:
    """An issuer with one RSA key; `rotate` gives it another beside it."""

    def __init__(self) -> None:
        self.keys: dict[str, tuple[str, Any]] = {}
        self.asked = 0
        self.broken = False
        self.rotate()
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.answer(self)

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def rotate(self, kind: str = "RS256") -> str:
        """Add a key, by which tokens are signed from now on."""
        private = (
            rsa.generate_private_key(public_exponent=65537, key_size=2048)
            if kind == "RS256"
            else ec.generate_private_key(ec.SECP256R1())
        )
        self.kid = f"{kind}-{len(self.keys)}"
        self.keys[self.kid] = (kind, private)
        return self.kid

    def jwks(self) -> dict[str, Any]:
        found = []
        for kid, (kind, private) in self.keys.items():
            algorithm = RSAAlgorithm if kind == "RS256" else ECAlgorithm
            public = algorithm.to_jwk(private.public_key(), as_dict=True)
            found.append({**public, "kid": kid, "alg": kind, "use": "sig"})
        return {"keys": found}

    def claims(self, **changed: Any) -> dict[str, Any]:
        """What GitHub says of a job that a push started; None takes a claim out."""
        now = int(time.time())
        found = {
            "iss": self.url,
            "aud": "http://127.0.0.1:8000",
            "sub": "repo:acme/rms:ref:refs/heads/main",
            "iat": now,
            "nbf": now - 300,
            "exp": now + 300,
            "jti": str(uuid.uuid4()),
            "repository": "acme/rms",
            "repository_id": "1296269",
            "repository_owner": "acme",
            "repository_owner_id": "583231",
            "workflow_ref": "acme/rms/.github/workflows/release.yml@refs/heads/main",
            "job_workflow_ref": "acme/rms/.github/workflows/release.yml@refs/heads/main",
            "event_name": "push",
            "ref": "refs/heads/main",
            "sha": "c" * 40,
            "runner_environment": "github-hosted",
            **changed,
        }
        return {name: value for name, value in found.items() if value is not None}

    def sign(self, *, kid: str = "", **changed: Any) -> str:
        """Return an ID token."""
        kind, private = self.keys[kid or self.kid]
        headers = {"kid": kid or self.kid}
        return jwt.encode(self.claims(**changed), private, algorithm=kind, headers=headers)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Serve the keys, and ID tokens to whoever has the token of the job."""
        address = urlsplit(request.path)
        if address.path == "/.well-known/jwks" and not self.broken:
            self.asked += 1
            self.send(request, 200, self.jwks())
        elif address.path == "/idtoken":
            if request.headers["Authorization"] != f"Bearer {REQUEST_TOKEN}":
                self.send(request, 401, {"message": "no"})
                return
            (audience,) = parse_qs(address.query)["audience"]
            self.send(request, 200, {"value": self.sign(aud=audience)})
        else:
            self.send(request, 500, {})

    def send(self, request: BaseHTTPRequestHandler, status: int, body: Any) -> None:
        data = json.dumps(body).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)
