"""How does a person look at a search? One HTML file that opens with the verdict."""

from __future__ import annotations

from gpt_trader.report.research_facts import ResearchFacts

__all__ = ["research_page"]


def research_page(facts: ResearchFacts) -> str:
    return facts.headline
