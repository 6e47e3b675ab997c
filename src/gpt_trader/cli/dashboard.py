"""How is a run watched from a browser? `gpt-trader dashboard`."""

from __future__ import annotations

import os

import click

__all__ = ["dashboard"]

PORT = 8720


@click.command()
@click.argument("run", metavar="[RUN]", required=False)
@click.option("--port", type=click.IntRange(1, 65535), default=PORT, show_default=True, help="Where it listens.")
@click.option("--bind", metavar="ADDRESS", default="127.0.0.1", show_default=True, help="Of which interface.")
@click.option(
    "--url",
    "urls",
    metavar="URL",
    multiple=True,
    help="How browsers reach it, such as https://bot.example.com; anything else is refused.",
)
@click.option("--plain-http", is_flag=True, help="Let it be reached without TLS: tokens can be read then.")
@click.option("--read-only", is_flag=True, help="Nobody may steer, whatever the token.")
def dashboard(
    run: str | None, *, port: int, bind: str, urls: tuple[str, ...], plain_http: bool, read_only: bool
) -> None:
    """Watch any run in a browser, and steer those that are running. Ends with Ctrl-C; the bot does not notice.

    RUN is the beginning of a run's name or `last`; without it the list of runs comes first. It listens on this machine
    only, unless --bind says otherwise. The link that is printed opens one session and works once; the tokens lie in
    dashboard/ under GPT_TRADER_HOME.
    """
    from gpt_trader.config.home import home
    from gpt_trader.ops.dashboard.listening import Wanted, check_address, require_dashboard

    wanted = Wanted(run=run, bind=bind, port=port, urls=urls, plain_http=plain_http, read_only=read_only)
    check_address(wanted)
    require_dashboard()
    from gpt_trader.ops.dashboard.server import serve_runs

    serve_runs(home(os.environ), wanted, click.echo)
