"""The user's AWS files: keys, region and endpoint of a profile, read for one call and never written or shown."""

from __future__ import annotations

import configparser
import os
from pathlib import Path

_KEYS = {
    "aws_access_key_id": "access_key_id",
    "aws_secret_access_key": "secret_access_key",
    "aws_session_token": "session_token",
    "region": "region",
    "endpoint_url": "endpoint",
}
# Who sets one of these has said where credentials come from, or which endpoint and region are meant.
_FROM_ENVIRONMENT = {
    "access_key_id": (
        "AWS_ACCESS_KEY_ID",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
        "AWS_CONTAINER_CREDENTIALS_FULL_URI",
        "AWS_SKIP_SIGNATURE",
    ),
    "region": ("AWS_REGION", "AWS_DEFAULT_REGION"),
    "endpoint": ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT"),
}
_SECRETS = ("access_key_id", "secret_access_key", "session_token")


def read() -> dict[str, str]:
    """Return what the profile (AWS_PROFILE, else `default`) adds to what the environment says."""
    profile = os.environ.get("AWS_PROFILE") or "default"
    config = _file("AWS_CONFIG_FILE", "config")
    found = _section(config, profile if profile == "default" else f"profile {profile}")
    found |= _section(_file("AWS_SHARED_CREDENTIALS_FILE", "credentials"), profile)
    for name, variables in _FROM_ENVIRONMENT.items():
        if any(os.environ.get(variable) for variable in variables):
            for key in _SECRETS if name == "access_key_id" else (name,):
                found.pop(key, None)
    return found


def _file(variable: str, name: str) -> configparser.RawConfigParser:
    parser = configparser.RawConfigParser(strict=False)
    path = Path(os.environ.get(variable) or Path("~/.aws").expanduser() / name)
    try:
        parser.read_string(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, configparser.Error):
        return configparser.RawConfigParser()  # as if it were not there: what is lacking is told by who needs it
    return parser


def _section(parser: configparser.RawConfigParser, name: str) -> dict[str, str]:
    if not parser.has_section(name):
        return {}
    return {known: value for key, known in _KEYS.items() if (value := parser.get(name, key, fallback="").strip())}
