"""Shapes of models: the published parameter counts and KV bytes follow from them."""

import pytest

from orsched.devices import LatentAttention, ModelConfig, model_config, model_names
from orsched.devices.model_files import model_from_toml
from orsched.errors import InputError, UnknownNameError

PUBLISHED = {
    "llama2-7b": (6.74, 512),
    "llama2-13b": (13.02, 800),
    "llama2-70b": (68.98, 320),
    "llama3-8b": (8.03, 128),
    "llama3-70b": (70.55, 320),
    "qwen2.5-7b": (7.62, 56),
    "qwen2.5-32b": (32.76, 256),
    "qwen2.5-72b": (72.70, 320),
    "qwen3-8b": (8.19, 144),
    "qwen3-14b": (14.77, 160),
    "qwen3-32b": (32.76, 256),
    "mistral-7b": (7.24, 128),
    "mixtral-8x7b": (46.70, 128),
    "codellama-34b": (33.74, 192),
    "internlm-20b": (20.09, 1200),
    "internlm2-20b": (19.86, 192),
    "opt-13b": (12.84, 800),
    "opt-66b": (65.69, 2304),
}


@pytest.mark.parametrize(("name", "published"), PUBLISHED.items())
def test_parameters_and_kv_bytes_to_the_printed_digits(name, published):
    """Claim: shapes give the published billions of parameters and KiB of KV cache per token."""
    model = model_config(name)
    assert (round(model.params / 1e9, 2), model.kv_bytes_per_token / 1024) == published


def test_the_exceptions():
    """Claim: MLA, experts and BLOOM's two-matrix network come out as published, too."""
    deepseek = model_config("deepseek-v3")
    assert round(deepseek.params / 1e9, 1) == 671.0
    assert round(deepseek.active_params / 1e9, 2) == 37.55
    assert round(deepseek.kv_bytes_per_token / 1024, 1) == 68.6
    assert deepseek.weight_bytes == deepseek.params
    assert round(model_config("mixtral-8x7b").active_params / 1e9, 2) == 12.88
    bloom = model_config("bloom-176b")
    assert round(bloom.params / 1e9) == 176
    assert bloom.kv_bytes_per_token / 1024 == 3920
    assert round(model_config("qwen3-30b-a3b").params / 1e9, 1) == 30.5
    assert round(model_config("phi-mini-moe").params / 1e9, 1) == 7.6


@pytest.mark.parametrize(
    ("spelling", "name"),
    [
        ("Llama-3.1-8B", "llama3-8b"),
        ("Meta-Llama-3-8B", "llama3-8b"),
        ("meta-llama/Meta-Llama-3.1-70B-Instruct", "llama3-70b"),
        ("Llama-2-7b-hf", "llama2-7b"),
        ("Llama-2-70b-chat-hf", "llama2-70b"),
        ("lmsys/vicuna-13b", "llama2-13b"),
        ("Qwen/Qwen3-30B-A3B-Instruct-2507", "qwen3-30b-a3b"),
        ("microsoft/Phi-mini-MoE-instruct", "phi-mini-moe"),
        ("facebook/opt-66b", "opt-66b"),
    ],
)
def test_common_names_are_understood(spelling, name):
    """Claim: a model is found by the names that profiles and repositories use."""
    assert model_config(spelling).name == name


def test_unknown_names_are_answered_with_the_nearest():
    """Claim: a misspelt model is an error that suggests the one that was meant."""
    with pytest.raises(UnknownNameError, match="did you mean 'llama3-8b'"):
        model_config("llama4-8b")


def test_every_model_says_where_it_comes_from():
    """Claim: each shape has a source and a confidence."""
    for name in model_names():
        model = model_config(name)
        assert model.name == name
        assert model.source
        assert model.confidence in ("code", "unconfirmed")


def test_kv_bytes_on_each_chip_of_a_group():
    """Claim: KV heads are divided and, where there are too few, copied; a latent vector is on every chip."""
    model = model_config("llama3-8b")
    each = [model.kv_bytes_per_token_on(g) / model.kv_bytes_per_token for g in (1, 2, 8, 16)]
    assert each == [1, 1 / 2, 1 / 8, 1 / 8]
    deepseek = model_config("deepseek-v3")
    assert deepseek.kv_bytes_per_token_on(8) == deepseek.kv_bytes_per_token


def test_groups_that_can_share_a_model():
    """Claim: query heads are divided, KV heads divided or copied evenly; other groups are refused."""
    qwen = model_config("qwen2.5-7b")
    assert qwen.group_sizes() == (1, 2, 4, 28)
    assert model_config("llama3-8b").group_sizes() == (1, 2, 4, 8, 16, 32)
    for gpus, message in (
        (7, "4 KV heads can be neither"),
        (14, "runs on 1, 2, 4, 28"),
        (3, "must divide the 28 query"),
    ):
        for ask in (qwen.kv_bytes_per_token_on, qwen.weight_bytes_on, qwen.kv_heads_on):
            with pytest.raises(InputError, match=message):
                ask(gpus)


