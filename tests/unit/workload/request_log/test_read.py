import json
from pathlib import Path

import pytest

from gpudeck.errors import InputError
from gpudeck.workload.request_log import read_requests

AZURE = """TIMESTAMP,ContextTokens,GeneratedTokens
2023-11-16 18:15:46.6805900,374,44
2023-11-16 18:15:50.9951690,396,109
2023-11-16 18:15:45.6805900,879,55
"""
AZURE_2024 = """TIMESTAMP,ContextTokens,GeneratedTokens
2024-05-10 00:00:00.009930+00:00,2162,5
2024-05-10 00:00:00.017335+00:00,2399,6
"""
BURSTGPT = """Timestamp,Model,Request tokens,Response tokens,Total tokens,Log Type
5,ChatGPT,472,18,490,Conversation log
45.5,ChatGPT,1087,0,1087,Conversation log
118,GPT-4,417,276,693,API log
"""
MOONCAKE = """{"timestamp": 0, "input_length": 600, "output_length": 5, "hash_ids": [0, 1]}
{"timestamp": 3000, "input_length": 1024, "output_length": 0, "hash_ids": [0, 2]}

{"timestamp": 3000, "input_length": 1025, "output_length": 8, "hash_ids": [0, 2, 3]}
"""


@pytest.fixture
def write(tmp_path: Path):
    def write_log(text: str, name: str = "log") -> Path:
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write_log


def test_azure_counts_from_the_earliest(write) -> None:
    log = read_requests(write(AZURE))
    assert (log.format, log.dropped) == ("azure", 0)
    assert log.requests.arrival_s.tolist() == pytest.approx([1.0, 5.314579, 0.0])
    assert log.requests.prompt_tokens.tolist() == [374, 396, 879]
    assert log.requests.output_tokens.tolist() == [44, 109, 55]


def test_azure_of_2024_writes_an_offset(write) -> None:
    log = read_requests(write("\ufeff" + AZURE_2024.replace("\n", "\r\n")))
    assert log.format == "azure"
    assert log.requests.arrival_s.tolist() == pytest.approx([0.0, 0.007405])


def test_burstgpt_drops_failed_requests_and_counts_them(write) -> None:
    log = read_requests(write(BURSTGPT))
    assert (log.format, log.dropped) == ("burstgpt", 1)
    assert log.requests.arrival_s.tolist() == [5.0, 118.0]
    assert log.requests.output_tokens.tolist() == [18, 276]


def test_sharegpt_is_in_nanoseconds(write) -> None:
    log = read_requests(write("arrival_ns,input_toks,output_toks\n46926808,2358,531\n"))
    assert log.format == "sharegpt"
    assert log.requests.arrival_s.tolist() == pytest.approx([0.046926808])


def test_mooncake_has_hashes_of_512_tokens(write) -> None:
    log = read_requests(write(MOONCAKE))
    assert (log.format, log.dropped, log.requests.block_tokens) == ("mooncake", 1, 512)
    assert log.requests.arrival_s.tolist() == [0.0, 3.0]
    assert log.requests.block_hashes is not None
    assert [row.tolist() for row in log.requests.block_hashes] == [[0, 1], [0, 2, 3]]


@pytest.mark.parametrize(
    "lines",
    [
        [
            {"timestamp": 1e9 + t, "usage": {"prompt_tokens": 9, "completion_tokens": 4}}
            for t in (0, 2)
        ],
        [
            {"created": 10 + t, "response": {"usage": {"input_tokens": 9, "output_tokens": 4}}}
            for t in (0, 2)
        ],
        [
            {"arrival_time": t, "num_prompt_tokens": 9, "num_generation_tokens": 4}
            for t in (0.0, 2.0)
        ],
        [{"arrival_ms": 1000 * t, "prompt_tokens": 9, "completion_tokens": 4} for t in (0, 2)],
        [
            {"timestamp": 1_700_000_000_000 + 1000 * t, "input_length": 9, "output_length": 4}
            for t in (0, 2)
        ],
        [
            {"created_at": f"2024-01-01T00:00:0{t}Z", "prompt_len": 9, "output_len": 4}
            for t in (0, 2)
        ],
    ],
)
def test_logs_of_engines_with_their_aliases(write, lines: list[dict]) -> None:
    log = read_requests(write("\n".join(map(json.dumps, lines)) + "\n"))
    assert log.format == "openai"
    assert log.requests.arrival_s.tolist() == pytest.approx([0.0, 2.0])
    assert log.requests.prompt_tokens.tolist() == [9, 9]
    assert log.requests.output_tokens.tolist() == [4, 4]


