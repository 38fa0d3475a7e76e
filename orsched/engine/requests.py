"""The requests of one run: their lengths, and what happened to each."""

from __future__ import annotations

import math
from array import array
from typing import TYPE_CHECKING

from orsched.errors import InformationError, InputError
from orsched.policy import Information, LengthKey, Policy
from orsched.prediction import Predictions
from orsched.workloads import Workload

if TYPE_CHECKING:
    import numpy as np


class Requests:
    """Columns indexed by request, as plain lists and arrays because the engine reads one element at a time.

    Parameters
    ----------
    workload : Workload
        What arrives.
    policy : Policy
        Its `classify`, `order` and `information` decide class and queue key, its `predict` the predicted lengths.
    rng : numpy.random.Generator
        The predictor's own random stream.
    """

    __slots__ = (
        "_class_ids",
        "_classify",
        "_order",
        "_output_tokens",
        "_policy_name",
        "_prefix_blocks",
        "_prefix_paths",
        "_visible_tokens",
        "arrival_s",
        "completion_s",
        "context_tokens",
        "first_scheduled_s",
        "first_token_s",
        "information",
        "input_tokens",
        "instance",
        "labels",
        "migrations",
        "predictions",
        "preemptions",
        "prefix_block_tokens",
        "prefix_holders",
        "prompt_target",
        "rejected",
        "restarts",
        "slos",
        "tells_lengths",
        "unfinished",
    )

    def __init__(self, workload: Workload, policy: Policy, rng: np.random.Generator) -> None:
        n = len(workload)
        self.arrival_s: list[float] = workload.arrival_s.tolist()
        self.input_tokens: list[int] = workload.input_tokens.tolist()
        self._output_tokens: list[int] = workload.output_tokens.tolist()
        self.labels: list[int] = workload.class_id.tolist()
        self.context_tokens = workload.context_tokens
        self._prefix_blocks = blocks = workload.prefix_blocks
        self._prefix_paths: dict[int, list[int]] = {}
        self.prefix_block_tokens = None if blocks is None else blocks.block_tokens
        """Tokens of a prefix block; None when nothing is known of shared prefixes."""
        self.prefix_holders: dict[int, set[int]] = {}
        """First blocks of prompts -> the instances that have them cached, or had before the epoch in flight."""
        self._policy_name = policy.name
        self.information = policy.information
        self.tells_lengths = policy.information >= Information.PREDICTED
        """Whether the policy may ask for the output length of a request."""
        self._classify = policy.classify
        self._order = policy.order
        self.predictions: Predictions | None = None
        self._visible_tokens: list[int] = self._output_tokens
        if policy.predict is not None:
            self.predictions = _checked(policy.predict(workload, rng), n)
            self._visible_tokens = getattr(self.predictions, policy.plans_with).tolist()
        never = [math.nan]
        self.first_scheduled_s = array("d", never) * n
        self.first_token_s = array("d", never) * n
        self.completion_s = array("d", never) * n
        nothing = array("q", [0]) * n
        self.preemptions = nothing[:]
        self.restarts = nothing[:]
        self.migrations = nothing[:]
        self.rejected = nothing[:]
        self._class_ids = nothing[:] if policy.classify is None else array("q", [-1]) * n
        self.instance = nothing[:]
        self.unfinished = n
        self.slos = tuple(kind.slo for kind in workload.classes)
        self.prompt_target: list[int] = list(self.input_tokens)
        """Tokens a prefill must process: the prompt, and after a preemption the tokens emitted before it."""

    def __len__(self) -> int:
        return len(self.arrival_s)

    def prefix_path(self, request: int) -> list[int]:
        """Ids of the prefix blocks that the prompt of `request` fills; none if nothing is known of shared prefixes."""
        path = self._prefix_paths.get(request)
        if path is None:
            blocks = self._prefix_blocks
            if blocks is None:
                return []
            path = blocks.of_request(request)[: self.input_tokens[request] // blocks.block_tokens]
            self._prefix_paths[request] = path
        return path

    def forget_path(self, request: int) -> None:
        """Free the memory of a prefix path that will not be asked for again soon."""
        self._prefix_paths.pop(request, None)

    def true_output_tokens(self) -> list[int]:
        """Output lengths; for the engine, never for a policy."""
        return self._output_tokens

    def has_completed(self, request: int) -> bool:
        """Whether `request` has emitted its last token."""
        return not math.isnan(self.completion_s[request])

    def class_of(self, request: int) -> int:
        """The class the policy's classifier gives `request`; it is asked once."""
        found = self._class_ids[request]
        if found < 0 and self._classify is not None:
            found = self._class_ids[request] = int(self._evaluate(self._classify, request, Information.CLASS))
        return found

    def key_of(self, request: int) -> float:
        """The queue key the policy's order gives a waiting `request`, which surely emits one more token."""
        assert self._order is not None
        if self.predictions is None:
            return self._evaluate(self._order, request, Information.PREDICTED)
        tokens, emitted = self.input_tokens[request], self.prompt_target[request] - self.input_tokens[request]
        return self._order(tokens, max(self._visible_tokens[request], emitted + 1))

    def known_tokens(self, request: int) -> int:
        """Output length as far as the policy knows it: the true one, or the predicted one."""
        return self._visible_tokens[request]

    def announced_tokens(self, request: int) -> int:
        """`known_tokens` for a policy.

        Raises
        ------
        InformationError
            With less information than `Information.PREDICTED`.
        """
        if not self.tells_lengths:
            raise self.hidden(request)
        return self._visible_tokens[request]

    def remaining_tokens(self, request: int, emitted_tokens: int) -> float:
        """Output tokens `request` has still to emit after `emitted_tokens`, as far as the policy knows.

        The true number with `Information.ORACLE`. With `Information.PREDICTED` what the refresher of the predictions
        says, or without one the predicted length less what is emitted; at most what the deployment's context allows
        and at least 1, since a request that has not ended emits one more.

        Raises
        ------
        InformationError
            With less information than that.
        InputError
            When the refresher answers with less than 1 or no finite number.
        """
        if not self.tells_lengths:
            raise self.hidden(request)
        known = self._visible_tokens[request]
        if self.predictions is None:
            return known - emitted_tokens
        refresher = self.predictions.refresher
        if refresher is None:
            remaining: float = known - emitted_tokens
        else:
            remaining = refresher(request, emitted_tokens)
            if not 1 <= remaining < math.inf:
                raise InputError(
                    f"refresher: request {request} after {emitted_tokens} tokens has {remaining} left; "
                    "must be a finite number >= 1"
                )
        return max(min(remaining, self.context_tokens - self.input_tokens[request] - emitted_tokens), 1)

    def hidden(self, request: int) -> InformationError:
        """The error of a policy that asks for the output length of `request` and may not."""
        return InformationError(
            f"output length of request {request} is hidden: policy {self._policy_name!r} declared "
            f"information {self.information.label!r}, it needs 'oracle' or 'predicted'"
        )

    def _evaluate(self, key: LengthKey, request: int, needed: Information) -> float:
        visible = self._visible_tokens[request] if self.information >= needed else None
        return key(self.input_tokens[request], visible)


def _checked(predictions: object, count: int) -> Predictions:
    if not isinstance(predictions, Predictions) or len(predictions.point) != count:
        raise InputError(f"a predictor returns Predictions for all {count} requests, got {predictions!r}")
    return Predictions.of(predictions.point, predictions.low, predictions.high, predictions.refresher)
