"""The reference page is the rules', and complete."""

from pathlib import Path

from policies import reference
from policies.registry import RULES

ROOT = Path(__file__).parents[2]


def test_the_page_tells_every_rule_with_its_fix_and_reasons() -> None:
    (page,) = reference.render().values()
    for rule in RULES:
        section = page.partition(f"### {rule.id}\n")[2].partition("\n### ")[0]
        for said in (rule.title, rule.why, rule.fix, rule.references[0].url):
            assert said in section, rule.id


def test_the_page_in_the_repository_is_fresh() -> None:
    for path, text in reference.render().items():
        assert (ROOT / path).read_text() == text, "run ./platformctl generate"
