"""GitHub's side of a sign-in: authorize, token and user, with PKCE held to and codes used once."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

CLIENT_ID, SECRET = "Iv1.0123456789abcdef", "the client's secret"


class GitHub:
    """One person is in front of it at a time: `person`, who says yes unless `declines`."""

    def __init__(self) -> None:
        self.person: dict[str, Any] = {"id": 101, "login": "ada"}
        self.declines = False
        self.codes: dict[str, dict[str, str]] = {}
        self.tokens: dict[str, dict[str, Any]] = {}
        self.wrong: list[str] = []
        github = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                github.answer(self, parse_qs(urlsplit(self.path).query))

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"] or 0)
                github.answer(self, parse_qs(self.rfile.read(length).decode()))

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, request: BaseHTTPRequestHandler, sent: dict[str, list[str]]) -> None:
        given = {name: values[0] for name, values in sent.items()}
        path = urlsplit(request.path).path
        if path == "/login/oauth/authorize":
            self.authorize(request, given)
        elif path == "/login/oauth/access_token":
            self.send(request, self.token(given))
        elif path == "/api/v3/user":
            self.user(request)
        elif path == "/test/person":
            # The tests' own door: who is in front of it next.
            self.person, self.declines = json.loads(given["person"]), "declines" in given
            self.send(request, {"wrong": self.wrong})
        else:
            self.send(request, {"message": "Not Found"}, 404)

    def authorize(self, request: BaseHTTPRequestHandler, given: dict[str, str]) -> None:
        if given.get("client_id") != CLIENT_ID or given.get("code_challenge_method") != "S256":
            self.wrong.append(f"authorize {given}")
        if given.get("scope"):
            self.wrong.append(f"asks for {given['scope']}")
        code = secrets.token_hex(10)
        self.codes[code] = {**given, "person": json.dumps(self.person)}
        back = {"error": "access_denied"} if self.declines else {"code": code}
        request.send_response(302)
        address = f"{given['redirect_uri']}?{urlencode({**back, 'state': given['state']})}"
        request.send_header("Location", address)
        request.send_header("Content-Length", "0")
        request.end_headers()

    def token(self, given: dict[str, str]) -> dict[str, Any]:
        asked = self.codes.pop(given.get("code", ""), None)
        if asked is None:
            return {"error": "bad_verification_code"}
        digest = hashlib.sha256(given.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        good = (
            challenge == asked["code_challenge"]
            and (given.get("client_id"), given.get("client_secret")) == (CLIENT_ID, SECRET)
            and given.get("redirect_uri") == asked["redirect_uri"]
        )
        if not good:
            self.wrong.append(f"token {given}")
            return {"error": "incorrect_client_credentials"}
        token = f"gho_{secrets.token_hex(16)}"
        self.tokens[token] = json.loads(asked["person"])
        return {"access_token": token, "token_type": "bearer", "scope": ""}

    def user(self, request: BaseHTTPRequestHandler) -> None:
        token = request.headers.get("Authorization", "").partition(" ")[2]
        person = self.tokens.get(token)
        if person is None:
            self.send(request, {"message": "Bad credentials"}, 401)
            return
        private = {"name": "Ada Lovelace", "email": "ada@example.org", "avatar_url": "", "bio": ""}
        self.send(request, {**private, **person})

    def send(self, request: BaseHTTPRequestHandler, body: Any, status: int = 200) -> None:
        data = json.dumps(body).encode()
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        request.send_header("Content-Length", str(len(data)))
        request.end_headers()
        request.wfile.write(data)
