"""The policy pack passes on what every layer declares in every environment."""

import pytest

from gkeplatform.layers import LAYERS
from policies.registry import pack
from policies.rule import Level
from policies.settings import of_environment
from policies.subjects import Resource
from tests.declared import ENVIRONMENTS, ROOT, run_environment


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_no_mandatory_rule_is_broken(environment: str) -> None:
    judge = pack()
    judge = judge.with_levels(of_environment(environment, root=ROOT, rules=judge.rules))
    declared = run_environment(environment)
    broken: list[str] = []
    judged = 0
    for layer in LAYERS:
        resources = [
            Resource(kind, inputs, name)
            for (kind, name), inputs in declared[layer.name].inputs.items()
        ]
        judged += len(resources)
        findings = [finding for each in resources for finding in judge.judge(each)]
        broken += [
            f"{layer.name} {finding.resource.name}: {finding.rule.id}: {finding.messages}"
            for finding in (*findings, *judge.judge_stack(resources))
            if judge.level(finding.rule) is Level.MANDATORY
        ]
    assert judged > 100
    assert broken == []
