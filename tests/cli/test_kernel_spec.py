"""The language of `gpunet kernel check --arg`."""

import ml_dtypes
import numpy as np
import pytest

from gpunet.cli.kernel_commands.spec import SpecError, parse, parse_all


@pytest.mark.parametrize("text, expected", [
    ("i32=1000", np.int32(1000)),
    ("f32=0.0625", np.float32(0.0625)),
    ("f32=3", np.float32(3)),
    ("f64=-1e-5", np.float64(-1e-5)),
    ("i64=-5", np.int64(-5)),
    ("u64=0xffffffffffffffff", np.uint64(2**64 - 1)),
    ("i32=08", np.int32(8)),
    ("f16=inf", np.float16("inf")),
    ("f32=nan", np.float32("nan")),
    ("f32=-inf", np.float32("-inf")),
    ("bool=true", np.True_),
    ("b1=0", np.False_),
    ("bf16=1.5", ml_dtypes.bfloat16(1.5)),
    ("u8=255", np.uint8(255)),
    ("float64=2", np.float64(2)),
    (" int16 = 7 ", np.int16(7)),
])
def test_numbers(text, expected):
    value = parse(text).value
    assert isinstance(value, np.generic) and value.dtype == expected.dtype
    assert value.tobytes() == expected.tobytes()


@pytest.mark.parametrize("text, expected", [
    ("f32[2,3]=zeros", np.zeros((2, 3), "f4")),
    ("f32[2,3]=1", np.ones((2, 3), "f4")),
    ("bf16[1]=1", np.ones(1, ml_dtypes.bfloat16)),
    ("i32[4]=ones", np.ones(4, "i4")),
    ("f64[2]=full(2.5)", np.full(2, 2.5)),
    ("f32[2]=inf", np.full(2, np.inf, "f4")),
    ("bool[2]=true", np.ones(2, bool)),
    ("i64[2,2]=arange", np.arange(4).reshape(2, 2)),
    ("i32[3]=arange(5)", np.int32([5, 6, 7])),
    ("f32[3]=arange(1, -0.5)", np.float32([1, 0.5, 0])),
    ("i32=[1,2,3]", np.int32([1, 2, 3])),
    ("f32=[[1,2],[3,4.5]]", np.float32([[1, 2], [3, 4.5]])),
    ("f32[2,2]=[1,2,3,4]", np.float32([[1, 2], [3, 4]])),
    ("u8[3] = [ 1, 0x10, 255 ]", np.uint8([1, 16, 255])),
    ("bool=[true,false]", np.array([True, False])),
    ("f16[0]=ones", np.zeros(0, "f2")),
])
def test_arrays(text, expected):
    argument = parse(text)
    assert not argument.output and argument.value.dtype == expected.dtype and argument.value.flags.c_contiguous
    assert argument.value.flags.writeable
    np.testing.assert_array_equal(argument.value, expected)


def test_random_numbers():
    x = parse("f32[16,1000]=normal(2,3)", 0).value
    assert x.shape == (16, 1000) and abs(x.mean() - 2) < 0.1 and abs(x.std() - 3) < 0.1
    whole = parse("i32[1000]=randint(-3,4)").value
    assert set(whole) == set(range(-3, 4))
    assert set(parse("i64[1000]=randint(3)").value) == {0, 1, 2}
    even = parse("f64[1000]=uniform(-1,1)").value
    assert -1 <= even.min() < -0.9 < 0.9 < even.max() < 1
    assert set(parse("i32[1000]=uniform(0,4)").value) == {0, 1, 2, 3}
    assert parse("bf16[8]=normal").value.dtype == ml_dtypes.bfloat16


def test_random_numbers_follow_from_seed_and_position():
    def draw(position, seed):
        return parse("f32[8]=normal(0,1)", position, seed).value

    assert (draw(1, 5) == draw(1, 5)).all()
    assert (draw(1, 5) != draw(2, 5)).all() and (draw(1, 5) != draw(1, 6)).all()


def test_outputs_and_null():
    argument = parse("f32[16]")
    assert argument.output and argument.value.shape == (16,) and argument.value.dtype == np.float32
    assert parse("null").value is None


