"""A small OpenID provider: discovery, authorization code with PKCE, ID tokens signed with RS256."""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from typing import Annotated, Any
from urllib.parse import urlencode

import uvicorn
from fastapi import FastAPI, Form, Request
from fastapi.responses import RedirectResponse
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

from tests.support import free_port, wait_for

CLIENT_ID, CLIENT_SECRET = "clickpulse-page", 'quoted "and" \\ escaped'


class Provider:
    """Signs in whoever comes as `user`, without asking; `seconds` is how long an ID token counts."""

    def __init__(self) -> None:
        self.port = free_port()
        self.issuer = f"http://127.0.0.1:{self.port}"
        self.user: dict[str, Any] = {}
        self.seconds = 300
        self._key = RSAKey.generate_key(2048, {"kid": "one", "use": "sig", "alg": "RS256"})
        self._granted: dict[str, dict[str, str]] = {}
        self._server = uvicorn.Server(uvicorn.Config(self._app(), port=self.port, log_level="error"))
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        wait_for(lambda: self._server.started, seconds=15, what="the OpenID provider")

    @property
    def metadata_url(self) -> str:
        return f"{self.issuer}/.well-known/openid-configuration"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join(15)

    def _app(self) -> FastAPI:
        app = FastAPI()
        app.get("/.well-known/openid-configuration")(self._metadata)
        app.get("/jwks")(lambda: KeySet([self._key]).as_dict(private=False))
        app.get("/authorize")(self._authorize)
        app.post("/token")(self._token)
        return app

    def _metadata(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/jwks",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256"],
            "token_endpoint_auth_methods_supported": ["client_secret_basic"],
            "code_challenge_methods_supported": ["S256"],
        }

    def _authorize(self, request: Request) -> RedirectResponse:
        asked = dict(request.query_params)
        assert (asked["response_type"], asked["client_id"]) == ("code", CLIENT_ID)
        assert asked["code_challenge_method"] == "S256"
        code = secrets.token_urlsafe(16)
        self._granted[code] = asked
        answer = urlencode({"code": code, "state": asked["state"]})
        return RedirectResponse(f"{asked['redirect_uri']}?{answer}", 302)

    def _token(
        self,
        request: Request,
        code: Annotated[str, Form()],
        code_verifier: Annotated[str, Form()],
        redirect_uri: Annotated[str, Form()],
    ) -> dict[str, Any]:
        basic = request.headers["authorization"].removeprefix("Basic ")
        assert base64.b64decode(basic).decode() == f"{CLIENT_ID}:{CLIENT_SECRET}"
        asked = self._granted.pop(code)
        digest = base64.urlsafe_b64encode(hashlib.sha256(code_verifier.encode()).digest())
        assert digest.decode().rstrip("=") == asked["code_challenge"]
        assert redirect_uri == asked["redirect_uri"]
        now = int(time.time())
        claims = {
            "iss": self.issuer,
            "aud": CLIENT_ID,
            "iat": now,
            "exp": now + self.seconds,
            "nonce": asked["nonce"],
            **self.user,
        }
        id_token = jwt.encode({"alg": "RS256", "kid": "one"}, claims, self._key)
        return {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "id_token": id_token}