def test_the_format_can_be_told(write) -> None:
    assert read_requests(write(MOONCAKE), "openai").requests.hashes is None
    with pytest.raises(InputError, match=r"line 1: no column TIMESTAMP, .*; allowed is TIMESTAMP"):
        read_requests(write(BURSTGPT), "azure")
    with pytest.raises(InputError, match=r"format is 'csv'; allowed is azure, burstgpt"):
        read_requests(write(AZURE), "csv")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (AZURE.replace(",109", ",1.5"), r"log, line 3, GeneratedTokens: '1.5'; allowed is a whole"),
        (AZURE.replace(",109", ",-1"), r"line 3, GeneratedTokens: '-1'"),
        (AZURE.replace(",109", ""), r"line 3: 2 cells; allowed are 3"),
        (AZURE.replace("11-16 18:15:50", "13-16 18:15:50"), r"line 3, TIMESTAMP: '2023-13-16"),
        (AZURE.replace("2023-11-16 18:15:50.9951690", "noon"), r"line 3, TIMESTAMP: 'noon'"),
        (AZURE.replace("50.9951690", "50.9951690+02:00"), r"line 3, TIMESTAMP: .* a time in UTC"),
        (AZURE.replace("109", '"109'), r"line \d: .*; allowed is CSV in UTF-8"),
        (BURSTGPT.replace("45.5", "nan"), r"line 3, Timestamp: 'nan'; allowed is a number from 0"),
        (BURSTGPT.replace("45.5", "1e99"), r"line 3, Timestamp: '1e99'"),
        (BURSTGPT.replace("1087", "99999999999"), r"line 3, Request tokens: '99999999999'"),
        (MOONCAKE.replace("[0, 2, 3]", "[0, 2"), r"line 4: .*; allowed is one JSON object a line"),
        (MOONCAKE.replace("[0, 2, 3]", "[0, 2, 3, 4]"), r"line 4, hash_ids: '4 hashes'; .* most 3"),
        (MOONCAKE.replace("[0, 2, 3]", "[0, 2, 2]"), r"line 4, hash_ids: .* of distinct numbers"),
        (MOONCAKE.replace("[0, 2, 3]", '["a"]'), r"line 4, hash_ids: \['a'\]; allowed is a list"),
        (MOONCAKE.replace('"timestamp": 3000', '"timestamp": NaN'), r"line 2, timestamp: nan"),
        (MOONCAKE.replace("1025", '"1025"'), r"line 4, input_length: '1025'; allowed is a whole"),
        (MOONCAKE.replace("1025", "true"), r"line 4, input_length: True"),
        (MOONCAKE + "[1]\n", r"line 5: list; allowed is a JSON object"),
        (MOONCAKE + '{"timestamp": 1}\n', r"line 5, input_length: None; allowed is a line with"),
        ('{"created": 1}\n', r"line 1, usage.prompt_tokens: None; allowed is one of the keys"),
        (
            '{"created": "2024-01-01 00:00:00", "prompt_tokens": 1, "output_tokens": 1}\n'
            '{"created": 7, "prompt_tokens": 1, "output_tokens": 1}\n',
            r"line 2, created: 7; allowed is a text, as on the first line",
        ),
        ("[" * 100_000, r"line 1: .*; allowed is JSON lines, or a CSV header"),
        ('{"a":' * 100_000, r"line 1: .*; allowed is one JSON object a line"),
        ("", r"line 1: ''; allowed is JSON lines, or a CSV header"),
        ("a,b\n1,2\n", r"line 1: 'a,b'; allowed is .* azure: TIMESTAMP"),
        (AZURE.splitlines()[0] + "\n", r"log has 0 rows, none with tokens; allowed is 1"),
    ],
)
def test_a_broken_line_is_named(write, text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_requests(write(text))


def test_a_file_has_to_be_there_and_in_utf_8(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere.csv is not there; allowed is a log"):
        read_requests(tmp_path / "nowhere.csv")
    with pytest.raises(InputError, match="is not there"):
        read_requests(tmp_path)
    path = tmp_path / "latin.csv"
    path.write_bytes(AZURE.encode() + b"\xff\n")
    with pytest.raises(InputError, match="allowed is CSV in UTF-8"):
        read_requests(path)
    path.write_bytes(MOONCAKE.encode() + b'{"a": "\xff"}\n')
    with pytest.raises(InputError, match=r"line 5: .*; allowed is one JSON object"):
        read_requests(path)
