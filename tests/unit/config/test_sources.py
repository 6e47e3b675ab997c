from __future__ import annotations

from gpt_trader.config.files import Item
from gpt_trader.config.sources import Layer, Layers, Source


def test_layers_rise_in_the_order_of_the_decision_record() -> None:
    """defaults < profile < risk file < env file < environment < command line < runtime control."""
    assert [str(layer) for layer in Layer] == [
        "default",
        "profile",
        "risk file",
        "env file",
        "environment",
        "command line",
        "runtime control",
    ]


def test_who_speaks_last_wins() -> None:
    """The layers are added lowest first."""
    layers = Layers()
    layers.add(Layer.PROFILE, [Item("run.seed", "1", "p.yaml:1")])
    layers.add(Layer.ENVIRONMENT, [Item("run.seed", "2", "GPT_TRADER_RUN__SEED")])

    assert layers.winner("run.seed") == Source(Layer.ENVIRONMENT, "GPT_TRADER_RUN__SEED", "2")


def test_who_lost_is_remembered() -> None:
    """So that a value without effect can be told."""
    layers = Layers()
    layers.add(Layer.PROFILE, [Item("run.seed", "1", "p.yaml:1")])
    layers.add(Layer.RISK_FILE, [Item("run.seed", "2", "r.json:1")])

    assert [source.layer for source in layers.given["run.seed"]] == [Layer.PROFILE, Layer.RISK_FILE]


def test_nobody_spoke() -> None:
    """The default is not a layer that is added."""
    assert Layers().winner("run.seed") is None


def test_source_reads_as_a_place_to_go_to() -> None:
    """In tables and errors."""
    assert str(Source(Layer.PROFILE, "p.yaml:3", "1")) == "profile p.yaml:3"
    assert str(Source(Layer.DEFAULT, "", "1")) == "default"
