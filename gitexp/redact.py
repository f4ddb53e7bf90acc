"""Secrets: found by pattern in text, commands, URLs, environments and files, and replaced before anything is written.

Everything works on bytes in two steps: one cheap pass finds where a secret could begin, and only there a rule is tried.
Each rule takes what it matches or gives up within a bounded number of bytes, so the time is linear for any input.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

MARK = "[redacted]"
_MARK = MARK.encode()
Span = tuple[int, int]

# Each token as (how it begins, what follows): the beginnings are what the cheap pass looks for. Every alternative has
# to begin with a plain character: only then does `re` skip along the text without trying each place.
_TOKENS: tuple[tuple[bytes, bytes], ...] = (
    (rb"A(?:KIA|SIA|BIA|CCA)", rb"[A-Z2-7]{16}(?![A-Za-z0-9])"),  # AWS access key ids
    (rb"AIza", rb"[0-9A-Za-z_-]{35}"),  # Google
    (rb"ya29\.", rb"[0-9A-Za-z_-]{20,}"),
    (rb"GOCSPX-", rb"[0-9A-Za-z_-]{20,}"),
    (rb"gh[pousr]_", rb"[A-Za-z0-9]{36,}"),  # GitHub
    (rb"github_pat_", rb"[A-Za-z0-9_]{22,}"),
    (rb"gl[a-z]{1,5}-", rb"(?<=[a-z]t-|nt-|as-)[A-Za-z0-9_.-]{20,}"),  # GitLab: glpat-, gldt-, glrt-, glagent-, gloas-
    (rb"hf_|api_org_", rb"[A-Za-z0-9]{30,}"),  # Hugging Face
    (rb"wandb_v1_", rb"[A-Za-z0-9_-]{20,}"),
    (rb"wandb[ .]login", rb"[^\n0-9a-f]{1,40}[0-9a-f]{40}(?![0-9a-f])"),
    (rb"local-", rb"[0-9a-f]{40}(?![0-9a-f])"),
    (rb"sk-", rb"(?:ant-|proj-|svcacct-|admin-|or-v1-|lf-|None-)[A-Za-z0-9_-]{20,}|(?<=sk-)[A-Za-z0-9]{32,}"),
    (rb"sk_(?:live|test)_|rk_(?:live|test)_|pk_(?:live|test)_", rb"[0-9A-Za-z]{16,}"),  # Stripe
    (rb"whsec_", rb"[A-Za-z0-9+/=]{20,}"),
    (rb"xox[abeoprsc]", rb"-[A-Za-z0-9-]{10,}"),  # Slack
    (rb"xapp-", rb"[0-9]-[A-Za-z0-9-]{10,}"),
    (rb"hooks\.slack\.com/", rb"(?:services|workflows)/[A-Za-z0-9/_-]{20,}"),
    (
        rb"eyJ",
        rb"(?:(?<![A-Za-z0-9_-]eyJ)|(?<=\\[nrt]eyJ))[A-Za-z0-9_-]{8,}+\.eyJ[A-Za-z0-9_-]{8,}+\.[A-Za-z0-9_-]{8,}+",
    ),  # JWT
    (rb"npm_", rb"[A-Za-z0-9]{36}"),
    (rb"pypi-AgE", rb"[A-Za-z0-9_-]{50,}"),
    (rb"dckr_(?:pat|oat)_", rb"[A-Za-z0-9_-]{20,}"),
    (rb"dapi", rb"[a-f0-9]{32}(?![A-Za-z0-9])"),  # Databricks
    (rb"nvapi-", rb"[A-Za-z0-9_-]{40,}"),
    (rb"gsk_", rb"[A-Za-z0-9]{40,}"),
    (rb"r8_", rb"[A-Za-z0-9]{37}"),
    (rb"xai-", rb"[A-Za-z0-9]{60,}"),
    (rb"hv[sb]\.", rb"[A-Za-z0-9_-]{24,}"),  # Vault
    (rb"SG\.", rb"[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}"),
    (rb"glsa_", rb"[A-Za-z0-9]{32}_[A-Fa-f0-9]{8}"),
    (rb"AGE-SECRET-KEY-1", rb"[A-Z0-9]{58}"),
    (
        rb"-----BEGIN ",
        rb"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----(?:[^-]|-(?!----)){0,16384}+(?:-----END [A-Z0-9 ]{0,60}-----)?",
    ),
)
_TOKEN_HINT = b"|".join(head for head, _ in _TOKENS)
_TOKEN = rb"(?:(?<![A-Za-z0-9])|(?<=\\[nrt]))(?:" + b"|".join(b"(?:%b)(?:%b)" % token for token in _TOKENS) + b")"
_PEM_BEGIN = rb"-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_PEM_END = rb"-----END [A-Z0-9 ]{0,60}-----"

_URL = rb"://(?:[^\s/?#@:\"']{0,128}:(?P<password>[^\s/?#\"'<>]{1,512})|(?P<user>[A-Za-z0-9_.~-]{20,512}))@"
_QUERY = (
    rb"[?&](?i:key|sig|signature|auth|code|awsaccesskeyid|x-(?:amz|goog)-(?:signature|credential|security-token))="
    rb"(?P<value>[^&\s\"'#<>]{1,512})"
)

# These run over lower-cased bytes; the spans they find are cut from the original.
_HEADERS = (b"authorization", b"bearer", b"cookie")
_WORD_HINT = b"|".join(
    (
        *(
            word + rb"(?:\\?[\"']?\]?[ \t]{0,4}[:=]|[\"']?,?[ \t])"
            for word in b"password passwd passphrase passcode pwd _pass secret token credential credentials key".split()
        ),
        *_HEADERS,
    )
)
_ASSIGN = (
    rb"_?(?P<word>password|passwd|passphrase|passcode|pwd|pass|secret|token|credentials?|key)"
    rb"(?P<sep>\\?[\"']?\]?[ \t]{0,4}(?::=|=>|[:=])[ \t]{0,4}|(?:[\"'],)?[ \t]{1,4}(?![-=:]|[\"']-))"
)
_HEADER = (
    rb"(?:authorization[\"']?\s{0,4}(?:[:=]|,(?=\s{0,4}[\"']?(?:basic|bearer|token|digest|apikey)\s))\s{0,4}[\"']?"
    rb"(?:(?:basic|bearer|token|digest|apikey|aws4-hmac-sha256)\s{1,4})?"
    rb"|bearer\s{1,4}(?=[^\s]{0,64}[0-9])(?=[a-z0-9._~+/=-]{16})"
    rb"|cookie[\"']?\s{0,4}:\s{0,4}[\"']?(?=[^\s=;]{1,64}=))"
    rb"(?P<value>[^\r\n\"'\\]{1,256})"
)
_VALUE = (
    rb"\\\"(?P<escaped>[^\"\\\n]{1,256})"
    rb"|[bfru]{0,2}\"(?P<double>(?:[^\"\\\n]|\\.){1,256})"
    rb"|[bfru]{0,2}'(?P<single>(?:[^'\\\n]|\\.){1,256})"
    rb"|(?P<bare>[^\s\"'&;,)}\]>\\]{1,128})"
)
_REST = {
    "escaped": rb"[^\"\\\n]*+",
    "double": rb"(?:[^\"\\\n]|\\.)*+",
    "single": rb"(?:[^'\\\n]|\\.)*+",
    "bare": rb"[^\s\"'&;,)}\]>\\]*+",
    "line": rb"[^\r\n\"'\\]*+",
}
_HARMLESS = (
    rb"(?:none|null|nil|true|false|str|int|bytes|string|optional|undefined|required|yes|no)(?![a-z0-9_-])"
    rb"|\*{2}|x{3,}$|\.{3}|[<${%]|\[redacted|(?:os|self|args|cfg|conf|config|settings|opts|options|env|kwargs)\.[a-z_]"
    rb"|[a-z_][a-z0-9_.]{0,60}[(\[]|your[-_ ]"
)
_NUMBER = rb"[-+]?[0-9][0-9_]*(?:\.[0-9]*)?(?:e[-+]?[0-9]+)?%?$"
_DIGIT, _LETTER = rb"[0-9]", rb"[a-z]"
_OPTION = rb"(?:^|[\s\"'])--?[a-z0-9_.-]{0,40}$"
# Words of modelling that stand before "token" where nothing is secret: pad_token, eos_token, loss_per_token.
_MODELLING = tuple(
    b"pad eos bos unk mask sep cls per image special stop start end new next prev prompt video audio class reg first"
    b" last trigger placeholder initializer max min num each one every boi eoi eot sos forced decoder".split()
)
_AUTHORITY = tuple(
    b"access auth bearer refresh api hf hub hugging_face huggingface github gitlab gh wandb secret session private bot"
    b" deploy admin user service security csrf xsrf jwt vault slack login write read aws azure gcp npm oauth".split()
)
_KEYS = tuple(
    b"api access secret private account signing encryption auth subscription shared ssh service storage-account".split()
)
_PASS = tuple(b"db user smtp mysql postgres redis pg admin root ftp mail database".split())

# fmt: off
_SECRET_FILES = (
    ".env*", "*.env", "*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk", "*.ovpn",
    "id_*", "credentials*", ".credentials*", "secrets", "secrets.*", ".secrets*", "client_secret*.json",
    "service-account*.json", "service_account*.json", ".netrc", "_netrc", ".pypirc", ".npmrc", ".pgpass",
    ".git-credentials", ".htpasswd", ".dockercfg", ".dockerconfigjson", ".boto", ".s3cfg", "kaggle.json",
    "kubeconfig", "*.tfvars",
)
# fmt: on
_CODE_SUFFIXES = (".py", ".ipynb", ".sh", ".sql", ".r", ".cu", ".cpp", ".c", ".h", ".js", ".ts", ".md", ".csv", ".pyi")


@functools.cache
def _rule(pattern: bytes) -> re.Pattern[bytes]:
    """Compile a rule when it is first needed: all of them would be a third of the time of importing gitexp."""
    return re.compile(pattern)


def text(value: str) -> str:
    """Return `value` with every secret replaced by `[redacted]`."""
    before = value.encode("utf-8", "surrogatepass")
    after = data(before)
    return value if after is before else after.decode("utf-8", "surrogatepass")


def data(value: bytes) -> bytes:
    """Return `value` (any encoding that extends ASCII) with every secret replaced; itself when there is none."""
    value = _cut(value, _tokens(value))
    value = _cut(value, _urls(value))
    lowered = value.lower()
    hints = list(_rule(_WORD_HINT).finditer(lowered))
    return _cut(value, sorted((*_headers(lowered, hints), *_assignments(lowered, hints)))) if hints else value


def url(value: str) -> str:
    """Return a URL without its credentials (the user of an ssh URL stays) and without secret query parameters."""
    scheme, mark, rest = value.partition("://")
    if mark:
        host = rest.split("/", 1)[0].split("?", 1)[0].split("#", 1)[0]
        user, at, _ = host.rpartition("@")
        if at:
            kept = user.split(":", 1)[0] + "@" if "ssh" in scheme.lower() and user.split(":", 1)[0] else ""
            value = scheme + mark + kept + rest[len(user) + 1 :]
    return text(value)


def command(argv: Sequence[str]) -> list[str]:
    """Return a command line with its secrets replaced: `--token X`, `--token=X`, `KEY=VALUE`, URLs and bare tokens."""
    result: list[str] = []
    secret_follows = False
    for word in argv:
        if secret_follows and not word.startswith("--") and not _rule(_HARMLESS).match(_bytes(word).lower()):
            result.append(MARK)
            secret_follows = False
            continue
        name, equals, value = word.partition("=")
        secret_follows = not equals and name.startswith("-") and _names_secret(name)
        # The word is one value however many spaces are in it, so the shell's rules do not end it.
        result.append(f"{name}={MARK}" if value and _is_secret(name, value) else text(word))
    return result


def environment(variables: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Return the variables that `names` lists (`SLURM_*` is a pattern), with their secrets replaced."""
    listed = tuple(names)
    chosen = {name for name in listed if name in variables}
    pattern = _patterns(listed)
    if pattern is not None:
        chosen.update(name for name in variables if pattern.fullmatch(name))
    return {name: value(name, variables[name]) for name in sorted(chosen)}


