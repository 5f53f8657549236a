"""How findings are written: in full, mark by mark."""

import json

import pytest

from gpunet.sim import Access, Finding
from gpunet.kernel.finding import plain, spans

SOURCE = """__global__ void block_sum(float* y, const float* x) {
    __shared__ float tile[32];
\ttile[threadIdx.x] = x[threadIdx.x];
    float sum = tile[threadIdx.x] + tile[(threadIdx.x + 16) % 32];  // no barrier
    y[threadIdx.x] = sum;
}
"""
LINES = [line.strip() for line in SOURCE.splitlines()]

RACE = Finding("race", "a read and another thread's write are not ordered", "block_sum", "sum.cu", 4, LINES[3],
               (0, 0, 0), (1, 0, 0), "tile", 17, Access("write", "sum.cu", 3, LINES[2], (0, 0, 0), (17, 0, 0)), 31)


def test_a_race_with_its_file():
    assert plain(RACE, {"sum.cu": SOURCE}.get, remedy=True) == """\
race: a read and another thread's write are not ordered
 --> sum.cu:4 in block_sum, block (0,0,0), thread (1,0,0)
  |
4 |     float sum = tile[threadIdx.x] + tile[(threadIdx.x + 16) % 32];  // no barrier
  |                 ^^^^^^^^^^^^^^^^^   ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^ tile[17]
 ::: sum.cu:3, write by block (0,0,0), thread (17,0,0)
  |
3 |     tile[threadIdx.x] = x[threadIdx.x];
  |     ^^^^^^^^^^^^^^^^^ tile[17]
  = found in 31 threads
  = help: between threads of a block, __syncthreads() after the first access orders the two; atomics
          make concurrent updates whole"""


def test_without_the_file_the_lines_are_stripped():
    text = str(RACE)
    assert "4 | float sum = tile[threadIdx.x] + tile" in text and "3 | tile[threadIdx.x] = x[threadIdx.x];" in text
    assert "help" not in text


def test_numbers_of_different_width_line_up():
    far = Finding("race", "m", "k", "a.cu", 112, "y[i] = 1;", None, None, "y", (3, 5),
                  Access("read", "b.cuh", 7, "f(y[i]);", None, None))
    assert str(far) == """\
race: m
   --> a.cu:112 in k
    |
112 | y[i] = 1;
    | ^^^^ y[3][5]
   ::: b.cuh:7, read
    |
  7 | f(y[i]);
    |   ^^^^ y[3][5]"""


def test_whole_statements_are_marked_where_the_array_is_not_named():
    barrier = Finding("divergent barrier", "m", "k", "a.cu", 5, "__syncthreads();  // here", (0, 0, 0), (32, 0, 0))
    assert str(barrier).splitlines()[-1] == "  | ^^^^^^^^^^^^^^^"
    by_pointer = Finding("out of bounds", "m", "k", "a.cu", 5, "*p = 1.0f;", array="y", index=9)
    assert str(by_pointer).splitlines()[-1] == "  | ^^^^^^^^^^ y[9]"


@pytest.mark.parametrize("message, code, marks", [
    ("a write of 4 bytes", "s[i] = s[i + 1];", "^^^^"),
    ("a read of 4 bytes", "s[i] = s[i + 1];", "       ^^^^^^^^"),
    ("a read of 4 bytes", "s[i] += s[i + 1];", "^^^^    ^^^^^^^^"),
    ("a write of 4 bytes", "s[i] += s[i + 1];", "^^^^"),
    ("an atomic operation", "s[i] = s[i + 1];", "^^^^   ^^^^^^^^"),
    ("a read of 4 bytes", "if (a <= s[i] && s[j] == 1) t = s[k];", "                                ^^^^"),
    ("a read of 4 bytes", "if (s[i] <= 1) return;", "    ^^^^"),
    ("a write of 4 bytes", "store(&s[i], s2[i]);", "       ^^^^"),
    ("a read of 4 bytes", "s[a[i]][j] = 1;", "^^^^^^^^^^"),
    ("a read of 4 bytes", "y = threadIdx.s + p->s + s[0];", "                         ^^^^"),
])
def test_marks(message, code, marks):
    finding = Finding("race", message, "k", "a.cu", 1, code, array="s")
    assert str(finding).splitlines()[-1] == f"  | {marks} s"


@pytest.mark.parametrize("code, marks", [
    ("else { y = 2; __syncthreads(); }", "              ^^^^^^^^^^^^^^^"),
    ("v += __shfl_down_sync(mask(1), v, 8) + 1;", "     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^"),
    ("tile.sync();", "     ^^^^^^"),
    ("while (*flag == 0) {}", "^^^^^^^^^^^^^^^^^^^^^"),
])
def test_marks_without_an_array(code, marks):
    assert str(Finding("divergent barrier", "m", "k", "a.cu", 1, code)).splitlines()[-1] == f"  | {marks}"


def test_the_same_line_is_shown_once():
    twice = Finding("race", "a write", "k", "a.cu", 7, "n[0]++;", (0, 0, 0), (1, 0, 0), "n", 0,
                    Access("write", "a.cu", 7, "n[0]++;", (0, 0, 0), (0, 0, 0)))
    assert str(twice).splitlines()[5:] == [" ::: a.cu:7, write by block (0,0,0), thread (0,0,0)"]


def test_findings_without_a_place():
    assert str(Finding("argument", "it does not fit", "k", "a.cu")) == "argument: it does not fit\n --> a.cu in k"


@pytest.mark.parametrize("block, line, word", [
    ((0, 0, 0), 2, "__syncthreads() after the first access"), ((0, 0, 0), 1, "make the update atomic"),
    ((1, 0, 0), 1, "blocks run in any order"),
])
def test_help_for_races_depends_on_the_other(block, line, word):
    other = Access("write", "a.cu", line, "", block, None)
    assert word in plain(Finding("race", "m", "k", "a.cu", 1, "", (0, 0, 0), other=other), remedy=True)


def test_a_line_that_has_changed_since_is_not_shown_as_it_is_now():
    assert "4 | float sum = tile" in plain(RACE, {"sum.cu": SOURCE.replace("float sum", "double sum")}.get)


def test_spans_join_to_the_text_and_json_has_all():
    lines = ["".join(text for text, _ in line).rstrip() for line in spans(RACE)]
    assert "\n".join(lines) == str(RACE)
    roles = {role for line in spans(RACE) for _, role in line}
    assert roles >= {"error", "message", "place", "gutter", "code", "mark", "other", "note"}
    found = json.loads(json.dumps(RACE.as_dict()))
    assert found["other"]["line"] == 3 and found["index"] == 17 and found["thread"] == [1, 0, 0]
