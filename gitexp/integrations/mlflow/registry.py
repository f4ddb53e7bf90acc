"""MLflow's model registry on gitexp's: models are chains of signed events in Git (docs/registry.md)."""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Sequence
from typing import Any

from mlflow.entities.model_registry import (
    ModelVersion,
    ModelVersionTag,
    RegisteredModel,
    RegisteredModelAlias,
    RegisteredModelTag,
)
from mlflow.entities.model_registry.model_version_stages import (
    ALL_STAGES,
    DEFAULT_STAGES_FOR_GET_LATEST_VERSIONS,
    get_canonical_stage,
)
from mlflow.exceptions import MlflowException
from mlflow.prompt.registry_utils import add_prompt_filter_string, handle_resource_already_exist_error, has_prompt_tag
from mlflow.store.entities.paged_list import PagedList
from mlflow.store.model_registry.abstract_store import AbstractStore
from mlflow.utils.search_utils import SearchModelUtils, SearchModelVersionUtils, SearchUtils

from gitexp.errors import NotFound
from gitexp.integrations.mlflow import artifacts, checks, failures, refused, table, uri
from gitexp.ops.finding.using import Found
from gitexp.ops.registry import promote, register, release
from gitexp.ops.registry.register import Options
from gitexp.record import event as events
from gitexp.record import logged
from gitexp.record import rules as ruling
from gitexp.record.model import LATEST, Model, Version
from gitexp.store import models
from gitexp.store.models import Draft
from gitexp.store.workspace import Workspace

MAX_MODELS, MAX_VERSIONS = 1000, 200_000  # of one page: MLflow's own bounds
RUN_LINK = "mlflow.runLink"  # tag of a version that MLflow shows as its link to a run elsewhere
_REASON = "deleted by MLflow"
_NEWEST = ["last_updated_timestamp DESC", "name ASC", "version_number DESC"]


