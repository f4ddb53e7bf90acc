"""gitexp plot: figures of runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gitexp.cli import context
from gitexp.errors import UsageError, WriteFailed

if TYPE_CHECKING:
    from gitexp.ops.plots.figure import Figure, Request

_KINDS = ("curve", "scatter", "parallel", "bar", "box", "heatmap", "confusion", "roc", "pr")


@click.command("plot")
@click.argument("names", metavar="[RUN]...", nargs=-1, shell_complete=context.complete_runs)
@click.option(
    "-m", "--metric", "metrics", multiple=True, metavar="NAMES", help="loss,val_loss or 'val_*': a panel each."
)
@click.option("-k", "--kind", type=click.Choice(_KINDS), help="What to draw (curve; with --y, scatter).")
@click.option("-o", "--output", metavar="FILE", help="Where to: .png, .svg or .pdf (gitexp-METRIC.png).")
@click.option("-x", "--x", "x", default="", metavar="NAME", help="step, time, relative or a metric; else params.lr …")
@click.option("-y", "--y", "y", default="", metavar="NAME", help="metrics.val_auc; of a heatmap the second param.")
@click.option(
    "--color", "--colour", "colour", default="", metavar="NAME", help="Colour the points of a scatter by this."
)
@click.option("--group-by", default="", metavar="NAME", help="Mean ± std of the runs that share this: params.model.")
@click.option("--smooth", type=float, default=0.0, metavar="0-1", help="Exponential smoothing, as TensorBoard's: 0.9.")
@click.option("--log", type=click.Choice(["x", "y", "both"]), help="Logarithmic axes.")
@click.option("--stat", type=click.Choice(["mean", "best"]), default="mean", help="Of the runs in a heatmap's cell.")
@click.option("--name", default="", metavar="NAME", help="Of the confusion matrix or curve, where runs have several.")
@click.option("-w", "--where", default="", metavar="QUERY", help="The runs of which this is true (docs/query.md).")
@click.option(
    "-e", "--experiment", default="", metavar="NAME", shell_complete=context.complete_experiments, help="Of this one."
)
@click.option("-a", "--all", "every", is_flag=True, help="Runs of all experiments, archived ones too.")
@click.option("-n", "--limit", "--last", "limit", type=click.IntRange(1), help="The newest so many (20 for curves).")
@click.option("--title", default="", help="Above the figure.")
@click.option("--size", metavar="WxH", help="In inches: 6x4.")
@click.option("--dpi", type=click.IntRange(20, 1200), default=150, help="Dots per inch of a PNG (150).")
@context.json_option
def command(
    names: tuple[str, ...],
    where: str,
    experiment: str,
    every: bool,
    limit: int | None,
    output: str | None,
    title: str,
    size: str | None,
    dpi: int,
    as_json: bool,
    **asked: Any,
) -> None:
    """Plot runs: curves, params against results, ROC and more.

    Without RUN those that `gitexp log` lists. With --json the data that is drawn, and a file only with -o.
    """
    from gitexp.ops.finding.listing import Query
    from gitexp.ops.plots import plot

    request = _request(asked)
    file = Path(output) if output is not None else None
    shape = (_format(file), _inches(size))
    if limit is None and not names and request.kind == "curve" and not request.group_by:
        limit = plot.CURVES
    workspace = context.workspace()
    query = Query(experiment=experiment, every=every, where=where, limit=limit)
    found = plot.gather(workspace, plot.choose(workspace, names, query), request)
    for note in found.notes:
        context.say(f"gitexp: {note}")
    if file is not None or not as_json:
        written = _write(found, file, shape, title=title, dpi=dpi)
        if not as_json:
            context.out(written)
    if as_json:
        context.print_json(plot.describe(found))


def _request(asked: dict[str, Any]) -> Request:
    from gitexp.ops.finding import columns
    from gitexp.ops.plots.figure import Request

    metrics = tuple(name.strip("`") for words in asked.pop("metrics") for name in columns.split(words))
    kind = asked.pop("kind") or ("scatter" if asked["y"] else "curve")
    log = {"both": "xy", None: ""}.get(asked["log"], asked["log"])
    return Request(**{**asked, "metrics": metrics, "kind": kind, "log": log})


def _format(file: Path | None) -> str:
    from gitexp.plots import sheet

    found = file.suffix.lower().removeprefix(".") if file is not None else "png"
    if found not in sheet.FORMATS:
        raise UsageError(f"{str(file)!r} has no ending that says its format", hint="-o plot.png, plot.svg or plot.pdf")
    return found


def _inches(size: str | None) -> tuple[float, float] | None:
    from gitexp.plots import sheet

    if size is None:
        return None
    try:
        width, height = (float(part) for part in size.lower().replace("×", "x").split("x"))
    except ValueError:
        raise UsageError(f"--size is {size!r}", hint="--size 6x4, width and height in inches") from None
    if not all(sheet.MIN_INCHES <= part <= sheet.MAX_INCHES for part in (width, height)):
        raise UsageError(
            f"--size is {size!r}", hint=f"from {sheet.MIN_INCHES:g} to {sheet.MAX_INCHES:g} inches: --size 6x4"
        )
    return width, height


def _write(
    found: Figure, file: Path | None, shape: tuple[str, tuple[float, float] | None], *, title: str, dpi: int
) -> str:
    """Write the file and return its name; a letter that no font has is said."""
    from gitexp import files, text
    from gitexp.plots import sheet

    drawn = sheet.render(found.drawing, shape[0], size=shape[1], dpi=dpi, title=text.safe(title))
    if drawn.unknown:
        context.say(
            f"gitexp: no font here has {text.safe(drawn.unknown[:20])}; install one (fonts-noto-cjk), or -o plot.svg"
        )
    target = file if file is not None else Path(f"{found.stem}.png")
    try:
        files.write(target, drawn.data)
    except OSError as error:
        raise WriteFailed(f"{target} cannot be written: {error.strerror}", hint="-o elsewhere/plot.png") from error
    return text.safe(str(target))