@functools.lru_cache(maxsize=16)
def _patterns(names: tuple[str, ...]) -> re.Pattern[str] | None:
    found = [fnmatch.translate(name) for name in names if any(sign in name for sign in "*?[")]
    return re.compile("|".join(found)) if found else None


def value(name: str, content: str) -> str:
    """Return what a variable or param of this name holds, or `[redacted]` where the name says that it is a secret."""
    return MARK if content and _is_secret(name, content) else text(content)


def find(value: bytes) -> bool:
    """Say whether a file holds a token, a private key, a URL with a password, or a quoted API key."""
    if next(_tokens(value), None) or any(_plausible(value[start:end].lower()) for start, end in _urls(value)):
        return True
    lowered = value.lower()
    spans = _assignments(lowered, _rule(_WORD_HINT).finditer(lowered))
    return any(value[start - 1 : start] in (b'"', b"'") and _strong(lowered, start, end) for start, end in spans)


def is_secret_file(name: str) -> bool:
    """Say whether a file of this name (or path) holds secrets by custom: .env, keys, credentials, .netrc."""
    base = name.replace("\\", "/").rstrip("/").rpartition("/")[2].lower()
    if base.startswith("id_") and base.endswith(_CODE_SUFFIXES):
        return False  # id_mapping.py is code, and its content is searched all the same
    return any(fnmatch.fnmatchcase(base, pattern) for pattern in _SECRET_FILES)


