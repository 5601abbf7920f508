"""Reading scenarios: what is right reads back, and each mistake is one clear line."""

import math
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gpudeck.errors import InputError
from gpudeck.scenario import list_scenarios, read_scenario, write_template

INVISIBLE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def change(folder: Path, old: str, new: str) -> Path:
    """Write the default scenario with one piece of its text replaced."""
    text = read_scenario("default").to_yaml()
    assert old in text
    path = folder / "mine.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def error_of(name: str | Path, *overrides: str) -> str:
    with pytest.raises(InputError) as caught:
        read_scenario(name, overrides)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    return message


@pytest.mark.parametrize("name", list_scenarios())
def test_scenario_of_the_repository_is_what_it_writes(name: str, root: Path) -> None:
    text = (root / "data" / "scenarios" / f"{name}.yaml").read_text(encoding="utf-8")
    scenario = read_scenario(name)
    assert scenario.id == name
    assert scenario.to_yaml() == text


def test_default_says_that_it_is_resampled_and_its_tenants_made_up() -> None:
    scenario = read_scenario("default")
    assert scenario.fleet.nodes == 1213
    assert scenario.origin.kind == "resampled"
    assert "synthetic" in scenario.origin.note.en
    assert "合成" in scenario.origin.note.zh


def test_yaml_reads_back_to_an_equal_scenario(tmp_path: Path) -> None:
    scenario = read_scenario("default", ["fleet.nodes=77", "title.zh=<b>标题</b> & \"'", "id=x-1"])
    path = tmp_path / "back.yaml"
    path.write_text(scenario.to_yaml(), encoding="utf-8")
    assert read_scenario(path) == scenario
    assert scenario.title.zh == "<b>标题</b> & \"'"


visible_text = st.text(
    st.characters(exclude_categories=sorted(INVISIBLE)), min_size=1, max_size=200
).filter(lambda text: bool(text.strip()))


@settings(deadline=None)
@given(zh=visible_text, en=visible_text, nodes=st.integers(1, 100_000), load=st.floats(1, 400))
def test_any_visible_text_and_number_in_bounds_survives(
    zh: str, en: str, nodes: int, load: float, tmp_path_factory: pytest.TempPathFactory
) -> None:
    base = read_scenario("default")
    title = base.title.model_copy(update={"zh": zh, "en": en})
    scenario = base.model_copy(
        update={
            "title": title,
            "fleet": base.fleet.model_copy(update={"nodes": nodes}),
            "packing": base.packing.model_copy(update={"load_pct": load}),
        }
    )
    path = tmp_path_factory.mktemp("any") / "any.yaml"
    path.write_text(scenario.to_yaml(), encoding="utf-8")
    assert read_scenario(path) == scenario
    # and it is plain YAML for other readers
    assert yaml.safe_load(scenario.to_yaml())["title"]["zh"] == zh


