"""Runs by the history of their code: which are in it, also after a rebase or a squash, and which touched a path."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from gitexp import text
from gitexp.git import objects, patches
from gitexp.git.patches import Commit, Tips
from gitexp.git.repo import Repo
from gitexp.index.database import Index
from gitexp.index.entry import Entry
from gitexp.query import nodes
from gitexp.store.workspace import Workspace

WAYS = ("commit", "tree", "patch", "squash")  # how code can be in a history, the surest first


@dataclass(frozen=True, slots=True)
class History:
    """Which code is in a history: `how` says by what, for each commit of the user's and each snapshot of edits.

    `note` says what could not be looked at, in a line for stderr.
    """

    how: Mapping[str, str]
    note: str = ""

    @property
    def condition(self) -> nodes.Node:
        """What the runs of this code have in common, for a search."""
        known = [nodes.Literal(commit) for commit in sorted(self.how)]
        return nodes.Any(tuple(nodes.In(nodes.Field(name), tuple(known)) for name in ("code.commit", "code.snapshot")))

    def of(self, entry: Entry) -> str:
        """Return how a run is in the history, "" where it is not."""
        found = {self.how.get(commit or "") for commit in (entry.code_commit, entry.code_snapshot)}
        return next((way for way in WAYS if way in found), "")


@dataclass(frozen=True, slots=True)
class Code:
    """The code of some runs: the user's commit, the snapshot of the edits on it, and the tree that ran."""

    commit: str | None
    snapshot: str | None
    tree: str | None


def history(workspace: Workspace, index: Index, revisions: Sequence[str]) -> History:
    """Return which of the runs' code is in a history: by commit, else by tree, by patch, or in a squashed patch.

    A run of uncommitted edits is there with the commit it began from, or with its edits. Code that lies in what is
    left out (`main` of `main..HEAD`) is at home there and not looked for. Raises NotFound for unknown revisions.
    """
    repo = workspace.repo
    tips = patches.tips(repo, revisions)
    walked = patches.walk(repo, tips.included, tips.excluded)
    inside = {commit: found for commit, found in walked.items() if not found.boundary}
    codes = [Code(*map(_oid, row)) for row in index.connection.execute(_CODES)]
    known = {sha for code in codes for sha in (code.commit, code.snapshot) if sha}
    how = dict.fromkeys(known & inside.keys(), "commit")
    if len(how) == len(known) or not inside:
        return History(how)
    search = _prepared(repo, tips, inside, known - inside.keys(), codes)
    how |= dict.fromkeys(_by_tree(repo, tips, search), "tree")
    if repo.is_partial and search.open - how.keys():
        return History(how, "a partial clone: runs are found by commit and by tree, not by patch")
    return History(how | _by_patch(repo, search, search.open - how.keys()))


def _oid(value: object) -> str | None:
    return str(value) if patches.is_oid(value) else None  # a foreign record can hold anything


_CODES = "SELECT DISTINCT code_commit, code_snapshot, code_tree FROM run"


@dataclass(frozen=True, slots=True)
class _Search:
    """What is looked for: code that is not in the history by its own commit, and not at home elsewhere.

    `around` are the commits that lead from the history's edge (its boundary) to that code and to all branches.
    """

    inside: dict[str, Commit]
    around: dict[str, Commit]
    open: frozenset[str]
    trees: Mapping[str, str]


def _prepared(repo: Repo, tips: Tips, inside: dict[str, Commit], rest: set[str], codes: Iterable[Code]) -> _Search:
    here = patches.present(repo, sorted(rest), "commit")
    around = patches.walk(repo, here, [*tips.included, *tips.excluded], branches=True)
    at_home = {sha for sha in here if sha not in around or around[sha].boundary}
    wanted = frozenset(rest - at_home)
    # The tree of code whose commit is not here is known from the record.
    recorded = {code.snapshot or code.commit: code.tree for code in codes}
    trees = {sha: around[sha].tree if sha in around else recorded.get(sha) or "" for sha in wanted}
    return _Search(inside, around, wanted, {sha: tree for sha, tree in trees.items() if tree})


def _by_tree(repo: Repo, tips: Tips, search: _Search) -> set[str]:
    """Return the code that is the whole code of a commit inside, whatever record of a run lies beside it."""
    wanted = patches.code_trees(repo, search.trees.values())
    ends = {search.inside[tip].tree for tip in tips.included if tip in search.inside}
    have = {commit.tree for commit in search.inside.values()}
    held = patches.code_trees(repo, ends)
    if any(code != tree for tree, code in (wanted | held).items()):  # records are seldom in histories
        have = set(patches.code_trees(repo, have).values())
    have.discard(objects.EMPTY_TREE)
    return {sha for sha, tree in search.trees.items() if wanted[tree] in have}


def _by_patch(repo: Repo, search: _Search, rest: frozenset[str]) -> dict[str, str]:
    """Return the code whose own patch, or all that leads to it from the history, is the patch of a commit inside."""
    own = {sha for sha in rest if sha in search.around}
    bases = _bases(search.around, search.inside)
    single: dict[str, str | None] = dict.fromkeys(sorted(own))
    whole: dict[str, str | None] = {
        sha: base
        for sha in sorted(own | _leaves(search.around, own))
        if (base := bases.get(sha)) and search.around[sha].parents != (base,)
    }
    since = dict.fromkeys(_since(search.inside, {bases.get(sha) for sha in own}))
    alike = _alike(repo, since, (single, whole))
    squashed = _behind(search.around, alike[1])
    return dict.fromkeys(own & squashed, "squash") | dict.fromkeys(alike[0], "patch")