def opens_key(line: bytes) -> bool:
    """Say whether a private key block begins in `line` and does not end in it."""
    begins = [match.end() for match in _rule(_PEM_BEGIN).finditer(line)] if b"-----BEGIN " in line else []
    return bool(begins) and _rule(_PEM_END).search(line, begins[-1]) is None


def closes_key(line: bytes) -> bool:
    """Say whether a private key block ends in `line`."""
    return _rule(_PEM_END).search(line) is not None


def _cut(value: bytes, spans: Iterable[Span]) -> bytes:
    pieces: list[bytes] = []
    done = 0
    for start, end in spans:
        if start >= done:
            pieces += (value[done:start], _MARK)
        done = max(done, end)
    return b"".join((*pieces, value[done:])) if pieces else value


def _tokens(value: bytes) -> Iterator[Span]:
    done = 0
    for hint in _rule(_TOKEN_HINT).finditer(value):
        if hint.start() < done:
            continue
        match = _rule(_TOKEN).match(value, hint.start())
        if match and not match[0].endswith(b"EXAMPLE"):  # the keys of AWS's own documentation
            done = match.end()
            yield match.span()


def _urls(value: bytes) -> list[Span]:
    spans = []
    if b"://" in value:
        for match in _rule(_URL).finditer(value):
            span = match.span(match.lastgroup or 0)
            secret = value[slice(*span)].lower()
            if not _rule(_HARMLESS).match(secret) and (match.lastgroup == "password" or _plausible(secret)):
                spans.append(span)
    for match in _rule(_QUERY).finditer(value):
        if len(match["value"]) >= 16 and not _rule(_HARMLESS).match(match["value"].lower()):
            spans.append(match.span("value"))
    return sorted(spans)


