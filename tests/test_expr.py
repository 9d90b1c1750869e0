"""The notation of names with options."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ferc_core import FercError
from ferc_core.expr import Call, parse_call, split_sum

words = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
values = st.one_of(
    st.booleans(),
    st.integers(),
    st.floats(allow_nan=False, allow_infinity=False),
    words.filter(lambda w: w not in ("true", "false", "inf", "nan", "infinity")),
)


@given(words, st.dictionaries(words, values))
def test_the_canonical_text_reads_back_as_the_same_call(name, options):
    call = Call(name, options)
    assert parse_call(str(call)) == call


def test_order_and_spaces_do_not_matter():
    assert str(parse_call(" a ( c = 1, b=x ) ")) == str(parse_call("a(b=x,c=1)")) == "a(b=x,c=1)"


def test_sums_split_outside_parentheses():
    assert split_sum("a(x=1e+3) + b") == ["a(x=1e+3)", "b"]


@pytest.mark.parametrize("text", ["", "a(", "a)b", "a(1)", "a(b=)", "a(b=1,b=2)", "(b=1)", "a b"])
def test_what_cannot_be_read_is_refused(text):
    with pytest.raises(FercError):
        parse_call(text)


@pytest.mark.parametrize("text", ["a++b", "+a", "a+"])
def test_a_missing_term_is_refused(text):
    with pytest.raises(FercError, match="term is missing"):
        split_sum(text)