@pytest.mark.parametrize("name", model_names())
def test_every_gpu_of_a_group_holds_the_kv_heads_of_its_queries(name):
    """Claim: for every allowed group the KV heads that the query heads of any GPU need are as many as are counted."""
    model = model_config(name)
    if model.latent is None:
        shared = model.q_heads // model.kv_heads
        for gpus in model.group_sizes():
            each = model.q_heads // gpus
            needed = {len({q // shared for q in range(k * each, (k + 1) * each)}) for k in range(gpus)}
            assert needed == {model.kv_heads_on(gpus)}


def test_weights_on_each_chip_of_a_group():
    """Claim: what is copied counts on every chip: KV projections beyond one head, latent projections, routers."""
    llama = model_config("llama2-70b")
    assert llama.weight_bytes_on(8) == llama.weight_bytes / 8
    more = llama.weight_bytes_on(64) - llama.weight_bytes / 64
    head = 2 * llama.hidden * llama.head_dim * llama.dtype_bytes
    assert more == pytest.approx(llama.layers * head * (1 - llama.kv_heads / 64))
    deepseek = model_config("deepseek-v3")
    latent = deepseek.layers * deepseek.hidden * (1536 + 512 + 64)
    routers = 58 * 256 * deepseek.hidden
    copied = (latent + routers) * deepseek.dtype_bytes
    assert 8 * deepseek.weight_bytes_on(8) == pytest.approx(deepseek.weight_bytes + 7 * copied)
    mixtral = model_config("mixtral-8x7b")
    assert 8 * mixtral.weight_bytes_on(8) - mixtral.weight_bytes == pytest.approx(7 * 32 * 8 * 4096 * 2)


def test_positions_are_known_of_some():
    """Claim: OPT and phi-2 end at 2,048 positions; where it is not known nothing is said."""
    assert {name for name in model_names() if model_config(name).positions == 2048} == {"opt-13b", "opt-66b", "phi-2"}


GOOD = (
    'name = "m"\nlayers = 2\nhidden = 64\nq_heads = 4\nkv_heads = 2\nhead_dim = 16\nffn = 128\nvocab = 100\n'
    'source = "test"\nconfidence = "code"\n'
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (GOOD.replace("layers = 2", "layers = 0"), r"layers = 0"),
        (GOOD.replace("layers = 2", 'layers = "2"'), r"layers = '2'"),
        (GOOD.replace("kv_heads = 2", "kv_heads = 3"), "kv_heads = 3"),
        (GOOD.replace("ffn = 128", "ffn = 0"), "ffn = 0"),
        (GOOD + "colour = 3\n", "colour"),
        (GOOD + "experts = 4\n", "active_experts"),
        (GOOD + "shared_experts = 1\n", "experts = 0"),
        (GOOD.replace('source = "test"\n', ""), "source"),
        (GOOD + "[latent]\nquery_rank = 0\nkv_rank = 1\nrope_dim = 1\nnope_dim = 1\nvalue_dim = 1\n", "query_rank"),
        ("layers = ", "not a TOML file"),
        (GOOD.replace("layers = 2", "layers = " + "9" * 5000), "not a TOML file"),
        (GOOD.replace("layers = 2", "layers = " + "9" * 4000), r"layers = 9{70,80}\.\.\.: must"),
        (GOOD + "x = " + "[" * 5000, "nested too deeply"),
        (GOOD.replace('name = "m"', 'name = "m\\u0007"'), "no control characters"),
        (GOOD + "dtype_bytes = 1e-300\n", "dtype_bytes = 1e-300"),
        ("#" * 100_001, "at most 100,000"),
    ],
)
def test_bad_model_files_are_refused(text, message):
    """Claim: a file that breaks the schema is an error that names the file and the field."""
    assert model_from_toml(GOOD, "here")[0].layers == 2
    with pytest.raises(InputError, match=message) as error:
        model_from_toml(text, "here")
    assert str(error.value).startswith("here: ")


def test_latent_attention_is_cheaper_to_cache_and_dearer_to_decode():
    """Claim: decode works on the latent vectors (2 rank + rope numbers a head), prefill on expanded keys and values."""
    latent = LatentAttention(1536, 512, 64, 128, 128)
    assert latent.cached == 576
    assert latent.prefill_pair_flops(128) == 2 * 128 * (128 + 64 + 128)
    assert latent.decode_pair_flops(128) == 2 * 128 * (576 + 512)
    model = ModelConfig("m", 1, 64, 4, 4, 16, 128, 100)
    assert model.prefill_pair_flops == model.decode_pair_flops == 4 * 4 * 16