@settings(deadline=None)
@given(data=st.data(), junk=st.one_of(st.binary(max_size=12), st.text(max_size=12)))
def test_a_damaged_file_reads_or_is_one_clear_line(
    data: st.DataObject, junk: bytes | str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    whole = read_scenario("default").to_yaml().encode()
    start = data.draw(st.integers(0, len(whole)))
    length = data.draw(st.integers(0, 40))
    piece = junk if isinstance(junk, bytes) else junk.encode(errors="surrogatepass")
    path = tmp_path_factory.mktemp("damaged") / "damaged.yaml"
    path.write_bytes(whole[:start] + piece + whole[start + length :])
    try:
        read_scenario(path)
    except InputError as error:
        message = str(error)
    else:
        message = str(path)
    assert message.startswith(str(path))
    assert "\n" not in message


@settings(deadline=None)
@given(st.one_of(st.integers(), st.floats(allow_nan=True), st.text(max_size=20)))
def test_an_override_is_in_bounds_or_one_clear_line(value: float | str) -> None:
    override = f"fleet.nodes={value}"
    # white space around a number is YAML's business: what Python strips is more than that
    assume(str(value) == str(value).strip())
    if re.fullmatch(r"[+-]?(0|[1-9][0-9]*)", str(value)) and 1 <= int(value) <= 100_000:
        assert read_scenario("default", [override]).fleet.nodes == int(value)
    else:
        assert "fleet.nodes" in error_of("default", override)


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("fleet.nodes=0", "allowed is a whole number from 1 to 100000"),
        ("fleet.nodes=-5", "fleet.nodes is -5"),
        ("fleet.nodes=1.5", "fleet.nodes is 1.5"),
        ("fleet.nodes=true", "fleet.nodes is true"),
        ("fleet.nodes=null", "fleet.nodes is empty"),
        ("fleet.nodes='5'", "fleet.nodes is '5'"),
        ("fleet.nodes=.inf", "fleet.nodes is inf"),
        ("fleet.nodes=" + "9" * 5000, "fleet.nodes is '999"),
        ("packing.load_pct=.nan", "allowed is a number from 1 to 400"),
        ("packing.load_pct=nan", "packing.load_pct is 'nan'"),
        ("packing.load_pct=-.inf", "packing.load_pct is -inf"),
        ("packing.typical_share_pct=0", "a number above 0 to 100"),
        ("packing.orders=1", "a whole number from 2 to 1000"),
        ("fleet.nods=3", "did you mean nodes?"),
        ("fleets.nodes=3", "did you mean fleet?"),
        ("fleet=3", "allowed are fleet.nodes, fleet.node_types"),
        ("fleet.nodes.x=1", "fleet.nodes has no fields"),
        ("tenants.9.share=1", "allowed in tenants are 0, 1, 2"),
        ("tenants.0.share=0.5", "shares that sum to 1.05"),
        ("tenants.0.id=research", "has the id 'research' twice"),
        ("tenants.0.workload=games", "inference, training, notebook"),
        ("origin.kind=real", "synthetic, resampled, measured"),
        ("id=../../etc", "a-z, 0-9 and '-'"),
        ("id=a/b", "id is 'a/b'"),
        ("id=..", "id is '..'"),
        ("id=-a", "id is '-a'"),
        ("cluster.pod_list=../x.csv", "a file name"),
        ("date=2026-13-01", "a date, YYYY-MM-DD"),
        ("date=20261301", "a date, YYYY-MM-DD"),
        ('title.zh="a\\u0007b"', "U+0007"),
        ('title.zh="a\\u202Eb"', "U+202E"),
        ("title.zh=a\tb", "U+0009"),
        ("title.zh=' '", "title.zh is blank"),
        ("title.zh=" + "x" * 201, "1 to 200 visible characters"),
        ("title.zh='a", "title.zh"),
        ("fleet.node_types=openb_node_typ", "did you mean openb_node_types"),
        ("fleet.node_types=nowhere.csv", "no such table"),
        ("cluster.trace=/nowhere", "openb_node_list_gpu_node.csv"),
        ("fleet.nodes", "allowed is field=value"),
        ("=3", "allowed is field=value"),
        ("", "allowed is field=value"),
    ],
)
def test_wrong_override_is_named(override: str, words: str) -> None:
    if override == "title.zh='a":
        assert read_scenario("default", [override]).title.zh == "'a"
        return
    message = error_of("default", override)
    assert words in message
    assert message.startswith("--set ")


def test_two_overrides_may_together_be_right() -> None:
    scenario = read_scenario("default", ["tenants.0.share=0.25", "tenants.1.share=0.6"])
    assert math.isclose(sum(tenant.share for tenant in scenario.tenants), 1)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("nodes: 1213", "nodes: 1213\n  nodes: 1214", r"line \d+: key 'nodes' stands twice"),
        ("nodes: 1213", "nodes: &many 1213", r"line \d+: anchors"),
        ("nodes: 1213", "nodes: *many", r"line \d+: anchors"),
        ("nodes: 1213", "nodes: [1213", r"line \d+: "),
        ("nodes: 1213", "nodes: {a: 1}", r"line \d+: fleet.nodes is a mapping; allowed is a whole"),
        ("nodes: 1213", "nodes: 0", r"line \d+: fleet.nodes is 0; allowed is a whole number"),
        ("nodes: 1213", "nodes: 0x10", r"fleet.nodes is '0x10'"),
        ("nodes: 1213", "nodes: !!int x", r"line \d+: 'x' does not read as tag:yaml.org,2002:int"),
        ("nodes: 1213", "nodes: !!python/name:os.system", r"line \d+: .*does not read as tag:.*os"),
        ("nodes: 1213", "nodez: 1213", r"line \d+: fleet.nodez is unknown \(did you mean nodes\?"),
        ("nodes: 1213", "1: 1213", r"line \d+: a key must be a word"),
        ("  nodes: 1213\n", "", r"line \d+: fleet.nodes is missing; allowed is a whole number"),
        ("id: default", "id: no", None),
        ("id: default", "id: 5", r"id is 5; allowed is 1 to 64"),
        ("id: default", "id: default\nmore: 1", r"line \d+: more is unknown"),
        ("id: default", "---\nid: default\n---\nid: b", r"line \d+: "),
        ("id: default", 'id: "de\0fault"', r"character \d+"),
        ("id: default", 'id: "\\U00110000"', r"chr\(\)"),
        ("id: default", 'id: "\\ud800"', r"id is '\\ud800'"),
        ("id: default", '"i\\nd": default', r"'i\\nd' is unknown"),
    ],
)
def test_wrong_file_is_named_with_its_line(
    tmp_path: Path, old: str, new: str, words: str | None
) -> None:
    path = change(tmp_path, old, new)
    if words is None:  # a word in YAML 1.2, a boolean for older readers
        assert read_scenario(path).id == "no"
        return
    message = error_of(path)
    assert message.startswith(str(path))
    assert re.search(words, message), message


