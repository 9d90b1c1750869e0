"""The notation of names with options."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferc_core import FercError
from ferc_core.base.calls import Call, parse_call, split_sum

words = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
paths = st.text("ab1,.()=/\\ '-+", max_size=12) | st.text('ab1,.()=" ', max_size=12)
values = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    words,
    paths,
)


@given(words, st.dictionaries(words, values))
def test_the_canonical_text_reads_back_as_the_same_call(name, options):
    call = Call(name, options)
    assert parse_call(str(call)) == call


def test_order_and_spaces_do_not_matter():
    assert str(parse_call(" a ( c = 1, b=x ) ")) == str(parse_call("a(b=x,c=1)")) == "a(b=x,c=1)"


def test_sums_split_outside_parentheses():
    assert split_sum("a(x=1e+3) + b") == ["a(x=1e+3)", "b"]


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("onnx(file=/a/b-c/model.v2.onnx)", "/a/b-c/model.v2.onnx"),
        ("onnx(file=../my models/net (1).onnx)", "../my models/net (1).onnx"),
        (r"onnx(file=C:\nets\a=b.onnx)", r"C:\nets\a=b.onnx"),
        ("onnx(file=it's.onnx)", "it's.onnx"),
        ('onnx(layout=nhwc, file="a, b)/it\'s.onnx")', "a, b)/it's.onnx"),
        ("onnx( file = '8' )", "8"),
        ("onnx(file='true', channels=bgr)", "true"),
    ],
)
def test_a_path_can_be_written_and_reads_back(text, path):
    call = parse_call(text)
    assert call.options["file"] == path
    assert parse_call(str(call)) == call


BOTH = 'a(b="an"x\'")'  # both quotation marks in a value


@pytest.mark.parametrize(
    "text",
    ["", "a(", "a)b", "a(1)", "a(b=)", "a(b=1,b=2)", "(b=1)", "a b", "a(b='x)", "a(b=x)y)", BOTH],
)
def test_what_cannot_be_read_is_refused(text):
    with pytest.raises(FercError):
        parse_call(text)


@pytest.mark.parametrize("text", ["a++b", "+a", "a+"])
def test_a_missing_term_is_refused(text):
    with pytest.raises(FercError, match="term is missing"):
        split_sum(text)
