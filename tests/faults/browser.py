"""A member who uses the web server of an installation, as through the proxy in front of it."""

from __future__ import annotations

import re

import requests
from django.contrib.auth.hashers import PBKDF2PasswordHasher

from tests.faults.installation import Installation
from trochai.accounts.models import User

PASSWORD = "correct horse battery staple"
TOKEN = re.compile(r'name="csrfmiddlewaretoken" value="(\w+)"')


class Browser:
    """Keeps its cookies itself: they are only for TLS, which the proxy would add."""

    def __init__(self, trochai: Installation) -> None:
        self._url = f"http://127.0.0.1:{trochai.web_port}"
        self._cookies: dict[str, str] = {}
        self._token = ""

    def sign_in(self, user: User) -> None:
        User.objects.filter(pk=user.pk).update(password=PBKDF2PasswordHasher().encode(PASSWORD, "salt", 1))
        page = self.get("/sign-in/")
        assert page.status_code == 200, page.text
        answer = self.post("/sign-in/", username=user.email, password=PASSWORD)
        assert answer.status_code == 302, answer.text
        self.get("/inbox/")

    def get(self, path: str) -> requests.Response:
        return self._remembered(
            requests.get(self._url + path, headers=self._headers(), allow_redirects=False, timeout=60)
        )

    def post(self, path: str, **data: str) -> requests.Response:
        data["csrfmiddlewaretoken"] = self._token
        answer = requests.post(
            self._url + path, data=data, headers=self._headers(), allow_redirects=False, timeout=120
        )
        return self._remembered(answer)

    def _headers(self) -> dict[str, str]:
        cookies = "; ".join(f"{name}={value}" for name, value in self._cookies.items())
        return {
            "Cookie": cookies,
            "Host": "127.0.0.1",
            "Referer": "https://127.0.0.1/",
            "X-Forwarded-Proto": "https",
        }

    def _remembered(self, answer: requests.Response) -> requests.Response:
        self._cookies |= answer.cookies.get_dict()
        if found := TOKEN.search(answer.text):
            self._token = found[1]
        return answer
