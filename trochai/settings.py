"""Settings. With nothing set they are those of production, which ``trochai.preflight`` then refuses to start.

The embedded run under ``var/`` turns DEBUG on itself. ``docs/operations.md`` lists each environment variable.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any

import dj_database_url
import structlog
from csp.constants import NONE, SELF
from django.urls import reverse_lazy
from kombu.entity import Exchange, Queue

from trochai import queues


def env_bool(name: str, default: bool) -> bool:
    return os.environ.get(name, str(default)).strip().lower() in {"1", "true", "yes", "on"}


def env_list(name: str, default: str = "") -> list[str]:
    return [item.strip() for item in os.environ.get(name, default).split(",") if item.strip()]


BASE_DIR = Path(__file__).resolve().parent.parent
VAR_DIR = Path(os.environ.get("VAR_DIR", BASE_DIR / "var"))

DEBUG = env_bool("DEBUG", default=False)
DEFAULT_SECRET_KEY = "insecure-default-key-for-development-only-0123456789"  # noqa: S105 (a check refuses it)
SECRET_KEY = os.environ.get("SECRET_KEY", DEFAULT_SECRET_KEY)
# Keys that encrypt channel tokens and app secrets at rest, newest first. Derived from SECRET_KEY if unset.
FIELD_ENCRYPTION_KEYS = env_list("FIELD_ENCRYPTION_KEYS")
ALLOWED_HOSTS = env_list("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]" if DEBUG else "")
CSRF_TRUSTED_ORIGINS = env_list("CSRF_TRUSTED_ORIGINS")
# By id, for whoever knows better than trochai.checks.
SILENCED_SYSTEM_CHECKS = env_list("SILENCED_SYSTEM_CHECKS")

INSTALLED_APPS = [
    "trochai.apps.TrochaiConfig",
    "trochai.accounts",
    "trochai.whatsapp",
    "templates_app",
    "notifications",
    "conversations",
    "followups",
    "trochai.demo",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "csp",
    "django_celery_beat",
    "django_htmx",
    "django_structlog",
]

MIDDLEWARE = [
    "trochai.liveness.HealthzMiddleware",
    "trochai.headers.HeadersMiddleware",
    # With padding of random length (docs/decisions/0017-compressed-pages.md).
    "django.middleware.gzip.GZipMiddleware",
    "trochai.whatsapp.cloud_api.guard.NoCallsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "trochai.accounts.middleware.SignInFirstMiddleware",
    "trochai.accounts.middleware.MembershipMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "trochai.request_log.RequestLogMiddleware",
]

ROOT_URLCONF = "trochai.urls"
WSGI_APPLICATION = "trochai.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "conversations.sidebar.sidebar",
            ],
            "builtins": ["trochai.ui.template_tags"],
        },
    },
    {
        "BACKEND": "django.template.backends.jinja2.Jinja2",
        "DIRS": [BASE_DIR / "templates" / "jinja2"],
        "OPTIONS": {"environment": "trochai.jinja.Environments"},
    },
]

# Database: SQLite unless DATABASE_URL says otherwise -------------------------------------------

_SQLITE_OPTIONS = {
    # Measured: with Django's defaults half of the concurrent read-then-write transactions fail with
    # "database is locked"; taking the write lock at BEGIN and waiting for it leaves none.
    "transaction_mode": "IMMEDIATE",
    "timeout": 20,
    "init_command": (
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=ON;"
        "PRAGMA mmap_size=134217728; PRAGMA journal_size_limit=27103364; PRAGMA cache_size=-20000"
    ),
}

# Seconds. A worker is patient with a database that is away; trochai.wsgi sets less: a person is not.
DATABASE_PATIENCE = float(os.environ.get("DATABASE_PATIENCE", "20"))
DATABASES = {"default": dj_database_url.config(default=f"sqlite:///{VAR_DIR / 'db.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"]["OPTIONS"] = _SQLITE_OPTIONS
else:
    # Otherwise each pooled connection would fail once after a restart of the database.
    DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    DATABASES["default"]["OPTIONS"] = {
        **DATABASES["default"].get("OPTIONS", {}),
        # Our queries take milliseconds; compiling one takes hundreds. Nor does a transaction wait for
        # anything: one that does is of a process that hangs, and what it has locked is set free.
        "options": "-c jit=off -c idle_in_transaction_session_timeout=20s",
        "connect_timeout": max(2, round(DATABASE_PATIENCE)),
        # Milliseconds until a connection counts as broken whose other end answers no packet.
        "tcp_user_timeout": round(DATABASE_PATIENCE * 1000),
        "pool": {
            "min_size": 1,
            "max_size": int(os.environ.get("DATABASE_POOL_SIZE", "8")),
            "timeout": DATABASE_PATIENCE,
        },
    }
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Cache and broker: Redis by REDIS_URL, else files under var/ -----------------------------------

REDIS_URL = os.environ.get("REDIS_URL", "")
# Seconds, for what is not worth waiting for.
IMPATIENT_REDIS = {"socket_timeout": 1, "socket_connect_timeout": 1}
if REDIS_URL:
    _REDIS = {
        "BACKEND": "trochai.redis_cache.Cache",
        "LOCATION": REDIS_URL,
        "OPTIONS": IMPATIENT_REDIS,
    }
    CACHES = {"default": _REDIS, "hints": _REDIS}
    CELERY_BROKER_URL = REDIS_URL
    CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, object] = {
        # Redelivery after a killed worker is throttled; leases in the database are what counts.
        "unacked_restore_throttle": 1,
        "visibility_timeout": 600,
        # Seconds. A Redis that hangs must not hold up a worker that has answers from Meta to record.
        "socket_timeout": 10,
        "socket_connect_timeout": 5,
    }
else:
    CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"},
        # What a worker says here, the web process hears (trochai.hints).
        "hints": {
            "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
            "LOCATION": str(VAR_DIR / "hints"),
        },
    }
    CELERY_BROKER_URL = "filesystem://localhost/"
    CELERY_BROKER_TRANSPORT = "trochai.broker:Transport"
    _BROKER_DIR = VAR_DIR / "broker"
    for _name in ("queue", "control"):
        (_BROKER_DIR / _name).mkdir(parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(_BROKER_DIR / "queue"),
        "data_folder_out": str(_BROKER_DIR / "queue"),
        "control_folder": str(_BROKER_DIR / "control"),
        "store_processed": False,
        # Seconds. The default of 1 second with back-off meant 3.9 s until a task began; now 0.1 s.
        "polling_interval": 0.2,
    }

# A worker that is not told which queues to take takes all.
CELERY_TASK_QUEUES = [Queue(name, Exchange(name), routing_key=name) for name in queues.QUEUES]
CELERY_TASK_DEFAULT_QUEUE = queues.HOUSEKEEPING
CELERY_TASK_ROUTES = queues.ROUTES
CELERY_BEAT_SCHEDULER = "django_celery_beat.schedulers:DatabaseScheduler"
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_SOFT_TIME_LIMIT = None
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = "UTC"

# Sign-in -----------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
LOGIN_URL = reverse_lazy("accounts:sign_in")
LOGIN_REDIRECT_URL = "/inbox/"
LOGOUT_REDIRECT_URL = LOGIN_URL

TRUSTED_PROXIES = int(os.environ.get("TRUSTED_PROXIES", "0"))

# HTTP ----------------------------------------------------------------------------------------------

CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF],
        "media-src": [SELF],
        "connect-src": [SELF],
        "form-action": [SELF],
        "base-uri": [NONE],
        "frame-ancestors": [NONE],
    }
}
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_HTTPONLY = True
if not DEBUG:
    # Requested from inside, where there is no TLS.
    SECURE_REDIRECT_EXEMPT = [r"^readyz$", r"^metrics$"]
    SECURE_SSL_REDIRECT = env_bool("SECURE_SSL_REDIRECT", default=True)
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
    SECURE_HSTS_SECONDS = int(os.environ.get("SECURE_HSTS_SECONDS", str(365 * 24 * 3600)))
    SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    SECURE_HSTS_PRELOAD = True
    SESSION_COOKIE_SECURE = True
    CSRF_COOKIE_SECURE = True

# Meta's webhook bodies reach 3 MB; the webhook view itself refuses anything above 4 MB with 413.
DATA_UPLOAD_MAX_MEMORY_SIZE = 4 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 200

STATIC_URL = "/static/"
STATIC_ROOT = BASE_DIR / "staticfiles"
STATICFILES_DIRS = [BASE_DIR / "static"]
# What contacts send. Nothing serves this folder: who may see a file is asked each time.
MEDIA_ROOT = Path(os.environ.get("MEDIA_ROOT", VAR_DIR / "media"))
# nginx's internal location of the same folder, which then sends the files in web's place.
MEDIA_ACCEL_LOCATION = os.environ.get("MEDIA_ACCEL_LOCATION", "")
# If set, they are kept there, and the folder has those on their way. boto finds the keys by itself.
MEDIA_S3_BUCKET = os.environ.get("MEDIA_S3_BUCKET", "")
_FOLDER = {"BACKEND": "conversations.media.storing.Folder"}
_BUCKET = {
    "BACKEND": "conversations.media.bucket.Bucket",
    "OPTIONS": {
        "bucket_name": MEDIA_S3_BUCKET,
        "endpoint_url": os.environ.get("MEDIA_S3_ENDPOINT_URL") or None,
        "region_name": os.environ.get("MEDIA_S3_REGION") or None,
        "location": os.environ.get("MEDIA_S3_PREFIX", ""),
    },
}
STORAGES = {
    "default": _BUCKET if MEDIA_S3_BUCKET else _FOLDER,
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "trochai.static_files.BundlingStorage"
    },
}
WHITENOISE_USE_FINDERS = DEBUG
WHITENOISE_AUTOREFRESH = DEBUG  # explicit, because tests turn DEBUG off and collect no files

LANGUAGE_CODE = "en-us"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

# Open pages ------------------------------------------------------------------------------------------

# Whether they are told by the streams of ``trochai.live``; else they ask by themselves, more often.
LIVE_EVENTS = env_bool("LIVE_EVENTS", default=bool(REDIS_URL) and not DEBUG)

# WhatsApp --------------------------------------------------------------------------------------------

# "manage.py up" serves at PORT, and its sandbox at the port after it.
PORT = int(os.environ.get("PORT", "8000"))
SANDBOX_PORT = int(os.environ.get("SANDBOX_PORT", str(PORT + 1)))
SANDBOX_API_URL = f"http://127.0.0.1:{SANDBOX_PORT}"
WHATSAPP_API_URL = os.environ.get("WHATSAPP_API_URL", SANDBOX_API_URL).rstrip("/")
WHATSAPP_API_VERSION = os.environ.get("WHATSAPP_API_VERSION", "v25.0")
WHATSAPP_CONNECT_TIMEOUT = float(os.environ.get("WHATSAPP_CONNECT_TIMEOUT", "5"))  # seconds
WHATSAPP_READ_TIMEOUT = float(os.environ.get("WHATSAPP_READ_TIMEOUT", "30"))  # seconds

# How many follow-ups one worker claims at a time, and how many calls it makes at once.
FOLLOWUPS_BATCH_SIZE = int(os.environ.get("FOLLOWUPS_BATCH_SIZE", "250"))
FOLLOWUPS_CONCURRENCY = int(os.environ.get("FOLLOWUPS_CONCURRENCY", "256"))
# How many workers may send at once when more is due than one batch: fewer than a worker process has
# threads, so that webhooks are processed meanwhile.
FOLLOWUPS_MAX_WORKERS = int(os.environ.get("FOLLOWUPS_MAX_WORKERS", "2"))

# Minutes. After a longer silence what is due is held until a person releases it; 0 for never.
FOLLOWUPS_HOLD_AFTER_SILENCE = int(os.environ.get("FOLLOWUPS_HOLD_AFTER_SILENCE", "120"))

# How many follow-ups may wait for one contact.
FOLLOWUPS_MAX_WAITING = int(os.environ.get("FOLLOWUPS_MAX_WAITING", "20"))

# Metrics: /metrics needs this token; each worker serves its own counters at the port, if one is set.
METRICS_TOKEN = os.environ.get("METRICS_TOKEN", "")
METRICS_PORT = int(os.environ.get("METRICS_PORT") or 0)
METRICS_ADDRESS = os.environ.get("METRICS_ADDRESS", "127.0.0.1")
# A worker and beat touch this file while they are alive, for a health check.
ALIVE_FILE = os.environ.get("ALIVE_FILE", "")

# Logs: one structured line per event; never a message's text or a token ------------------------------

DJANGO_STRUCTLOG_STATUS_START_LOG_LEVEL = logging.DEBUG  # only the end of a request gets a line
LOG_LEVEL = os.environ.get("LOG_LEVEL", "INFO")
LOG_FORMAT = os.environ.get("LOG_FORMAT", "console" if DEBUG else "json")
_SHARED_PROCESSORS: list[structlog.typing.Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        *_SHARED_PROCESSORS,
        structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    cache_logger_on_first_use=True,
)
# Tracebacks without local variables, which may hold a token or a message.
_RENDERERS: list[structlog.typing.Processor] = (
    [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    if LOG_FORMAT == "json"
    else [
        structlog.dev.ConsoleRenderer(
            colors=False, exception_formatter=structlog.dev.plain_traceback, pad_event_to=0
        )
    ]
)
LOGGING: dict[str, Any] = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "structured": {
            "()": structlog.stdlib.ProcessorFormatter,
            "processors": [
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_RENDERERS,
            ],
            "foreign_pre_chain": _SHARED_PROCESSORS,
        }
    },
    "filters": {
        "one_line": {"()": "trochai.request_log.OneLine"},
        "for_people": {"()": "trochai.request_log.ForPeople"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "structured"}},
    "root": {"handlers": ["console"], "level": LOG_LEVEL},
    "loggers": {
        # Django's own handler would print each line a second time, and mail errors.
        "django": {"handlers": []},
        "django.server": {"handlers": ["console"], "level": LOG_LEVEL, "propagate": False},
        # The request's own line says it already, with any traceback.
        "django.request": {"level": "CRITICAL"},
        # Scanners ask for any host.
        "django.security.DisallowedHost": {"filters": ["one_line"]},
        # They say that a task was due and received; only its end is worth a line.
        "celery.beat": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
    },
}
# With a file that has everything, the terminal has what people read (``up`` names one).
if LOG_FILE := os.environ.get("LOG_FILE"):
    _file = {"class": "logging.handlers.WatchedFileHandler", "formatter": "structured", "filename": LOG_FILE}
    LOGGING["handlers"] |= {"file": _file}
    LOGGING["handlers"]["console"]["filters"] = ["for_people"]
    LOGGING["root"]["handlers"].append("file")