def _headers(lowered: bytes, hints: Iterable[re.Match[bytes]]) -> Iterator[Span]:
    done = 0
    for hint in hints:
        if hint.start() < done or hint[0] not in _HEADERS:
            continue
        match = _rule(_HEADER).match(lowered, hint.start())
        if match and not _rule(_HARMLESS).match(match["value"]):
            rest = "bare" if hint[0] == b"bearer" else "line"
            start = match.start("value")
            end = _rule(_REST[rest]).match(lowered, start).end()  # type: ignore[union-attr]  # it matches the empty string
            done = end
            yield start, end


def _assignments(lowered: bytes, hints: Iterable[re.Match[bytes]]) -> Iterator[Span]:
    done = 0
    for hint in hints:
        if hint.start() < done:
            continue
        match = _rule(_ASSIGN).match(lowered, hint.start())
        value = match and _rule(_VALUE).match(lowered, match.end())
        if not match or not value or not value.lastgroup:
            continue
        before = lowered[max(0, match.start("word") - 44) : match.start("word")]
        if b"=" not in match["sep"] and b":" not in match["sep"] and not _rule(_OPTION).search(before):
            continue  # only an option's value follows after nothing but a space, or as the next word of a list
        if _secret(match["word"], before, value[value.lastgroup]):
            rest = _rule(_REST[value.lastgroup]).match(lowered, value.end())
            done = rest.end() if rest else value.end()
            yield value.start(value.lastgroup), done


