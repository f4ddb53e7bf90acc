#!/usr/bin/env bash
# gitexp on real training, from the first run to the model that a teammate serves. Everything happens in a temporary directory.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
place=$(mktemp -d "${TMPDIR:-/tmp}/gitexp-demo.XXXXXX")
export GIT_PAGER=cat
unset "${!GITEXP_@}"

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
try() { printf '\n\033[2m$\033[0m %s\n' "$*" && eval "$*"; }
same() { git -C "$1" for-each-ref --format='%(objectname) %(refname)' refs/experiments/; }

say "A Git repository with a training script"
git init --quiet --initial-branch=main "$place/digits" && cd "$place/digits"
git config user.name >/dev/null || git config user.name "Demo"
git config user.email >/dev/null || git config user.email "demo@example.com"
cp "$here/train.py" "$here/forest.py" .
printf 'outputs/\ncurves.png\nreport.html\n' >.gitignore
git add . && git commit --quiet -m "train a network on digits"
git log --oneline

say "Four learning rates, recorded by gitexp.start_run in train.py"
for lr in 0.01 0.001 0.0001 0.003; do
  try python train.py --lr "$lr"
done

say "A run that fails is recorded too"
try python train.py --lr -0.5 2>&1 | grep -v '^  ' || true

say "A run of code that is not committed: the edits become part of what is recorded"
sed -i.bak 's/(args.hidden,)/(args.hidden, args.hidden)/' train.py && rm train.py.bak
git diff --stat
try python train.py --lr 0.003
git checkout --quiet train.py

say "A script that knows nothing of gitexp"
try git exp run --experiment digits -- python forest.py --trees 30

say "Look"
try git exp log
best=$(git exp log --best val_accuracy -n 1 --format '{id}' | cut -c 1-7)
try git exp show "$best"
try git exp diff "$best" @~1

say "Ask: filter by params, rank by a metric; what a param does; curves; one page for others"
try "git exp log --where 'params.lr <= 0.003 and status = \"completed\"' --sort -metrics.val_accuracy -n 3"
try git exp log --group-by params.lr --columns val_accuracy
try "git exp plot --where 'params.lr > 0' --metric loss,val_accuracy -o curves.png"
try "git exp report 'lr0*' -o report.html"
try git exp check "$best" --metric val_accuracy --min 0.9

say "Plain Git knows all of it: a run is a commit, its parent the code"
try "git show --stat \$(git exp ref $best)"
try "git diff \$(git exp ref $best) \$(git exp ref @~1) -- train.py .gitexp/params.json"
try git log --oneline --graph --all

say "Release: what production asks for stands in gitexp.toml, reviewed like code"
cat >gitexp.toml <<'END'
[registry.stages.production]
approvals = 1
approvers = ["bo@example.com"]
not_by_author = true
require = "code.dirty = false and metrics.val_accuracy >= 0.9"
END
git add gitexp.toml && git commit --quiet -m "what production asks for"
sed 's/^/  /' gitexp.toml
try git exp model register "$best" digits
try git exp model stage digits:1 production || true
say "Bo looks at it, and approves (git exp keys setup: then approvals are signed, and rules can ask for that)"
try git exp model check digits:1 production || true
try git -c user.name=Bo -c user.email=bo@example.com exp model approve digits:1 -m '"read the confusion matrix"'
try git exp model stage digits:1 production
try git exp model show digits@production

say "Share: a bare repository is all it takes"
git init --quiet --bare --initial-branch=main "$place/origin.git" && git remote add origin "$place/origin.git"
git push --quiet origin main
try git exp push --dry-run
try git exp push --yes
git clone --quiet "$place/origin.git" "$place/teammate"
cd "$place/teammate"
try git exp fetch
try git exp log
say "What is in production, on the machine that serves it: exactly the bytes that were approved"
try git exp model ls
try git exp model get digits@production --to model.joblib
try "git exp model env digits@production | grep -E 'VERSION|RUN=|CODE_COMMIT|SHA256'"
diff <(same "$place/digits") <(same "$place/teammate") && git fsck --strict 2>/dev/null

say "All of it stays in $place to play with"
printf '  %-42s %s\n' \
  "cd $place/digits" "" \
  "git exp status" "what is running, what is not pushed" \
  "git exp show @" "the newest run" \
  "git exp branch $best try" "a branch at the code of the best run" \
  "git exp tag $best keep" "say something about it" \
  "git exp model log digits" "what was done to the model, and by whom" \
  "git exp run -- python train.py --lr 0.02" "one more"
