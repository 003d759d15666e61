"""Every setting, read from top to bottom: paths, safety, apps, database, Celery, security, logging, ours.

Production is the default and has no default secrets.  Two variables change that:

- CONCORD_DEMO=1 (set by `manage.py demo`): this machine only, keys kept in `.demo/`, no TLS.
- CONCORD_TEST=1 (set by `manage.py test`): fixed keys, fast passwords, nothing on disk.

Neither of the two reads `.env`, which belongs to the production of this folder.  `.env.example` explains every
variable.
"""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from typing import Any

import django
from cryptography.fernet import Fernet
from django.core.exceptions import ImproperlyConfigured

from portal.environment import env, fernet_keys, flag, kept_key, secret, web_address, whole, words

# --- Paths ---

BASE_DIR = Path(__file__).resolve().parent.parent

DEMO = flag("CONCORD_DEMO")
# pytest says that it runs, so that plain `pytest` works like `manage.py test`.
TEST = flag("CONCORD_TEST") or "PYTEST_VERSION" in os.environ
LOCAL = DEMO or TEST

if not LOCAL and (BASE_DIR / ".env").is_file():
    env.read_env(BASE_DIR / ".env")

# The embedded database, the file broker and the scheduler's memory live here.
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / (".demo" if DEMO else ".data"))))
if not TEST:
    DATA_DIR.mkdir(mode=0o700, parents=True, exist_ok=True)

# --- Safety ---

DEBUG = flag("DEBUG")

if TEST:
    SECRET_KEY = "only-for-tests-" + "0123456789" * 4
    CREDENTIAL_KEYS = ["dGVzdHMtb25seS10ZXN0cy1vbmx5LXRlc3RzLW9ubHk="]
    ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
elif DEMO:
    SECRET_KEY = kept_key(DATA_DIR / "secret_key", lambda: secrets.token_urlsafe(50))
    CREDENTIAL_KEYS = [kept_key(DATA_DIR / "credential_key", lambda: Fernet.generate_key().decode())]
    ALLOWED_HOSTS = ["localhost", "127.0.0.1"]
else:
    SECRET_KEY = secret("SECRET_KEY")
    # The first key encrypts partners' credentials, all of them decrypt.
    CREDENTIAL_KEYS = fernet_keys("CREDENTIAL_KEYS")
    ALLOWED_HOSTS = words("ALLOWED_HOSTS")
    if not ALLOWED_HOSTS:
        raise ImproperlyConfigured(
            "ALLOWED_HOSTS is not set; it lists the names under which people open Concord."
        )

# --- Apps ---

INSTALLED_APPS = [
    "portal",
    "integrations",
    "slas",
    "knowledgebase",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.forms",
    "guardian",
    "rest_framework",
    "django_filters",
]

# Django brings the middleware from 6.0 on; ours reads the same settings and says the same.
CSP_MIDDLEWARE = (
    "django.middleware.csp.ContentSecurityPolicyMiddleware"
    if django.VERSION >= (6, 0)
    else "portal.middleware.ContentSecurityPolicyMiddleware"
)

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "portal.middleware.WebHooks",
    CSP_MIDDLEWARE,
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "portal.middleware.time_zone",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
FORM_RENDERER = "portal.forms.Renderer"

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
                "portal.context_processors.appearance",
            ],
            "builtins": ["django.templatetags.static", "portal.templatetags.portal_tags"],
        },
    }
]

LANGUAGE_CODE = "en-gb"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"

STATIC_URL = "/static/"
# Without collectstatic there is no folder to serve from, and WhiteNoise warns about a missing one.
STATIC_ROOT = None if LOCAL else env.str("STATIC_ROOT", default=str(BASE_DIR / "staticfiles"))
WHITENOISE_USE_FINDERS = LOCAL
PLAIN_STATIC = "django.contrib.staticfiles.storage.StaticFilesStorage"
HASHED_STATIC = "whitenoise.storage.CompressedManifestStaticFilesStorage"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": PLAIN_STATIC if LOCAL else HASHED_STATIC},
}
MEDIA_ROOT = DATA_DIR / "files"

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.SessionAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    # The browsable pages need inline script, which our content security policy refuses.
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 50,
}

# --- Database ---

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
EMBEDDED_DATABASE = "sqlite:///:memory:" if TEST else f"sqlite:///{DATA_DIR / 'concord.sqlite3'}"
DATABASES: dict[str, dict[str, Any]] = {
    "default": env.db_url_config(secret("DATABASE_URL", default=EMBEDDED_DATABASE))
}
match DATABASES["default"].get("ENGINE"):
    case "django.db.backends.sqlite3":
        DATABASES["default"]["ENGINE"] = "portal.sqlite"
        # Said aloud, because pytest-django knows it by itself of Django's own backend only.
        DATABASES["default"]["TEST"] = {"NAME": ":memory:"}
        DATABASES["default"]["OPTIONS"] = {
            # A transaction that begins with reading and then writes would fail at once instead of waiting.
            "transaction_mode": "IMMEDIATE",
            "timeout": 10,
            # FULL: what a web hook was answered 200 for has to survive a power cut.
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON",
        }
        # Opening the file and setting the pragmas costs more than storing a web hook.
        DATABASES["default"]["CONN_MAX_AGE"] = 60
    case "django.db.backends.postgresql":
        DATABASES["default"]["CONN_MAX_AGE"] = 60
        DATABASES["default"]["CONN_HEALTH_CHECKS"] = True
    case _:
        raise ImproperlyConfigured("DATABASE_URL must begin with sqlite:/// or postgres://.")

