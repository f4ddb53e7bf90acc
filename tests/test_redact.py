"""What counts as a secret, what does not, and that looking for one takes linear time."""

from __future__ import annotations

import json
import string
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gitexp import redact

ALNUM = string.ascii_letters + string.digits


def letters(count: int, alphabet: str = ALNUM) -> str:
    """Return `count` characters that look random: put together here, so that no file of this project holds a token."""
    return "".join(alphabet[(7 * i * i + 3 * i + 5) % len(alphabet)] for i in range(count))


AWS = "AKIA" + letters(16, string.ascii_uppercase + "234567")
GITHUB = "gh" + "p_" + letters(36)
JWT = "ey" + "J" + letters(20) + ".ey" + "J" + letters(30) + "." + letters(43)
PEM = "-----BEGIN RSA PRIVATE " + "KEY-----\n" + (letters(64) + "\n") * 3 + "-----END RSA PRIVATE " + "KEY-----"

TOKENS = [
    AWS,
    GITHUB,
    JWT,
    PEM,
    "AIza" + letters(35),
    "ya29." + letters(60),
    "GOCSPX-" + letters(28),
    "github_" + "pat_" + letters(82),
    "glpat-" + letters(20),
    "gldt-" + letters(20),
    "glrt-" + letters(20),
    "glagent-" + letters(50),
    "hf_" + letters(34),
    "wandb_" + "v1_" + letters(40),
    "local-" + letters(40, "0123456789abcdef"),
    "sk-" + letters(48),
    "sk-proj-" + letters(60),
    "sk-ant-api03-" + letters(80),
    "sk_" + "live_" + letters(24),
    "whsec_" + letters(32),
    "xoxb-" + letters(12, string.digits) + "-" + letters(24),
    "hooks.slack" + ".com/services/T0AAAAAA/B0AAAAAA/" + letters(24),
    "npm_" + letters(36),
    "pypi-" + "AgEIcHlwaS5vcmc" + letters(60),
    "dckr_" + "pat_" + letters(27),
    "dapi" + letters(32, "0123456789abcdef"),
    "hvs." + letters(24),
    "SG." + letters(22) + "." + letters(43),
]


@pytest.mark.parametrize("token", TOKENS, ids=lambda token: token[:8])
def test_a_token_is_replaced_wherever_it_stands(token: str) -> None:
    for before, after in [("", ""), ("key is ", " ok"), ('"', '"'), ("x=", "\n"), ("\\n", ""), ("(", ")")]:
        assert redact.text(before + token + after) == before + "[redacted]" + after
    assert redact.find(b"\xff\xfe binary " + token.encode() + b"\n")


ASSIGNMENTS = [
    ("password=hunter2", "password=[redacted]"),
    ("PASSWORD: hunter2", "PASSWORD: [redacted]"),
    ('{"password": "two words", "lr": 0.1}', '{"password": "[redacted]", "lr": 0.1}'),
    ("{'db_password': 'a\\'b', 'lr': 0.1}", "{'db_password': '[redacted]', 'lr': 0.1}"),
    ('"{\\"secret\\": \\"abc\\", \\"lr\\": 3}"', '"{\\"secret\\": \\"[redacted]\\", \\"lr\\": 3}"'),
    ("export AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG", "export AWS_SECRET_ACCESS_KEY=[redacted]"),
    ("WANDB_API_KEY=0123456789abcdef0123456789abcdef01234567", "WANDB_API_KEY=[redacted]"),
    ("python t.py --api-key abc123def --lr 0.1", "python t.py --api-key [redacted] --lr 0.1"),
    ("python t.py --password x --lr 0.1", "python t.py --password [redacted] --lr 0.1"),
    ("['t.py', '--api-key', 'abc123', '--lr']", "['t.py', '--api-key', '[redacted]', '--lr']"),
    ("Namespace(lr=0.1, api_key='abc123')", "Namespace(lr=0.1, api_key='[redacted]')"),
    ("token=a1b2c3d4e5", "token=[redacted]"),
    ("session_token=abc", "session_token=[redacted]"),
    ("//host/:_authToken=abcd", "//host/:_authToken=[redacted]"),
    ("Authorization: Bearer abc.def-123", "Authorization: Bearer [redacted]"),
    ("curl -H 'Authorization: Basic dXNlcjpwYXNz' x", "curl -H 'Authorization: Basic [redacted]' x"),
    ('headers=[("Authorization", "Basic dXNlcg==")]', 'headers=[("Authorization", "Basic [redacted]")]'),
    ("sent Bearer 0123456789abcdefXYZ now", "sent Bearer [redacted] now"),
    ("X-Api-Key: abcdef123", "X-Api-Key: [redacted]"),
    ("Set-Cookie: session=abc; Path=/", "Set-Cookie: [redacted]"),
    ("AccountKey=abc+def/ghi==;Suffix=x", "AccountKey=[redacted];Suffix=x"),
    ("MYSQL_PWD=abc", "MYSQL_PWD=[redacted]"),
    ("api key: 8d7f6e5d4c", "api key: [redacted]"),
    ("os.environ['HF_TOKEN'] = 'abcdefg'", "os.environ['HF_TOKEN'] = '[redacted]'"),
    ("password=pässwörd end", "password=[redacted] end"),
    ("https://ana:s3cret@host/x", "https://ana:[redacted]@host/x"),
    ("postgres://u:p@ss@db:5432/x", "postgres://u:[redacted]@db:5432/x"),
    ("https://0123456789abcdef0123@host/x", "https://[redacted]@host/x"),
    ("https://h/x?sig=abcdefghijklmnop%3D&sv=1", "https://h/x?sig=[redacted]&sv=1"),
    ("https://h/x?access_token=abc&y=1", "https://h/x?access_token=[redacted]&y=1"),
    ("https://s3/x?X-Amz-Signature=0123456789abcdef0", "https://s3/x?X-Amz-Signature=[redacted]"),
    ("wandb login 0123456789abcdef0123456789abcdef01234567", "[redacted]"),
]


