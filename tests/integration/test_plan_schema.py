"""docs/plan.schema.json and the parser agree on tests/data/plans: tests/unit/plan/plan_files_test.cc reads the same files."""
import json
import pathlib

import jsonschema
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
PLANS = ROOT / "tests" / "data" / "plans"
SCHEMA = json.loads((ROOT / "docs" / "plan.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_schema_is_a_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("path", sorted(PLANS.glob("*.json")), ids=lambda path: path.stem)
def test_valid_plan_is_accepted(path):
    VALIDATOR.validate(json.loads(path.read_text()))


@pytest.mark.parametrize("path", sorted((PLANS / "invalid").glob("*.json")), ids=lambda path: path.stem)
def test_invalid_plan_is_refused(path):
    assert not VALIDATOR.is_valid(json.loads(path.read_text()))


@pytest.mark.parametrize("path", sorted((ROOT / "manifests").rglob("plan*.json")), ids=lambda path: path.name)
def test_shipped_plan_is_accepted(path):
    VALIDATOR.validate(json.loads(path.read_text()))


def test_every_field_of_the_reference_is_in_the_schema():
    """docs/plan.md lists the fields in tables: `name` at the start of a row."""
    names = set()

    def collect(node):
        if isinstance(node, dict):
            for key, value in node.items():
                if key == "properties":
                    names.update(value)
                collect(value)
        elif isinstance(node, list):
            for value in node:
                collect(value)

    collect(SCHEMA)
    text = (ROOT / "docs" / "plan.md").read_text()
    for name in names:
        assert f"| `{name}`" in text, f"docs/plan.md has no row for {name}"
