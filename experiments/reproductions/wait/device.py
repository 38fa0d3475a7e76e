"""The device of the WAIT experiments: a bundled, independently fitted entry brought to the authors' speed."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace

from orsched.catalogue import Hardware, hardware
from orsched.errors import InputError
from orsched.fleet import Fleet
from orsched.service import Batch, Hinged

CALIBRATED = "llama2-7b/a100-80g"
LINEAR_LMSYS = "llama2-7b/a100-80g-linear-lmsys"

PIPELINE_S = {1: 0.0439, 2: 0.0832, 3: 0.1219, 4: 0.1669, 5: 0.2012}
"""Iteration times of the authors' balanced p512d20 pipeline by requests per stage, seconds.

22 stages: two prompt chunks of 256 tokens and 20 decodes. From the progress notes of their public repository.
"""

PROMPT, CHUNK, DECODES = 512, 256, 20


@dataclass(frozen=True, slots=True)
class Anchor:
    """One factor on all times of a catalogue entry.

    Parameters
    ----------
    factor : float
        The one that fits `PIPELINE_S` with the least squared relative error.
    worst_error : float
        Largest relative error left over the pipeline's points.
    """

    factor: float
    worst_error: float

    @classmethod
    def of(cls, entry: Hardware) -> Anchor:
        """Fit the factor for a catalogue entry."""
        ratios = [entry.service.iteration_s(pipeline_batch(n)) / seconds for n, seconds in PIPELINE_S.items()]
        factor = sum(ratios) / sum(ratio * ratio for ratio in ratios)
        return cls(factor, max(abs(factor * ratio - 1) for ratio in ratios))

    def scaled(self, entry: Hardware) -> Hardware:
        """The entry with every time multiplied by the factor."""
        service = entry.service
        if not isinstance(service, Hinged):
            raise InputError(f"hardware {entry.name!r}: only hinged entries are scaled here")
        times = {f.name: self.factor * getattr(service, f.name) for f in fields(service) if f.name.endswith("_s")}
        return replace(
            entry, name=f"{entry.name}, times x {self.factor:.4f}", service=replace(service, **times), kind="fitted"
        )


def pipeline_batch(per_stage: int) -> Batch:
    """The batch of the balanced pipeline: `per_stage` requests in every one of its 22 stages."""
    past = [CHUNK * k for k in range(PROMPT // CHUNK)]
    return Batch(
        prompt_tokens=per_stage * PROMPT,
        chunk_attention=per_stage * sum(CHUNK * (done + CHUNK / 2) for done in past),
        past_tokens=per_stage * sum(past),
        num_seqs=per_stage * DECODES,
        kv_tokens=per_stage * sum(PROMPT + k for k in range(DECODES)),
    )


def anchored_fleet() -> Fleet:
    """One instance of the calibrated entry at the authors' speed."""
    entry = hardware(CALIBRATED)
    return Fleet.identical(Anchor.of(entry).scaled(entry))
