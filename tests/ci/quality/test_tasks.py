from __future__ import annotations

import torch

from dougong.contracts.sampling import generator
from dougong_ci.quality import tasks
from dougong_ci.quality.tasks import ASK, IGNORED, KEYS, VALUES


def drawn(seed: int = 1):
    return generator(seed, "test")


def test_every_question_of_recall_has_its_pair_before_it():
    batch = tasks.recall(3, 128, 12, drawn())
    for tokens, targets in zip(batch.tokens_BT, batch.targets_BT, strict=True):
        asked = targets.ne(IGNORED).nonzero().flatten().tolist()
        assert len(asked) == 12
        for i in asked:
            assert tokens[i - 1] == ASK
            (first, *_) = (tokens == tokens[i]).nonzero().flatten().tolist()
            assert first < i
            assert tokens[first + 1] == targets[i]


def test_a_copy_is_asked_where_the_string_comes_again():
    (tokens,), (targets,) = (lambda b: (b.tokens_BT, b.targets_BT))(tasks.copy(1, 100, 20, drawn()))
    string = tokens[-20:]
    assert targets[-20:-1].tolist() == string[1:].tolist()
    windows = tokens[:-20].unfold(0, 20, 1)
    assert int((windows == string).all(-1).sum()) == 1


def test_needles_lie_at_every_depth_and_nowhere_else():
    batch = tasks.needle(8, 256, 1, drawn())
    assert batch.where_B is not None
    depths = (batch.where_B.float() / 256 * 8).long().tolist()
    assert sorted(depths) == depths
    assert len(set(depths)) >= 6
    for b, at in enumerate(batch.where_B.tolist()):
        assert batch.tokens_BT[b, at - 1] in KEYS
        assert batch.tokens_BT[b, at] == batch.targets_BT[b, -1]
        assert int((batch.tokens_BT[b] < VALUES.stop).sum()) == 3


def test_two_needles_of_a_sequence_lie_in_its_two_halves():
    batch = tasks.needle(4, 256, 2, drawn())
    for tokens, targets in zip(batch.tokens_BT, batch.targets_BT, strict=True):
        for i, low in ((-3, 0), (-1, 128)):
            (at, *_) = (tokens == tokens[i]).nonzero().flatten().tolist()
            assert low - 8 <= at < low + 128
            assert tokens[at + 1] == targets[i]


def test_nothing_is_asked_in_the_padding_and_everything_asked_has_its_pair():
    batch = tasks.padded(tasks.recall(6, 128, 10, drawn(), ordered=False), drawn(2))
    assert batch.mask is not None
    lengths = batch.mask.flatten(1).sum(-1).tolist()
    assert lengths[0] == 128
    assert min(lengths) >= 64
    for b, length in enumerate(lengths):
        asked = batch.targets_BT[b].ne(IGNORED).nonzero().flatten()
        assert bool((asked < length).all())
        seen = batch.tokens_BT[b, :length]
        for i in asked.tolist():
            pairs = zip(seen[:-1].tolist(), seen[1:].tolist(), strict=True)
            assert (int(seen[i]), int(batch.targets_BT[b, i])) in set(pairs)


def test_held_out_text_is_no_training_text():
    held_out, rest = (bytes(tasks.corpus(held_out=which).tolist()) for which in (True, False))
    assert min(len(held_out), len(rest)) > 20_000
    found = [held_out[i : i + 200] in rest for i in range(0, len(held_out) - 200, 997)]
    assert sum(found) == 0


def test_a_text_retold_says_much_of_it_twice():
    def repeated(batch) -> float:
        text = bytes(batch.tokens_BT[0].tolist())
        return sum(text.find(text[i : i + 20]) < i for i in range(200, 480)) / 280

    plain = tasks.text(1, 512, drawn(), held_out=False)
    assert repeated(tasks.retold(1, 512, drawn())) > 0.2 > repeated(plain)


def test_equal_seeds_draw_equal_questions_and_others_others():
    one, same, other = (tasks.text(2, 64, drawn(seed)).tokens_BT for seed in (1, 1, 2))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)
