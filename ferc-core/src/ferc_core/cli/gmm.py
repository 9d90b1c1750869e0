"""``ferc gmm``: the valence-arousal mixture of a dataset, for other datasets to use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ferc_core.cli import options as o

if TYPE_CHECKING:
    import polars as pl

    from ferc_core.labels.mixture_file import GmmFile

app = o.new_app(
    help="The valence-arousal mixture of a dataset, for other datasets to use.",
    no_args_is_help=True,
)


@app.callback()
def group() -> None:
    """Make a group of the one command."""


@app.command()
@o.takes("dataset", "data_root", "on_bad_image")
def fit(
    settings: dict[str, Any],
    out: Annotated[Path, typer.Option(metavar="FILE.json", help="Where the parameters go.")],
    plugin: o.PluginFiles = None,
) -> None:
    """Fit the mixture on the training split of a dataset, and write its parameters.

    The split is that of `ferc run`, without the faces to validate on. No image is read. Other
    datasets take the file with `--gmm FILE`, as the paper's AffWild takes AffectNet's:

        ferc gmm fit --dataset affectnet --data-root PATH --out affectnet-gmm.json
    """
    o.begin(plugin)
    from ferc_core.base.progress import say
    from ferc_core.data.opening import open_divided
    from ferc_core.experiment.config import read_config
    from ferc_core.labels.mixture_file import check_free, fitted, write_gmm
    from ferc_core.plugins.host import registry
    from ferc_core.results.formats import table

    check_free(out)
    config = read_config(None, settings)
    dataset = registry().datasets.choose(config.dataset)
    with o.showing():
        faces, splits = open_divided(
            dataset, config.data_root, on_bad_image=config.on_bad_image, training=False
        )
        for note in (*faces.notes, *splits.notes):
            say(f"  {note}")
        content = fitted(faces, splits.train, str(dataset))
        write_gmm(out, content)
    o.echo(table(gaussians(content)))
    o.echo(f"{out} has the mixture {content.note}; ferc run --gmm {out} uses it")


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