@pytest.mark.parametrize(("before", "after"), ASSIGNMENTS)
def test_the_value_of_a_secret_is_replaced_and_the_rest_stays(before: str, after: str) -> None:
    assert redact.text(before) == after


HARMLESS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "commit 9e6e8a3f2d1c0b9a8f7e6d5c4b3a29181706f5e4",
    str(uuid.UUID(int=0x12345678123456781234567812345678)),
    "loss=0.12345678901234567 lr=3e-05 acc: 0.9410",
    "max_tokens=512 num_tokens: 1000000 tokens/s: 12034.5 tokenizer=bert-base-uncased-v2",
    "pad_token=<pad> eos_token=</s1> mask_token: [MASK12345] loss_per_token=1.2345678e-05 next_token: abc12345678",
    "token: 123456789",
    "key=value keys: a1b2c3d4e5f6 primary_key=id12345678 keyboard",
    "['--api-key', '--verbose'] ['token', 'a1b2c3d4e5'] --password",
    "password=None password: null password=${PASSWORD} token=$TOKEN password=<secret> api_key=********",
    "def login(password: str, token: str | None = None) -> None:",
    "token = get_token(12345678)",
    "password = os.environ[0]",
    "login(password=password, token=token)  # self._password = password",
    "HEADERS = ['proxy-authorization', 'te', 'trailers']",
    "PWD=/home/ana/project1",
    "GOOGLE_APPLICATION_CREDENTIALS=/etc/keys/a1.json private_key=/home/ana/.ssh/id_rsa",
    "task-" + letters(40),
    "sk-learn-is-a-name-for-scikit-learn-here",
    "author=Ana authentication=basic1234 secretary: ana12345678",
    "git clone ssh://git@host:22/a/b https://host:8080/x?key=abc&page=2 file:///a/b",
    "https://example.com/a?x=1 mailto:ana@example.com",
    "bearer of internationalization-news",
    "AKIAIOSFODNN7EXAMPLE",
    "Password:",
    "=== pass=3 fail=0",
    "forward_pass=0.123456",
]


@pytest.mark.parametrize("value", HARMLESS)
def test_what_is_no_secret_stays(value: str) -> None:
    assert redact.text(value) is value


def test_redacting_twice_changes_nothing_more() -> None:
    whole = "\n".join([*TOKENS, *(before for before, _ in ASSIGNMENTS), *HARMLESS])
    once = redact.text(whole)
    assert redact.text(once) == once


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "password",
                "token",
                "=",
                ":",
                " ",
                '"',
                "'",
                "\\",
                "é",
                "\udc80",
                "\n",
                "a1",
                "://",
                "@",
                "--",
                "ey" + "J",
                ".",
            ]
        )
    )
)
def test_any_text_is_redacted_without_an_error_and_keeps_its_lines(parts: list[str]) -> None:
    value = "".join(parts)
    assert redact.text(value).count("\n") == value.count("\n")


COMMANDS = [
    (["python", "t.py", "--token", "abc", "--lr", "0.1"], ["python", "t.py", "--token", "[redacted]", "--lr", "0.1"]),
    (["t", "--token=abc1", "x"], ["t", "--token=[redacted]", "x"]),
    (["t", "--password=my pass word", "x"], ["t", "--password=[redacted]", "x"]),
    (["env", "API_KEY=abcdef", "t"], ["env", "API_KEY=[redacted]", "t"]),
    (["t", "optimizer.api_key=abcdef"], ["t", "optimizer.api_key=[redacted]"]),
    (["t", "--db-url", "postgres://u:pw@h/d"], ["t", "--db-url", "postgres://u:[redacted]@h/d"]),
    (["t", GITHUB], ["t", "[redacted]"]),
    (["t", "--api-key", "--verbose"], ["t", "--api-key", "--verbose"]),
    (["t", "--pad-token", "<pad>", "--max-tokens", "512"], ["t", "--pad-token", "<pad>", "--max-tokens", "512"]),
    (["t", "--eos-token=abc12345678"], ["t", "--eos-token=abc12345678"]),
    (["t", "--use-auth-token", "true"], ["t", "--use-auth-token", "true"]),
    (["t", "--key", "value"], ["t", "--key", "value"]),
    ([], []),
]


