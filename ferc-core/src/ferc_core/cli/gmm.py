"""``ferc gmm``: the valence-arousal mixture of a dataset, for others to borrow."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ferc_core.cli import options as o
from ferc_core.cli.plugins import warn
from ferc_core.plugins.host import use_plugin_files

if TYPE_CHECKING:
    import polars as pl

    from ferc_core.labels.mixture_file import GmmFile

app = typer.Typer(
    help="The valence-arousal mixture of a dataset, for others to borrow.",
    no_args_is_help=True,
)


@app.command()
def fit(
    out: Annotated[Path, typer.Option(metavar="FILE.json", help="Where the parameters go.")],
    dataset: o.Dataset = None,
    data_root: o.DataRoot = None,
    on_bad_image: o.OnBadImage = None,
    plugin: o.PluginFiles = None,
) -> None:
    """Fit the mixture on the training split of a dataset, and write its parameters.

    The split is that of `ferc run`, without the faces to validate on. No image is read. Other
    datasets take the file with `--gmm FILE`, as the paper's AffWild takes AffectNet's:

        ferc gmm fit --dataset affectnet --data-root PATH --out affectnet-gmm.json
    """
    given = {k: v for k, v in locals().items() if k != "out"}
    use_plugin_files(plugin or [])
    warn()
    from ferc_core.base.calls import parse_call
    from ferc_core.cli.bars import interruptible
    from ferc_core.experiment.benchmark import open_divided
    from ferc_core.experiment.config import check_choices, read_config
    from ferc_core.labels.mixture_file import check_free, fitted, write_gmm
    from ferc_core.results.formats import table

    check_free(out)
    config = read_config(None, o.settings(given))
    check_choices(config)
    with interruptible() as bars:
        faces, splits = open_divided(config, training=False)
        for note in (*faces.notes, *splits.notes):
            bars.say(f"  {note}")
        content = fitted(faces, splits.train, str(parse_call(config.dataset)))
        write_gmm(out, content)
    typer.echo(table(gaussians(content)))
    typer.echo(f"{out} holds the mixture {content.note}; ferc run --gmm {out} borrows it")


def gaussians(content: GmmFile) -> pl.DataFrame:
    """Return a row for each class: its faces, and its Gaussian as people read it."""
    import polars as pl

    source, rows = content.source, []
    for k, name in enumerate(content.classes):
        (variance_v, covariance), (_, variance_a) = content.sigma[k]
        sd_v, sd_a = variance_v**0.5, variance_a**0.5
        numbers = {
            "mean_valence": content.mu[k][0],
            "mean_arousal": content.mu[k][1],
            "sd_valence": sd_v,
            "sd_arousal": sd_a,
            "correlation": covariance / (sd_v * sd_a),
        }
        rows.append(
            {
                "class": name,
                "faces": source.rows[k],
                "within_one_sd": source.within_one_deviation[k],
                **{column: f"{value:.3f}" for column, value in numbers.items()},
            }
        )
    return pl.DataFrame(rows)