# --- Celery ---
# A message is a wake-up and carries no data: the queue is in the database, so none of them has to survive.

# The file broker needs pywin32 on Windows; there everything runs in one process.
FILE_BROKER = "memory://" if sys.platform == "win32" or TEST else "filesystem://"
CELERY_BROKER_URL = secret("CELERY_BROKER_URL", default=FILE_BROKER)
CELERY_BROKER_TRANSPORT_OPTIONS: dict[str, Any] = {}
if CELERY_BROKER_URL.startswith("filesystem:"):
    BROKER_DIR = DATA_DIR / "broker"
    # kombu makes none of these folders.
    for folder in ("queue", "done", "control"):
        (BROKER_DIR / folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(BROKER_DIR / "queue"),
        "data_folder_out": str(BROKER_DIR / "queue"),
        "processed_folder": str(BROKER_DIR / "done"),
        "control_folder": str(BROKER_DIR / "control"),
        "polling_interval": 0.05,
    }
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A name of our own: what other programs leave in a queue on the same broker is not for us, and ours not for them.
CELERY_TASK_DEFAULT_QUEUE = env.str("CELERY_QUEUE", default="concord")
CELERY_RESULT_BACKEND = None
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_ENABLE_UTC = True
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE_FILENAME = str(DATA_DIR / "celerybeat-schedule")
CELERY_BEAT_SCHEDULE = {
    # Claims what is due; a tick that waited longer than five seconds has been overtaken by the next.
    "tick": {"task": "integrations.tasks.tick", "schedule": 1.0, "options": {"expires": 5}},
    "sweep": {"task": "integrations.tasks.sweep", "schedule": 5.0, "options": {"expires": 10}},
    # Looks after everything else; `manage.py watch` does the same outside of the worker.
    "watch": {"task": "portal.tasks.watch", "schedule": 15.0, "options": {"expires": 30}},
    "reconcile": {"task": "integrations.tasks.reconcile", "schedule": 5.0, "options": {"expires": 10}},
    "undoing": {"task": "integrations.tasks.carry_on_undoing", "schedule": 2.0, "options": {"expires": 5}},
    "clocks": {"task": "slas.tasks.sweep_clocks", "schedule": 30.0, "options": {"expires": 60}},
    "drills": {"task": "portal.tasks.run_drills", "schedule": 1.0, "options": {"expires": 5}},
}

# --- Security ---

AUTH_USER_MODEL = "portal.User"
AUTHENTICATION_BACKENDS = [
    "django.contrib.auth.backends.ModelBackend",
    "guardian.backends.ObjectPermissionBackend",
]
# Who is not signed in has no rights, and no row that somebody could grant some to.
ANONYMOUS_USER_NAME = None
GUARDIAN_MONKEY_PATCH_USER = False

LOGIN_URL = "sign_in"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "sign_in"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
if TEST:
    PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

# A proxy in front that ends TLS: believe its X-Forwarded-Proto, and the last address in its X-Forwarded-For.
BEHIND_PROXY = flag("BEHIND_PROXY")
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

SECURE_SSL_REDIRECT = flag("SECURE_SSL_REDIRECT", default=not LOCAL)
# Probes inside the machine room speak plain HTTP.
SECURE_REDIRECT_EXEMPT = [r"^healthz$", r"^readyz$", r"^health$"]
SECURE_HSTS_SECONDS = 0 if LOCAL else whole("SECURE_HSTS_SECONDS", default=31_536_000, at_least=0)
SECURE_HSTS_INCLUDE_SUBDOMAINS = not LOCAL
SECURE_HSTS_PRELOAD = not LOCAL
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CONTENT_TYPE_NOSNIFF = True
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": ["'self'"],
    "script-src": ["'self'"],
    "style-src": ["'self'"],
    # Tabler draws ticks and arrows from data addresses inside its style sheet.
    "img-src": ["'self'", "data:"],
    "font-src": ["'self'"],
    "connect-src": ["'self'"],
    "object-src": ["'none'"],
    "base-uri": ["'none'"],
    "form-action": ["'self'"],
    "frame-ancestors": ["'none'"],
}
SECURE_CSP_REPORT_ONLY: dict[str, list[str]] = {}

SESSION_COOKIE_SECURE = not LOCAL
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
# A working day, then everybody signs in again.
SESSION_COOKIE_AGE = 12 * 60 * 60
CSRF_COOKIE_SECURE = not LOCAL
# The token is in the page; nothing reads the cookie.
CSRF_COOKIE_HTTPONLY = True
CSRF_FAILURE_VIEW = "portal.views.errors.csrf_failure"

