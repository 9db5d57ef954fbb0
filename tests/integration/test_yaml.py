"""What the YAML writer is expected to write means the same to a YAML 1.1 reader."""
import json
import pathlib

import yaml

DATA = pathlib.Path(__file__).resolve().parents[1] / "data" / "yaml" / "round_trip.json"


def test_yaml_1_1_reader_gets_the_value_back():
    cases = json.loads(DATA.read_text())
    assert len(cases) > 300
    for case in cases:
        # As text, because 1 == True == 1.0 in Python.
        assert json.dumps(yaml.safe_load(case["yaml"])) == json.dumps(case["value"]), case["yaml"]
