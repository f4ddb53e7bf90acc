"""`[[registry.webhooks]]`: what can be said, and what is refused with the key that is wrong."""

from __future__ import annotations

import json
from contextlib import suppress

import pytest

from gitexp.errors import UsageError
from gitexp.record import webhooks

GOOD = 'url = "https://ci.acme.io/hook"\nsecret_env = "HOOK"\n'


def read(table: str, file: str = "gitexp.toml") -> tuple[webhooks.Webhook, ...]:
    return webhooks.read(f"[[registry.webhooks]]\n{table}".encode(), file)


def test_a_webhook_needs_an_address_and_the_name_of_a_secret() -> None:
    (found,) = read(GOOD)
    assert (found.name, found.secret_env, found.timeout_seconds) == ("ci.acme.io", "HOOK", 10.0)
    assert found.wants("transition", ("churn", "churn")) and not found.wants("note", ("churn", "churn"))


def test_events_models_and_timeout_can_be_said() -> None:
    (found,) = read(GOOD + 'events = "transition"\nmodels = ["churn*", "b"]\ntimeout = "2.5s"\nname = "x"\n')
    assert (found.events, found.models, found.timeout_seconds) == (("transition",), ("churn*", "b"), 2.5)
    assert found.wants("transition", ("old", "churn-2")) and not found.wants("transition", ("old", "new"))


def test_no_webhooks_are_none() -> None:
    assert webhooks.read(b"", "gitexp.toml") == ()
    table = b'[[tool.gitexp.registry.webhooks]]\nurl = "http://a/"\nsecret_config = "gitexp.hook"\n'
    assert webhooks.read(table, "pyproject.toml")[0].secret_config == "gitexp.hook"


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("", "url is no text"),
        ('url = "ftp://a/"\nsecret_env = "A"', "no address of http or https"),
        ('url = "https://u:p@a/"\nsecret_env = "A"', "a password"),
        ('url = "https://a/"', "names no secret"),
        ('url = "https://a/"\nsecret = "abc"', "would stand in Git"),
        ('url = "https://a/"\nsecret_env = "A B"', "names no secret"),
        (GOOD + 'event = "x"', "no key 'event'"),
        (GOOD + 'events = ["promote"]', "'promote' is no event"),
        (GOOD + "timeout = 0", "not seconds up to"),
        (GOOD + 'timeout = "1h"', "not seconds up to"),
        (GOOD + "models = [1]", "no list of texts"),
        (GOOD + 'name = "a/b"', "letters, digits"),
        (f"{GOOD}[[registry.webhooks]]\n{GOOD}", "two webhooks are called"),
    ],
)
def test_what_cannot_be_meant_is_refused(table: str, why: str) -> None:
    with pytest.raises(UsageError, match=why):
        read(table)


@pytest.mark.parametrize("url", ["http://[::1", "http://h/\r\nX-Evil: 1", "http://h/a b", "http://h/\x7f"])
def test_an_address_that_could_not_be_sent_to_as_it_stands_is_an_error(url: str) -> None:
    with pytest.raises(UsageError, match="url"):
        webhooks.read(f'[[registry.webhooks]]\nurl = {json.dumps(url)}\nsecret_env = "X"\n'.encode(), "gitexp.toml")


@pytest.mark.parametrize("text", ["tool = 5", "[tool]\ngitexp = 5", "[tool.gitexp]\nregistry = 5", "a = " + "[" * 3000])
def test_a_pyproject_of_wrong_types_crashes_nobody(text: str) -> None:
    with suppress(UsageError):
        assert webhooks.read(text.encode(), "pyproject.toml") == ()