def test_the_same_array_twice():
    x, n, again = parse_all(["f32[4]=arange", "i32=4", "@0"])
    assert again.value is x.value and again.text == "@0"
    first = parse_all(["f32[4]=normal", "f32[4]=normal"], seed=3)
    assert first[1].value.tolist() == parse("f32[4]=normal", 1, 3).value.tolist()
    for texts in (["@0"], ["i32=4", "@0"], ["f32[2]", "@2", "f32[2]"]):
        with pytest.raises(SpecError, match="stands for an array before it"):
            parse_all(texts)


def test_files(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(6, dtype=np.int16).reshape(2, 3).T)
    np.save(tmp_path / "b.npy", np.ones(3, ml_dtypes.bfloat16))
    np.save(tmp_path / "c.npy", np.float32(2))
    array = parse(str(tmp_path / "a.npy")).value
    assert array.flags.c_contiguous and array.tolist() == [[0, 3], [1, 4], [2, 5]] and array.dtype == np.int16
    assert parse(str(tmp_path / "b.npy")).value.dtype == ml_dtypes.bfloat16
    assert parse(str(tmp_path / "c.npy")).value == np.float32(2)


@pytest.mark.parametrize("text, says", [
    ("", "an argument is null, a file.npy, a number such as i32=1000, or an array"),
    ("f32", "a number needs its value (f32=...), an array its shape (f32[16])"),
    ("f32=", "a number needs its value"),
    ("float=1", "there is no type 'float'; there are f16, bf16, f32"),
    ("f33[2]", "there is no type 'f33'"),
    ("f32[]", "[] is no shape"),
    ("f32[2,x]", "[2,x] is no shape"),
    ("f32[-1]", "[-1] is no shape"),
    ("f32=abc", "'abc' is no number"),
    ("i32=2.5", "int32 holds whole numbers, not 2.5"),
    ("i32=inf", "int32 holds whole numbers"),
    ("i32[2]=[1,2.5]", "int32 holds whole numbers, not 2.5"),
    ("u8=256", "uint8 holds 0 to 255, not 256"),
    ("u8[9]=arange(250)", "uint8 holds 0 to 255, not 256"),
    ("u32=-1", "uint32 holds 0 to 4294967295, not -1"),
    ("i32=99999999999999999999999", "int32 holds"),
    ("f32[4]=[1,2,3]", "the list has 3 numbers, the shape [4] has 4"),
    ("f32[4]=gaussian(0,1)", "there is no fill 'gaussian'; there are zeros, ones"),
    ("f32[4]=normal(1)", "normal is written normal(mean,deviation)"),
    ("f32[4]=full", "full is written full(v)"),
    ("f32[4]=normal(a,1)", "'a' is no number"),
    ("f32[4]=normal(0,-1)", "normal(0,-1): scale < 0"),
    ("i32[4]=randint(3,3)", "randint(3,3): low >= high"),
    ("f32=[1,[2]]", "not of one length"),
    ("f32=[1 2]", "a comma is missing before '2'"),
    ("f32=[1,2", "a ] is missing"),
    ("f32=[1]]", "follows the end of the list"),
    ("nowhere.npy", "this file does not exist"),
])
def test_mistakes(text, says):
    with pytest.raises(SpecError) as caught:
        parse(text)
    assert str(caught.value).startswith(repr(text)) and says in str(caught.value)


def test_a_file_that_is_no_array(tmp_path):
    (tmp_path / "a.npy").write_text("text")
    with pytest.raises(SpecError, match="cannot be read as an array"):
        parse(str(tmp_path / "a.npy"))


def test_structures():
    arguments = parse_all(["i32[2]", "struct{ i32=3, f32[2,2]=arange, null, @0, struct{f64=1,u8=[1,2]} }"])
    number, array, null, same, inner = arguments[1].value
    assert number.value == np.int32(3) and array.value.shape == (2, 2) and null.value is None
    assert same.value is arguments[0].value and same.output
    assert [each.value.dtype.name for each in inner.value] == ["float64", "uint8"]
    for text in ("struct{}", "struct{i32}", "struct{i32=1,@5}", "struct{i32=1"):
        with pytest.raises(SpecError):
            parse(text)