def _alike(repo: Repo, inside: patches.Bases, sides: Sequence[patches.Bases]) -> list[set[str]]:
    """Return, of each side, the commits whose patch is one of those inside; only files of equal names are compared."""
    shapes = [patches.shapes(repo, side) for side in sides]
    wanted = {shape for side in shapes for shape in side.values()}
    known = {commit: shape for commit, shape in patches.shapes(repo, inside).items() if shape in wanted}
    have = set(patches.ids(repo, dict.fromkeys(known)).values())
    found = []
    for side, shape in zip(sides, shapes, strict=True):
        near = {commit: base for commit, base in side.items() if shape.get(commit) in known.values()}
        found.append({commit for commit, patch in patches.ids(repo, near).items() if patch in have})
    return found


def _bases(around: dict[str, Commit], inside: Iterable[str]) -> dict[str, str]:
    """Return {commit: the newest commit of the history that it follows}."""
    age = {sha: -place for place, sha in enumerate(inside, 1)}  # children before parents; others are older
    found: dict[str, str] = {}
    for sha in reversed(around):  # parents before children
        before = [sha] if around[sha].boundary else [found[parent] for parent in around[sha].parents if parent in found]
        if before:
            found[sha] = max(before, key=lambda base: (base in age, age.get(base, 0), around[base].time_s))
    return found


def _leaves(around: dict[str, Commit], code: set[str]) -> set[str]:
    """Return the ends of branches that lead over some code: what a squash of the branch would hold."""
    parents = {parent for commit in around.values() for parent in commit.parents}
    over: set[str] = set()
    for sha in reversed(around):
        if sha in code or not over.isdisjoint(around[sha].parents):
            over.add(sha)
    return over - parents


def _behind(around: dict[str, Commit], ends: Iterable[str]) -> set[str]:
    """Return commits with all that they follow, up to the history."""
    found, left = set(), list(ends)
    while left:
        sha = left.pop()
        if sha in around and sha not in found and not around[sha].boundary:
            found.add(sha)
            left.extend(around[sha].parents)
    return found


def _since(inside: dict[str, Commit], bases: set[str | None]) -> list[str]:
    """Return the commits inside that are not before all of `bases`: nothing older can hold what began there."""
    places = {base: 1 << place for place, base in enumerate(sorted(filter(None, bases)))}
    every = (1 << len(bases)) - 1  # code without a base is compared with all
    masks: dict[str, int] = {}
    for sha, commit in inside.items():  # children before parents
        mask = masks.get(sha, 0) | places.get(sha, 0)
        masks[sha] = mask
        for parent in commit.parents:
            masks[parent] = masks.get(parent, 0) | mask
    return [sha for sha in inside if masks[sha] != every]


@dataclass(frozen=True, slots=True)
class Touched:
    """The ids of the runs whose code touched some paths; `note` says what could not be compared."""

    runs: tuple[str, ...]
    note: str = ""

    @property
    def condition(self) -> nodes.Node:
        """What these runs have in common, for a search."""
        return nodes.In(nodes.Field("id"), tuple(map(nodes.Literal, self.runs)))


def touching(workspace: Workspace, index: Index, pathspecs: Sequence[str]) -> Touched:
    """Return the runs whose code differs, at some path, from that of the run before.

    The run before is that of the same experiment by start; the first of an experiment is compared with no code at all.
    Pathspecs are as Git takes them, from the folder where the user is.
    """
    steps = list(_steps(index.connection.execute(_COURSE)))
    names = {name for _, pair in steps for name in pair} - {objects.EMPTY_TREE}
    trees = {objects.EMPTY_TREE: objects.EMPTY_TREE, **patches.present(workspace.repo, sorted(names), "tree")}
    pairs = [(run, trees.get(old), trees.get(new)) for run, (old, new) in steps]
    differing = {(old, new) for _, old, new in pairs if old and new and old != new}
    touched = patches.touching(workspace.repo, sorted(differing), pathspecs) if differing else {}
    unknown = sum(not (old and new) for _, old, new in pairs)
    return Touched(
        tuple(run for run, old, new in pairs if old and new and touched.get((old, new))),
        f"{text.plural(unknown, 'run')} left out: the code, or that of the run before, is not here" if unknown else "",
    )


_COURSE = """SELECT id, path, code_tree, COALESCE(code_snapshot, code_commit) FROM run WHERE NOT removed
ORDER BY path, start_ms, id"""


def _steps(rows: Iterable[tuple[str, str, str | None, str | None]]) -> Iterator[tuple[str, patches.Pair]]:
    """Yield each run with the names of two trees: the code of the run before, and its own."""
    last, name = None, objects.EMPTY_TREE
    for run, path, tree, commit in rows:
        before = name if path == last else objects.EMPTY_TREE
        name = _oid(tree) or (f"{commit}^{{tree}}" if _oid(commit) else objects.EMPTY_TREE)
        last = path
        yield run, (before, name)
