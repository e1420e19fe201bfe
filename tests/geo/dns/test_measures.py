"""What a DNS server counts has names that Prometheus and our own rules take."""

from edge.geo.dns.measures import DnsMeasures
from edge.geo.dns.render import SENTENCE, AnswerReason
from edge.measures import Measures
from edge.metrics import exposition


def test_every_metric_is_declared_and_shown():
    measures = DnsMeasures()
    for reason in AnswerReason:
        measures.answers.of("fra", reason.value).value += 1
    page = exposition(measures.registry.snapshot()).decode()
    for declared in measures.registry.declarations():
        assert f"# TYPE {declared.name.removesuffix('_total')}" in page
    assert 'perigee_dns_answers_total{pop="fra",reason="routed"} 1.0' in page


def test_no_name_is_a_nodes_own():
    names = {declared.name for declared in Measures().registry.declarations()}
    assert names.isdisjoint(declared.name for declared in DnsMeasures().registry.declarations())


def test_every_reason_has_its_sentence():
    assert set(SENTENCE) == set(AnswerReason)
