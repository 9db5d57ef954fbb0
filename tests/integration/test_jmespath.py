"""The expected values of the JMESPath tests are those of the reference implementation."""
import json
import pathlib

import jmespath
import pytest

DATA = pathlib.Path(__file__).resolve().parents[1] / "data" / "jmespath" / "supported.json"
CASES = [(group["document"], case["expression"], case["result"])
         for group in json.loads(DATA.read_text()) for case in group["cases"]]


@pytest.mark.parametrize("document,expression,result", CASES, ids=[repr(case[1]) for case in CASES])
def test_reference_implementation_agrees(document, expression, result):
    assert jmespath.search(expression, document) == result