def _secret(word: bytes, before: bytes, value: bytes) -> bool:
    """Decide by the end of the name (`word` and what stands before it) and the value, both in lower case."""
    before = before.rstrip(b"_-. ")
    if _rule(_HARMLESS).match(value) or value.strip(b"_") == word:
        return False  # a line of code like password=password tells nothing
    if word == b"token":
        return before.endswith(_AUTHORITY) or (not before.endswith(_MODELLING) and _plausible(value))
    if word == b"key":
        return before.endswith(_KEYS) and not _is_path(value) and len(value) >= 6
    if word == b"pass":
        return before.endswith(_PASS)
    if word == b"pwd":
        return not _is_path(value)
    return word[:4] == b"pass" or not _is_path(value)


def _is_path(value: bytes) -> bool:
    return value.startswith((b"/", b"~", b"./", b"../")) or value[1:3] in (b":\\", b":/")


def _plausible(value: bytes) -> bool:
    """Say whether a value looks like a token: long enough, letters and digits, not a number, no placeholder."""
    if len(value) < 8 or _rule(_NUMBER).match(value) or _rule(_HARMLESS).match(value) or _is_path(value):
        return False
    return _rule(_DIGIT).search(value) is not None and _rule(_LETTER).search(value) is not None


def _strong(lowered: bytes, start: int, end: int) -> bool:
    value = lowered[start:end]
    before = lowered[max(0, start - 24) : start]
    return len(value) >= 20 and b" " not in value and b"passw" not in before and _plausible(value)


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogatepass")


def _split_name(name: str) -> tuple[bytes, bytes] | None:
    lowered = _bytes(name).lower().rstrip(b"]\"'")
    if not _rule(_WORD_HINT).search(lowered + b"="):
        return None
    match = _rule(_ASSIGN).search(lowered[-40:] + b"=")
    if not match or match.end() != len(lowered[-40:]) + 1:
        return None
    return match["word"], lowered[-40:][: match.start("word")]


def _is_secret(name: str, value: str) -> bool:
    parts, lowered = _split_name(name), _bytes(value).lower()
    if parts is None or _rule(_HARMLESS).match(lowered):
        return False
    return _secret(*parts, lowered) or (parts[0] == b"token" and parts[1] in (b"", b"-", b"--"))


def _names_secret(option: str) -> bool:
    """Say whether the word after this option is a secret whatever it is: --token, --api-key, not --pad-token."""
    parts = _split_name(option)
    if parts is None:
        return False
    word, before = parts
    if word == b"token":
        before = before.strip(b"_-. ")
        return not before or before.endswith(_AUTHORITY)
    return _secret(word, before, b"placeholder")