@pytest.mark.parametrize(("argv", "expected"), COMMANDS)
def test_a_command_keeps_its_shape_without_its_secrets(argv: list[str], expected: list[str]) -> None:
    assert redact.command(argv) == expected


URLS = [
    ("https://ana:pw@host/a.git", "https://host/a.git"),
    ("https://" + GITHUB + "@host/a", "https://host/a"),
    ("ssh://git@host:22/a", "ssh://git@host:22/a"),
    ("ssh://git:pw@host/a", "ssh://git@host/a"),
    ("git@host:a/b.git", "git@host:a/b.git"),
    ("/srv/git/a.git", "/srv/git/a.git"),
    ("file:///srv/a@b/c.git", "file:///srv/a@b/c.git"),
    ("https://host/a@b?token=a1b2c3d4", "https://host/a@b?token=[redacted]"),
]


@pytest.mark.parametrize(("before", "after"), URLS)
def test_a_url_loses_its_credentials(before: str, after: str) -> None:
    assert redact.url(before) == after


def test_only_named_variables_are_kept_and_never_their_secrets() -> None:
    variables = {
        "CUDA_VISIBLE_DEVICES": "0",
        "HOME": "/home/ana",
        "SLURM_JOB_ID": "7",
        "SLURM_TOKEN": "abc123def",
        "PROXY": "http://ana:pw@proxy:3128",
        "HF_TOKEN": "",
    }
    kept = redact.environment(variables, ["CUDA_VISIBLE_DEVICES", "SLURM_*", "PROXY", "HF_TOKEN", "ABSENT"])
    assert kept == {
        "CUDA_VISIBLE_DEVICES": "0",
        "SLURM_JOB_ID": "7",
        "SLURM_TOKEN": "[redacted]",
        "PROXY": "http://ana:[redacted]@proxy:3128",
        "HF_TOKEN": "",
    }


def test_files_of_secrets_are_known_by_name() -> None:
    for name in [
        ".env",
        ".env.local",
        "a/b/.ENV",
        "server.pem",
        "x.key",
        "id_rsa",
        "id_ed25519.pub",
        "credentials.json",
    ]:
        assert redact.is_secret_file(name), name
    for name in [".netrc", "home/.aws/credentials", "kaggle.json", "secrets.yaml", "client_secret_1.json", ".npmrc"]:
        assert redact.is_secret_file(name), name
    for name in [
        "train.py",
        "id_mapping.py",
        "key.py",
        "environment.yaml",
        "token.py",
        "keys/readme.txt",
        "pem",
        "a.keys",
    ]:
        assert not redact.is_secret_file(name), name


def test_a_file_with_a_quoted_key_or_a_password_in_a_url_is_found() -> None:
    assert redact.find(b'API_KEY = "0123456789abcdef0123456789abcdef"\n')
    assert redact.find(b"db: postgres://u:s3cretpassw0rd@db/x\n")


def test_ordinary_source_is_not_found() -> None:
    source = b'password = getpass()\ntoken = os.environ["HF_TOKEN"]\napi_key = "your-api-key-goes-here-1"\n'
    assert not redact.find(source)
    assert not redact.find(b"db: postgres://postgres:postgres@localhost/x\n")
    assert not redact.find(json.dumps({"sha256": letters(64, "0123456789abcdef")}).encode())


def test_bytes_that_are_not_text_survive() -> None:
    assert redact.data(b"\xff\xfe password=abc \x80") == b"\xff\xfe password=[redacted] \x80"
    same = bytes(range(256))
    assert redact.data(same) is same


PEM_BEGIN = "-----BEGIN PRIVATE " + "KEY-----"
# fmt: off
HOSTILE = [
    "token=", "password=", "key=key", "password", '"password": "', "--token ", "a", "ey" + "J", "ey" + "Ja.", "://",
    "://a:", "@", "://a:b", PEM_BEGIN, "-----BEGIN ", "authorization: ", "bearer ", "cookie: ", "?key=", "AKIA",
    "gh" + "p_", "sk-", "secret_", " ", "\\", "'", "=", "wandb login ", "_pass", "api ", "token \t", "password:'\\",
    "\\ney" + "J", "=token",
]
# fmt: on


@pytest.mark.parametrize("part", HOSTILE)
def test_text_made_to_be_slow_is_read_in_linear_time(part: str) -> None:
    assert redact.text(part * ((1 << 17) // len(part)))  # a quadratic rule would take many minutes


def test_a_megabyte_of_everything_hostile_is_read_in_linear_time() -> None:
    assert redact.text("".join(part * 900 for part in HOSTILE) * 4)


def test_a_key_block_is_known_to_be_open_until_its_end() -> None:
    begin, end = PEM.encode().splitlines()[0], PEM.encode().splitlines()[-1]
    assert redact.opens_key(b"x " + begin)
    assert not redact.opens_key(PEM.encode())
    assert not redact.opens_key(b"-----BEGIN CERTIFICATE-----")
    assert redact.closes_key(end) and not redact.closes_key(begin)
