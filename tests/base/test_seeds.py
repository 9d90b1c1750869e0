"""Addresses: what the random field of an image depends on, and orders made from ids."""

from __future__ import annotations

from ferc_core.base.seeds import generator, key, rank, slug


def test_every_part_of_the_address_matters():
    draws = {
        generator(dataset, sample, corruption, severity, seed).integers(2**63)
        for dataset in ("a", "b")
        for sample in ("x", "y", "xy")
        for corruption in ("snow", "fog")
        for severity in (1, 2)
        for seed in (0, 1)
    }
    assert len(draws) == 48


def test_parts_of_a_key_do_not_run_into_each_other():
    assert key("ab", "c") != key("a", "bc")
    assert len(key("a", size=5)) == 5
    assert key("caf\udce9.png") != key("café.png")  # a file name that is not valid text


def test_the_order_of_ids_is_the_same_for_every_part_of_them():
    ids = tuple(f"s{i}" for i in range(50))
    assert set(rank(ids, "limit")[:10]) < set(rank(ids, "limit")[:20])
    assert sorted(rank(ids, "limit")) == list(range(50))
    assert list(rank(ids, "limit")) != list(rank(ids, "validation"))
    some = [ids[row] for row in rank(ids, "limit") if row < 9]
    assert [ids[row] for row in rank(ids[:9], "limit")] == some


def test_file_names_of_different_texts_differ():
    texts = ["snow", "spatter(seed=1)", "spatter(seed=2)", "spatter_seed_1_", "x" * 300]
    names = [slug(text) for text in texts]
    assert names[0] == "snow"
    assert len(set(names)) == len(texts)
    assert all(len(name.encode()) < 200 and "/" not in name for name in names)