class GitRegistry(AbstractStore):  # type: ignore[misc]  # MLflow's classes are not typed
    """What MLflow calls for `gitexp:` registries."""

    def __init__(self, store_uri: str | None = None, tracking_uri: str | None = None) -> None:
        super().__init__(store_uri, tracking_uri)
        with failures.told():
            self._place = uri.Place(str(store_uri))

    @property
    def workspace(self) -> Workspace:
        """The workspace that the address means now."""
        return self._place.settle()

    def create_registered_model(
        self,
        name: str,
        tags: Sequence[Any] | None = None,
        description: str | None = None,
        deployment_job_id: Any = None,
    ) -> RegisteredModel:
        """Make a model; one that was deleted begins anew, its versions' numbers go on."""
        checks.model_name(name)
        for tag in tags or ():
            checks.registered_model_tag(tag.key, tag.value)
        with failures.told():
            before = self._get(name, removed=True)
            if before is not None and before.removed is None:
                old = [RegisteredModelTag(*item) for item in before.tags.items()]
                handle_resource_already_exist_error(name, has_prompt_tag(old), has_prompt_tag(tags))
            made = register.create(self.workspace, name) if before is None else self._anew(before)
            made = release.describe(self.workspace, made, None, description or "")
            made = release.tag(self.workspace, made, None, {item.key: item.value for item in tags or ()})
        return self._model(made)

    def get_registered_model(self, name: str) -> RegisteredModel:
        """Return a model."""
        return self._model(self._needed(name))

    def update_registered_model(
        self, name: str, description: str | None, deployment_job_id: Any = None
    ) -> RegisteredModel:
        """Describe a model."""
        with failures.told():
            return self._model(release.describe(self.workspace, self._needed(name), None, description or ""))

    def rename_registered_model(self, name: str, new_name: str) -> RegisteredModel:
        """Give a model another name; its ref stays."""
        checks.model_renaming(new_name)
        model = self._needed(name)
        if new_name == name:
            return self._model(model)
        if self._get(new_name, removed=True) is not None:
            raise failures.exists(f"Registered Model (name={new_name}) already exists.")
        with failures.told():
            return self._model(release.rename(self.workspace, model, new_name))

    def delete_registered_model(self, name: str) -> None:
        """Hide a model and its versions; its history stays."""
        with failures.told():
            release.remove(self.workspace, self._needed(name), None, _REASON, force=True)

    def search_registered_models(
        self,
        filter_string: str | None = None,
        max_results: int = 100,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[RegisteredModel]:
        """Return models, a page at a time; prompts only where the filter names them."""
        _check_page(max_results, MAX_MODELS, least=0)
        every = [self._model(model) for model in self._every()]
        found = SearchModelUtils.filter(every, add_prompt_filter_string(filter_string, is_prompt=False))
        return _page(SearchModelUtils.sort(found, _order(order_by)), max_results, page_token)

    def get_latest_versions(self, name: str, stages: Sequence[str] | None = None) -> list[ModelVersion]:
        """Return the newest version in each stage."""
        model = self._needed(name)
        wanted = {get_canonical_stage(stage) for stage in stages or ALL_STAGES}
        return [item for item in self._latest(model) if item.current_stage in wanted]

    def set_registered_model_tag(self, name: str, tag: Any) -> None:
        """Set a tag of a model."""
        checks.registered_model_tag(tag.key, tag.value)
        with failures.told():
            release.tag(self.workspace, self._needed(name), None, {tag.key: tag.value})

    def delete_registered_model_tag(self, name: str, key: str) -> None:
        """Take a tag of a model away."""
        checks.tag_name(key)
        model = self._needed(name)
        with failures.told():
            release.untag(self.workspace, model, None, {key} & model.tags.keys())

    def create_model_version(
        self,
        name: str,
        source: str,
        run_id: str | None = None,
        tags: Sequence[Any] | None = None,
        run_link: str | None = None,
        description: str | None = None,
        local_model_path: str | None = None,
        model_id: str | None = None,
    ) -> ModelVersion:
        """Register artifacts of a run, or of another version; of bytes that stay elsewhere only the address is kept."""
        checks.model_name(name)
        said = {tag.key: tag.value for tag in tags or ()}
        for key, value in said.items():
            checks.model_version_tag(key, value)
        said |= {RUN_LINK: run_link} if run_link else {}
        model = self._needed(name)
        with failures.told():
            found = self._artifacts(source)
            if found is None:
                return self._register_elsewhere(model, source, run_id, model_id, said, description or "")
            options = Options(description=description or "", tags=said, again=True, running=True)
            made = register.add(self.workspace, found, model.name, options)
        return self._version(made.model, made.version)

    def _register_elsewhere(
        self,
        model: Model,
        source: str,
        run_id: str | None,
        model_id: str | None,
        tags: dict[str, str],
        description: str,
    ) -> ModelVersion:
        if not run_id and model_id and (found := table.one(self.workspace, model_id)) is not None:
            run_id = found.model.source
        arguments = {"run": run_id or "", "source": source, "tags": tags, "description": description}
        draft = Draft(events.REGISTER, f"register {source}"[:200], None, arguments)
        after = models.append(self.workspace, model.first, [draft])
        return self._version(after, after.versions[after.tip])

    def _artifacts(self, source: str) -> Found | None:
        """Return the artifacts of this repository that an address means, None where it leads elsewhere."""
        parsed = urllib.parse.urlparse(source)
        if parsed.scheme == "models":
            return self._of_models(source, parsed.path.strip("/"))
        place = artifacts.place(self.workspace, source)
        return self._folder(place.run_id, place.name, source) if place is not None else None

    def _of_models(self, source: str, path: str) -> Found | None:
        """Return what `models:/m-…`, `models:/NAME/3` or `models:/NAME@ALIAS` means."""
        name, _, version = path.partition("/")
        try:
            if not version and "@" not in name:
                return self._folder(table.owner(self.workspace, name), f"{logged.FOLDER}/{name}", source)
            if "@" in name:
                name, _, alias = name.partition("@")
                version = self.get_model_version_by_alias(name, alias).version
            copied = self._one(name, version)[1]
        except MlflowException as error:
            raise MlflowException(
                f"Unable to fetch model from model URI source artifact location '{source}'.Error: {error}"
            ) from error
        return self._folder(copied.run, copied.artifact.rstrip("/"), source) if copied.run and copied.artifact else None

    def _folder(self, run_id: str, path: str, source: str) -> Found | None:
        run = table.run(self.workspace, run_id)
        every = run.artifacts
        items = [item for item in every if item.name == path] or [
            item for item in every if not path or item.name.startswith(path + "/")
        ]
        name = path if [item.name for item in items] == [path] else f"{path}/" if path else ""
        return Found(run, name, tuple(items), source) if items else None

    def update_model_version(self, name: str, version: Any, description: str | None = None) -> ModelVersion:
        """Describe a version."""
        model, found = self._one(name, version)
        with failures.told():
            return self._again(release.describe(self.workspace, model, found, description or ""), found)

    def transition_model_version_stage(
        self, name: str, version: Any, stage: str, archive_existing_versions: bool
    ) -> ModelVersion:
        """Move a version into a stage; raises PERMISSION_DENIED, naming what the rules ask that is not met."""
        canonical = get_canonical_stage(stage)
        if archive_existing_versions and canonical not in DEFAULT_STAGES_FOR_GET_LATEST_VERSIONS:
            raise MlflowException(
                "Model version transition cannot archive existing model versions because "
                f"'{stage}' is not an Active stage. Valid stages are {DEFAULT_STAGES_FOR_GET_LATEST_VERSIONS}"
            )
        model, found = self._one(name, version)
        with failures.told():
            held = [item.id for item in model.holders(canonical.lower()) if item.id != found.id]
            model = promote.promote(self.workspace, model, found, canonical.lower())
            for other in held if archive_existing_versions else ():
                if model.versions[other].stage == canonical.lower():
                    model = promote.promote(self.workspace, model, model.versions[other], ruling.ARCHIVED)
        return self._again(model, found)

    def delete_model_version(self, name: str, version: Any) -> None:
        """Hide a version; its number stays taken."""
        model, found = self._one(name, version)
        with failures.told():
            release.remove(self.workspace, model, found, _REASON, force=True)

    def get_model_version(self, name: str, version: Any) -> ModelVersion:
        """Return a version."""
        return self._version(*self._one(name, version))

    def get_model_version_download_uri(self, name: str, version: Any) -> str:
        """Return where the files of a version are."""
        return self._location(self._one(name, version)[1])

    def search_model_versions(
        self,
        filter_string: str | None = None,
        max_results: int = 10_000,
        order_by: list[str] | None = None,
        page_token: str | None = None,
    ) -> PagedList[ModelVersion]:
        """Return versions of all models, a page at a time."""
        _check_page(max_results, MAX_VERSIONS)
        every = [self._version(model, item) for model in self._every() for item in _kept(model)]
        found = SearchModelVersionUtils.filter(every, add_prompt_filter_string(filter_string, is_prompt=False))
        return _page(SearchModelVersionUtils.sort(found, order_by or _NEWEST), max_results, page_token)

    def set_model_version_tag(self, name: str, version: Any, tag: Any) -> None:
        """Set a tag of a version."""
        checks.model_version_tag(tag.key, tag.value)
        model, found = self._one(name, version)
        with failures.told():
            release.tag(self.workspace, model, found, {tag.key: tag.value})

    def delete_model_version_tag(self, name: str, version: Any, key: str) -> None:
        """Take a tag of a version away."""
        checks.tag_name(key)
        model, found = self._one(name, version)
        with failures.told():
            release.untag(self.workspace, model, found, {key} & found.tags.keys())

    def set_registered_model_alias(self, name: str, alias: str, version: Any) -> None:
        """Let an alias name a version."""
        checks.alias(alias)
        checks.alias_reserved(alias)
        model, found = self._one(name, version)
        with failures.told():
            release.alias(self.workspace, model, found, alias)

    def delete_registered_model_alias(self, name: str, alias: str) -> None:
        """Take an alias away."""
        checks.alias(alias)
        model = self._needed(name)
        if alias in model.aliases:
            with failures.told():
                release.unalias(self.workspace, model, alias)

    def get_model_version_by_alias(self, name: str, alias: str) -> ModelVersion:
        """Return the version that an alias names; `latest` is the newest."""
        checks.alias(alias)
        model = self._needed(name)
        if alias.lower() == LATEST:
            newest = model.latest()
            if newest is None:
                raise failures.missing(f"Latest version not found for model {name}.")
            return self._version(model, newest)
        found = model.versions.get(model.aliases.get(alias, ""))
        if found is None:
            raise failures.bad(f"Registered model alias {alias} not found.")
        return self._version(model, found)

    def _await_model_version_creation(self, mv: ModelVersion, await_creation_for: int) -> None:
        """A version is ready when it is registered."""

    def _every(self) -> list[Model]:
        with failures.told():
            return models.every(self.workspace)

    def _get(self, name: str, *, removed: bool = False) -> Model | None:
        """Return the model that is called so now, None where there is none."""
        with failures.told():
            try:
                model = models.get(self.workspace, name, removed=removed)
            except NotFound:
                return None
            return model if model.name == name or removed else None

    def _needed(self, name: str) -> Model:
        checks.model_name(name)
        model = self._get(name)
        if model is None:
            raise failures.missing(f"Registered Model with name={name} not found")
        return model

    def _one(self, name: str, version: Any) -> tuple[Model, Version]:
        checks.model_name(name)
        checks.model_version(version)
        model = self._get(name)
        found = model.by_number(int(version)) if model is not None else None
        if model is None or found is None or found.removed is not None:
            raise failures.missing(f"Model Version (name={name}, version={version}) not found")
        return model, found

    def _anew(self, model: Model) -> Model:
        """Bring a removed model back as an empty one: without its versions and tags."""
        model = release.undelete(self.workspace, model, None)
        for item in _kept(model):
            model = release.remove(self.workspace, model, item, _REASON, force=True)
        return release.untag(self.workspace, model, None, model.tags)

    def _again(self, model: Model, found: Version) -> ModelVersion:
        return self._version(model, model.versions[found.id])

    def _model(self, model: Model) -> RegisteredModel:
        return RegisteredModel(
            name=model.name,
            creation_timestamp=model.created_ms,
            last_updated_timestamp=model.changed_ms,
            description=model.description or None,
            latest_versions=self._latest(model),
            tags=[RegisteredModelTag(*item) for item in model.tags.items()],
            aliases=[RegisteredModelAlias(alias, model.versions[id].number) for alias, id in model.aliases.items()],
        )

    def _latest(self, model: Model) -> list[ModelVersion]:
        newest = {item.stage: item for item in _kept(model)}
        return [self._version(model, item) for item in newest.values()]

    def _version(self, model: Model, item: Version) -> ModelVersion:
        owner, _, model_id = item.artifact.strip("/").partition("/")
        return ModelVersion(
            name=model.name,
            version=item.number,  # a number, as MLflow's own store on SQL has it: filters and `max()` compare it
            creation_timestamp=item.time_ms,
            last_updated_timestamp=item.changed_ms or item.time_ms,
            description=item.description or None,
            user_id=item.person or None,
            current_stage=_stage(item.stage),
            source=f"models:/{model_id}" if _is_logged(owner, model_id) else self._location(item),
            run_id=item.run or None,
            tags=[ModelVersionTag(key, value) for key, value in item.tags.items() if key != RUN_LINK],
            run_link=item.tags.get(RUN_LINK) or None,
            aliases=model.aliases_of(item),
        )

    def _location(self, item: Version) -> str:
        """Return where the files of a version are now: not when it was registered."""
        if not item.artifact:
            return str(item.details.get("source") or "")
        return artifacts.address(self.workspace, item.run, item.artifact.rstrip("/"))


def _is_logged(folder: str, model_id: str) -> bool:
    return folder == logged.FOLDER and model_id.startswith("m-") and "/" not in model_id


def _stage(stage: str) -> str:
    """Return a stage as MLflow writes it; one that only the project's rules know as it is."""
    known = {each.lower(): each for each in ALL_STAGES}
    return str(known.get(stage, stage))


def _kept(model: Model) -> list[Version]:
    return [item for item in model.versions.values() if item.removed is None]


def _order(order_by: Sequence[str] | None) -> list[str]:
    """Return an order of models: MLflow's store on SQL calls the time of the last change by a short name, too."""
    return [re.sub(r"^\s*timestamp\b", "last_updated_timestamp", item) for item in order_by or ()]


def _check_page(max_results: Any, most: int, *, least: int = 1) -> None:
    if not isinstance(max_results, int) or max_results < least:
        raise failures.bad(f"Invalid value for max_results. It must be a positive integer, but got {max_results}")
    if max_results > most:
        raise failures.bad(
            f"Invalid value for request parameter max_results. It must be at most {most}, but got value {max_results}"
        )


def _page(found: list[Any], max_results: int, page_token: str | None) -> PagedList[Any]:
    start = SearchUtils.parse_start_offset_from_page_token(page_token)
    end = start + max_results
    return PagedList(found[start:end], SearchUtils.create_page_token(end) if end < len(found) else None)


refused.guard(GitRegistry)
