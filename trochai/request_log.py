"""One log line per request: method, path, status, user and address."""

from __future__ import annotations

import logging
from http import HTTPStatus

import structlog
from django.http import HttpRequest
from django_structlog.middlewares import RequestMiddleware

from trochai.client_address import client_address


class RequestLogMiddleware(RequestMiddleware):
    """Omits the query string, which carries search terms and a webhook's verify token."""

    @staticmethod
    def format_request(request: HttpRequest) -> str:
        return f"{request.method} {request.path}"

    @classmethod
    def bind_ip(cls, request: HttpRequest) -> None:
        """The address that the sign-in counts; the library's own takes what anybody claims."""
        structlog.contextvars.bind_contextvars(ip=client_address(request))

    def _log_level_for_status_code(self, status_code: int) -> int:
        """An open page may ask all the time whether anything has changed: "no" is worth no line."""
        if status_code == HTTPStatus.NO_CONTENT:
            return logging.DEBUG
        return super()._log_level_for_status_code(status_code)


class ForPeople(logging.Filter):
    """Lets through what somebody at a terminal wants to read: news, changes, sign-ins, and all warnings.

    Not what comes every minute, whether or not anything happens: tasks that ended well and pages that look
    for news.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.WARNING:
            return True
        if record.name.startswith("celery"):
            return False
        request = record.msg.get("request", "") if isinstance(record.msg, dict) else ""
        return not request.startswith(("GET ", "HEAD ", "POST /webhooks/"))


class OneLine(logging.Filter):
    """Takes the traceback out of what is no fault of ours."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.exc_info = None
        return True
