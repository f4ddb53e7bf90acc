"""What goes wrong with a bucket, in words that name it and say what to type."""

from __future__ import annotations

import re

from gitexp.errors import RemoteError
from gitexp.git.lfshttp import Trouble

_STATUS = re.compile(r"status code: (\d{3})")
_CODE = re.compile(r"<Code>(\w{1,64})</Code>")
_HOST = re.compile(r"https?://([^/\s?#@]+)")
_ASKED_MACHINE = ("/latest/api/token", "/latest/meta-data", "169.254.169.254", "metadata.google.internal")
_NO_BUCKET = ("NoSuchBucket", "ContainerNotFound", "The specified bucket does not exist")
_WRONG_KEYS = frozenset(
    {
        "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "TokenRefreshRequired", "InvalidToken",
        "AuthFailure", "AuthenticationFailed", "ExpiredTokenException", "InvalidClientTokenId",
    }
)  # fmt: skip
_MAKE = {
    "s3": "aws s3 mb s3://{0}",
    "gs": "gcloud storage buckets create gs://{0}",
    "az": "az storage container create --name {0}",
}
_LOG_IN = {
    "s3": "export AWS_ACCESS_KEY_ID=… AWS_SECRET_ACCESS_KEY=…; or: aws configure; "
    'of a profile with SSO or a role: eval "$(aws configure export-credentials --format env)"',
    "gs": "gcloud auth application-default login; or: export GOOGLE_APPLICATION_CREDENTIALS=FILE",
    "az": "export AZURE_STORAGE_ACCOUNT_NAME=… AZURE_STORAGE_ACCOUNT_KEY=…; or, after az login: "
    "export AZURE_STORAGE_ACCOUNT_NAME=… AZURE_USE_AZURE_CLI=true",
}
_MAY = {
    "s3": "ask for s3:GetObject, s3:PutObject and s3:ListBucket",
    "gs": "ask for the role Storage Object User",
    "az": "ask for the role Storage Blob Data Contributor",
}


def explain(error: BaseException, scheme: str, label: str, bucket: str) -> Trouble | RemoteError:
    """Return what an error of obstore means: RemoteError where the whole bucket cannot be used.

    Its own words are long and show addresses with their queries: nothing of them is passed on but codes and hosts.
    """
    said = str(error)
    status = int(found[1]) if (found := _STATUS.search(said)) else 0
    code = found[1] if (found := _CODE.search(said)) else ""
    kind = type(error).__name__
    if any(word in said for word in _ASKED_MACHINE) or "MissingAccount" in said:
        return RemoteError(f"{label}: there are no credentials for it here", hint=_LOG_IN[scheme])
    if any(word in said for word in _NO_BUCKET):
        return RemoteError(f"{label}: there is no bucket {bucket!r}", hint=_MAKE[scheme].format(bucket))
    if code in _WRONG_KEYS or status == 401 or kind == "UnauthenticatedError":
        why = f" ({code})" if code else ""
        return RemoteError(f"{label}: the credentials are wrong or have run out{why}", hint=_LOG_IN[scheme])
    if code == "RequestTimeTooSkewed":
        return RemoteError(f"{label}: this machine's clock is wrong", hint="date -u")
    if status == 403 or kind == "PermissionDeniedError":
        return Trouble(f"{label} does not allow it (403): {_MAY[scheme]}", status=403)
    if isinstance(error, FileNotFoundError) or status == 404:
        return Trouble(f"{label} does not have it", status=404)
    return _transport(said, status, code, scheme, label)


def _transport(said: str, status: int, code: str, scheme: str, label: str) -> Trouble | RemoteError:
    if status == 301 or "redirect" in said.lower():
        hint = "export AWS_REGION=REGION" if scheme == "s3" else "look at the address of the bucket"
        return RemoteError(f"{label} is in another region", hint=hint)
    if status:
        return Trouble(f"{label} answers {status}{f' ({code})' if code else ''}", status=status)
    if "error sending request" in said or "builder error" in said:
        host = found[1] if (found := _HOST.search(said)) else "its host"
        hint = "look at the network and at AWS_ENDPOINT_URL" if scheme == "s3" else "look at the network"
        return RemoteError(f"{label}: cannot reach {host}", hint=f"{hint}, then try again")
    if "parsing" in said.lower() or "Unable to recognise" in said:
        return RemoteError(f"{label} is no address of a bucket", hint="git config gitexp.artifacts s3://BUCKET/PREFIX")
    return Trouble(f"{label} cut the connection", again=True)