# --- Mail ---

EMAIL_HOST = "" if LOCAL else env.str("EMAIL_HOST", default="")
# The demo's mails can be read as files; without a host nothing is sent anywhere.
MAIL_IS_SET_UP = LOCAL or bool(EMAIL_HOST)
EMAIL_BACKEND = f"django.core.mail.backends.{'filebased' if DEMO else 'smtp'}.EmailBackend"
EMAIL_FILE_PATH = str(DATA_DIR / "mail")
EMAIL_PORT = whole("EMAIL_PORT", default=587)
EMAIL_SECURITY = env.str("EMAIL_SECURITY", default="starttls").lower()
if EMAIL_SECURITY not in {"starttls", "tls", "none"}:
    raise ImproperlyConfigured(f"EMAIL_SECURITY must be starttls, tls or none, and it is {EMAIL_SECURITY!r}.")
EMAIL_USE_TLS = EMAIL_SECURITY == "starttls"
EMAIL_USE_SSL = EMAIL_SECURITY == "tls"
EMAIL_HOST_USER = env.str("EMAIL_HOST_USER", default="")
EMAIL_HOST_PASSWORD = secret("EMAIL_HOST_PASSWORD") if EMAIL_HOST_USER else ""
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("MAIL_FROM", default=f"concord@{ALLOWED_HOSTS[0].lstrip('.')}")
# Who is told by mail when Concord itself fails, the database included; subscriptions live in the database.
ALERT_MAIL_TO = words("ALERT_MAIL_TO")

# --- Logging ---

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"()": "portal.logs.LineFormatter"}},
    "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {
        "handlers": ["stderr"],
        "level": env.str("LOG_LEVEL", default="WARNING" if TEST else "INFO").upper(),
    },
    # Celery reports every tick on INFO: two lines a second that say nothing.
    "loggers": {
        "celery.app.trace": {"level": "WARNING"},
        "celery.worker.strategy": {"level": "WARNING"},
        "celery.beat": {"level": "WARNING"},
        "django": {"handlers": [], "level": "INFO", "propagate": True},
        # Every scan of the internet would leave a traceback.
        "django.security.DisallowedHost": {"handlers": [], "propagate": False},
        "django.server": {"handlers": [], "level": "INFO", "propagate": True},
    },
}

# --- Ours ---

# A worker that has not been heard of for this long loses its lane to another.
SYNC_LANE_LEASE_S = whole("SYNC_LANE_LEASE_S", default=60, at_least=20)
# How long another company's system may take to answer.
SYNC_REQUEST_TIMEOUT_S = whole("SYNC_REQUEST_TIMEOUT_S", default=20)
# Requests on their way at the same time, in one worker.  What comes back together is stored together, so that more of
# them cost less each; `Capabilities.steps_at_once` says how many any one system gets.
SYNC_CALLS_IN_FLIGHT = whole("SYNC_CALLS_IN_FLIGHT", default=64)
# How often a system is asked for changes of which no web hook told us.
SYNC_POLL_S = whole("SYNC_POLL_S", default=60)
# How long after a write the ticket is read back.
SYNC_READ_BACK_S = whole("SYNC_READ_BACK_S", default=5)
# When both sides of every link are compared: from this hour on (UTC), spread over so many hours.
SYNC_NIGHT_BEGINS_H = whole("SYNC_NIGHT_BEGINS_H", default=1, at_least=0)
SYNC_NIGHT_LASTS_H = whole("SYNC_NIGHT_LASTS_H", default=5)
# Hosts in private networks that may be called; the operator's decision, so it is not on any page.
SYNC_PRIVATE_HOSTS = words("SYNC_PRIVATE_HOSTS", default=("127.0.0.1", "localhost") if DEMO else ())
# Where the operator runs sandboxes; the wizard offers them in place of a partner's own system.
SANDBOXES = words("SANDBOXES", default=())
# The address under which people and web hooks reach this portal.
PORTAL_BASE_URL = web_address(
    "PORTAL_BASE_URL", default="http://localhost:8000" if LOCAL else f"https://{ALLOWED_HOSTS[0].lstrip('.')}"
)

if SYNC_REQUEST_TIMEOUT_S + 10 > SYNC_LANE_LEASE_S:
    raise ImproperlyConfigured(
        "SYNC_LANE_LEASE_S must be at least 10 seconds more than SYNC_REQUEST_TIMEOUT_S."
    )
if SYNC_NIGHT_BEGINS_H > 23 or SYNC_NIGHT_LASTS_H > 24:
    raise ImproperlyConfigured(
        "SYNC_NIGHT_BEGINS_H is an hour of the day, and a night lasts 24 hours at most."
    )
# A task ends by itself before its lane can be taken over.
CELERY_TASK_SOFT_TIME_LIMIT = SYNC_LANE_LEASE_S - 10
CELERY_TASK_TIME_LIMIT = SYNC_LANE_LEASE_S - 5