def test_line_of_the_error_is_the_line_of_the_field(tmp_path: Path) -> None:
    path = change(tmp_path, "share: 0.4\n", "share: 4\n")
    line = path.read_text(encoding="utf-8").split("\n").index("    share: 4") + 1
    assert error_of(path).startswith(f"{path} line {line}: tenants.1.share is 4; allowed is")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"# only a comment\n", "empty"),
        (b"- a\n- b\n", "the top level is a list of 2"),
        (b"just words\n", "the top level is 'just words'"),
        ("id: 默认\n".encode("gb18030"), "is not UTF-8"),
        (b"id: a\ntitle: \xff\n", "line 2: byte 0xff is not UTF-8"),
        (b"id: a\n" * 100_000, "bytes; allowed are"),
        (b"a: " + b"[" * 1000, "nested deeper"),
        (b"\t\tid: a\n", "line 1"),
        (b"id: a\n", "title is missing"),
        (b"%YAML 9.9\n---\nid: a\n", "version"),
    ],
)
def test_file_that_is_no_scenario(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    message = error_of(path)
    assert message.startswith(str(path))
    assert words in message


def test_billion_laughs_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "laughs.yaml"
    lines = ["a0: &a0 [lol]"] + [
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    assert "anchors" in error_of(path)


def test_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbf" + read_scenario("default").to_yaml().encode())
    assert read_scenario(path).id == "default"


def test_missing_file_and_folder(tmp_path: Path) -> None:
    assert "no such file" in error_of(tmp_path / "none.yaml")
    assert "is a folder" in error_of(tmp_path)
    assert "is a folder" in error_of(f"{tmp_path}/")
    assert "cannot be read" in error_of(str(tmp_path / "a\0b.yaml"))
    assert "cannot be read" in error_of(tmp_path / ("x" * 300 + ".yaml"))


@pytest.mark.parametrize(("name", "words"), [("defaul", "did you mean default?"), ("", "small")])
def test_unknown_name_lists_the_known_ones(name: str, words: str) -> None:
    message = error_of(name)
    assert words in message
    assert "default, small" in message


def test_paths_are_relative_to_the_file_or_to_the_working_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    table = (root / "data" / "openb_node_types.csv").read_bytes()
    (tmp_path / "here.csv").write_bytes(table)
    path = change(tmp_path, "node_types: openb_node_types", "node_types: here.csv")
    assert read_scenario(path).fleet.node_types == str(tmp_path / "here.csv")
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    (folder / "there.csv").write_bytes(table)
    monkeypatch.chdir(folder)
    chosen = read_scenario(path, ["fleet.node_types=there.csv"]).fleet.node_types
    assert chosen == str(folder / "there.csv")


def test_template_reads_back_and_explains_each_field(tmp_path: Path) -> None:
    path = tmp_path / "My fleet.yaml"
    write_template(path)
    scenario = read_scenario(path)
    assert scenario == read_scenario("default", ["id=my-fleet"])
    lines = path.read_text(encoding="utf-8").split("\n")
    fields = [i for i, line in enumerate(lines) if re.match(r"[a-z_]+:", line)]
    assert len(fields) == len(type(scenario).model_fields)
    assert all(lines[i - 1].startswith("# ") for i in fields)


def test_template_overwrites_only_when_told(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("precious", encoding="utf-8")
    with pytest.raises(InputError, match="--force"):
        write_template(path)
    assert path.read_text(encoding="utf-8") == "precious"
    write_template(path, force=True)
    assert read_scenario(path).id == "mine"


@pytest.mark.parametrize("name", ["mine", "mine.txt", "---.yaml", "no/such/folder.yaml"])
def test_template_wants_a_writable_yaml_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"allowed is a file name|cannot be written"):
        write_template(tmp_path / name)
