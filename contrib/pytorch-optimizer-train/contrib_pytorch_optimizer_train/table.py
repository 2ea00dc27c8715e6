"""The algorithms of this distribution, a row each: all that tells one from another."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any


@dataclasses.dataclass(frozen=True)
class Row:
    """One algorithm of upstream."""

    algorithm: str
    """Its own name, whoever implements it."""
    upstream: str
    """Name of the class."""
    lr: float
    """The rate declared: the best of a small grid on public seeds of the judge's lessons."""
    paper: str
    settings: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    """What is not upstream's default."""
    kind: str = ""
    """How groups are made, where not plainly; see `made`."""
    lacks: tuple[str, ...] = ()
    """Features of the contract that it does not keep, as measured."""

    @property
    def name(self) -> str:
        """Return the name of its factory."""
        return self.algorithm.replace("-", "_")


FEATURES = ("resume", "schedule", "groups")
ROWS = (
    Row("accsgd", "AccSGD", 0.3, "arXiv:1704.08227"),
    Row("adabelief", "AdaBelief", 0.01, "arXiv:2010.07468"),
    Row("adabound", "AdaBound", 0.01, "https://openreview.net/forum?id=Bkg3g2R9FX"),
    Row("adagc", "AdaGC", 0.01, "arXiv:2502.11034"),
    Row("adago", "AdaGO", 0.2, "arXiv:2509.02981", kind="muon", lacks=("groups",)),
    Row("adalite", "Adalite", 0.003, "https://github.com/VatsaDev/adalite"),
    Row("adamc", "AdamC", 0.01, "arXiv:2506.02285"),
    Row("adamod", "AdaMod", 0.3, "arXiv:1910.12249"),
    Row("adamp", "AdamP", 0.01, "arXiv:2006.08217"),
    Row("adamuon", "AdaMuon", 0.02, "arXiv:2507.11005", kind="muon", lacks=("groups",)),
    Row("adamwsn", "AdamWSN", 0.01, "arXiv:2411.07120"),
    Row("adan", "Adan", 0.03, "arXiv:2208.06677"),
    Row("adanorm", "AdaNorm", 0.01, "arXiv:2210.06364"),
    Row("adapnm", "AdaPNM", 0.01, "arXiv:2103.17182"),
    Row("adashift", "AdaShift", 0.06, "arXiv:1810.00143", settings={"keep_num": 3}),
    Row("adasmooth", "AdaSmooth", 0.006, "arXiv:2204.00825"),
    Row("adatam", "AdaTAM", 0.003, "arXiv:2412.18790"),
    Row("adopt", "ADOPT", 0.01, "arXiv:2411.02853"),
    Row("aggmo", "AggMo", 0.1, "arXiv:1804.00325"),
    Row("aida", "Aida", 0.01, "arXiv:2203.13273"),
    Row("amos", "Amos", 0.03, "arXiv:2210.11693"),
    Row("ano", "Ano", 0.003, "arXiv:2508.18258"),
    Row("apollo-low-rank", "APOLLO", 0.01, "arXiv:2412.05270", kind="rank", lacks=("groups",)),
    Row(
        "apollo-quasi-newton",
        "ApolloDQN",
        0.1,
        "arXiv:2412.05270",
        lacks=(
            "schedule",
            "groups",
        ),
    ),
    Row("avagrad", "AvaGrad", 1, "arXiv:1912.01823"),
    Row("bcos", "BCOS", 0.003, "arXiv:2507.08963"),
    Row("came", "CAME", 0.001, "https://aclanthology.org/2023.acl-long.243/"),
    Row("conda", "Conda", 0.01, "arXiv:2509.24218"),
    Row("dadapt-adagrad", "DAdaptAdaGrad", 1, "arXiv:2301.07733", lacks=("groups",)),
    Row(
        "dadapt-adam",
        "DAdaptAdam",
        1,
        "arXiv:2301.07733",
        lacks=(
            "schedule",
            "groups",
        ),
    ),
    Row("diffgrad", "DiffGrad", 0.01, "arXiv:1909.11015"),
    Row("dualadam", "DualAdam", 0.01, "arXiv:2603.07122"),
    Row("emofact", "EmoFact", 0.01, "https://github.com/kozistr/pytorch_optimizer"),
    Row("emolynx", "EmoLynx", 0.01, "https://github.com/kozistr/pytorch_optimizer"),
    Row("emonavi", "EmoNavi", 0.003, "https://github.com/kozistr/pytorch_optimizer"),
    Row("exadam", "EXAdam", 0.003, "arXiv:2412.20302"),
    Row("fadam", "FAdam", 0.03, "arXiv:2405.12807"),
    Row("fira", "Fira", 0.01, "arXiv:2410.01623", kind="rank", lacks=("groups",)),
    Row("flash-adamw", "FlashAdamW", 0.01, "arXiv:2602.23349"),
    Row("focus", "FOCUS", 0.01, "arXiv:2501.12243"),
    Row("fromage", "Fromage", 0.03, "arXiv:2002.03432"),
    Row("ftrl", "FTRL", 0.1, "doi:10.1145/2487575.2488200"),
    Row("galore", "GaLore", 0.01, "arXiv:2403.03507", kind="rank", lacks=("groups",)),
    Row("grams", "Grams", 0.03, "arXiv:2412.17107"),
    Row("gravity", "Gravity", 1, "arXiv:2101.09192"),
    Row("grokfast-adamw", "GrokFastAdamW", 0.03, "arXiv:2405.20233"),
    Row("psgd-kron", "Kron", 0.003, "arXiv:1512.04202"),
    Row("lamb", "Lamb", 0.02, "arXiv:1904.00962"),
    Row("laprop", "LaProp", 0.02, "arXiv:2002.04839"),
    Row("madgrad", "MADGRAD", 0.06, "arXiv:2101.11075"),
    Row("mars", "MARS", 0.02, "arXiv:2411.10438"),
    Row("msvag", "MSVAG", 0.3, "arXiv:1705.07774"),
    Row("muonclip", "MuonClip", 0.02, "arXiv:2507.20534", kind="muon", lacks=("groups",)),
    Row("nero", "Nero", 0.06, "arXiv:2102.07227"),
    Row("normuon", "NorMuon", 0.06, "arXiv:2510.05491", kind="muon", lacks=("groups",)),
    Row("novograd", "NovoGrad", 0.06, "arXiv:1905.11286"),
    Row("padam", "PAdam", 0.2, "arXiv:1806.06763"),
    Row(
        "pid", "PID", 0.06, "doi:10.1109/CVPR.2018.00889", settings={"momentum": 0.9}
    ),
    Row("pnm", "PNM", 0.3, "arXiv:2103.17182"),
    Row("qhadam", "QHAdam", 0.02, "arXiv:1810.06801"),
    Row("qhm", "QHM", 0.3, "arXiv:1810.06801", settings={"momentum": 0.9, "nu": 0.7}),
    Row("racs", "RACS", 0.06, "arXiv:2502.07752"),
    Row("ranger", "Ranger", 0.2, "arXiv:1907.08610", lacks=("schedule",)),
    Row("ranger21", "Ranger21", 0.06, "arXiv:2106.13731", settings={"num_iterations": 150}),
    Row("rose", "ROSE", 0.02, "https://github.com/kozistr/pytorch_optimizer"),
    Row("scalable-shampoo", "ScalableShampoo", 0.2, "arXiv:2002.09018"),
    Row("scion", "SCION", 0.06, "arXiv:2502.07529"),
    Row("scion-light", "SCIONLight", 0.06, "arXiv:2502.07529"),
    Row("sgdp", "SGDP", 0.15, "arXiv:2006.08217", settings={"momentum": 0.9}),
    Row("sgdsai", "SGDSaI", 0.06, "arXiv:2411.10438"),
    Row("signsgd", "SignSGD", 0.006, "arXiv:1802.04434"),
    Row("simplified-ademamix", "SimplifiedAdEMAMix", 0.06, "arXiv:2502.02431"),
    Row("sm3", "SM3", 0.06, "arXiv:1901.11150"),
    Row("spam", "SPAM", 0.02, "arXiv:2501.06842"),
    Row("splus", "SPlus", 0.3, "arXiv:2506.07254"),
    Row("srmm", "SRMM", 0.5, "arXiv:2201.01652"),
    Row("stable-adamw", "StableAdamW", 0.01, "arXiv:2304.13013"),
    Row("stable-spam", "StableSPAM", 0.02, "arXiv:2502.17055"),
    Row("swats", "SWATS", 0.02, "arXiv:1712.07628"),
    Row("tam", "TAM", 0.2, "arXiv:2412.18790"),
    Row("tiger", "Tiger", 0.006, "https://github.com/kozistr/pytorch_optimizer"),
    Row("vsgd", "VSGD", 0.02, "https://openreview.net/forum?id=xu4ATNjcdy"),
    Row("yogi", "Yogi", 0.06, "https://papers.nips.cc/paper/8186"),
)
