"""An ONNX file in onnxruntime: opened without anything outside it, its input and output checked."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from ferc_core.data.classes import names_in
from ferc_core.errors import FercError, RequestError, UnknownNameError, suggest
from ferc_models.ready.convention import CHANNELS, Floats
from ferc_models.ready.predictor import in_one_line

LAYOUTS = {"nchw": 1, "nhwc": 3}  # axis of the channels
FLOATS = {"tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64}
INPUTS = {**FLOATS, "tensor(uint8)": np.uint8}
ONLY_FATAL = 4  # severity from which onnxruntime prints its own messages
CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"


@dataclass(frozen=True)
class Model:
    """A session with its input and output; called with pixels [B, S, S, C], returns [B, K].

    shape: of the input, 0 where a size is free
    """

    name: str
    session: Any = field(repr=False)
    layout: str
    source: str
    kind: str
    shape: tuple[int, ...]
    output: str

    @property
    def metadata(self) -> Mapping[str, str]:
        """What the file says about itself."""
        found: Mapping[str, str] = self.session.get_modelmeta().custom_metadata_map
        return found

    @property
    def channels(self) -> int:
        """The number of channels of the input, 0 where it is free."""
        return self.shape[LAYOUTS[self.layout]]

    @property
    def takes_bytes(self) -> bool:
        """Whether the input is uint8."""
        return INPUTS[self.kind] is np.uint8

    @property
    def shown(self) -> str:
        """The input in words."""
        kind = self.kind.removeprefix("tensor(").removesuffix(")")
        return f"{self.name} takes {kind} [{', '.join(str(size or '?') for size in self.shape)}]"

    def check_channels(self, channels: str) -> None:
        """Raise `RequestError` where the input has another number of channels."""
        wanted = CHANNELS[channels]
        if self.channels in (0, wanted):
            return
        other = next(word for word in LAYOUTS if word != self.layout)
        if self.shape[LAYOUTS[other]] == wanted:
            remedy = f"use layout={other}"
        elif self.channels in CHANNELS.values():
            remedy = "use channels=grey" if self.channels == 1 else "leave out channels=grey"
        else:
            remedy = "images have 3, or 1 with channels=grey"
        raise RequestError(
            f"{self.shown}, which is not {wanted} channel{'s' * (wanted > 1)} with "
            f"layout={self.layout}; {remedy}"
        )

    def size_for(self, side: int, asked: bool) -> int:
        """Return the side of the images that it takes, given that of the run or the user.

        Raises `RequestError` where it is fixed and another was ``asked`` for.
        """
        axes = [axis for axis in range(1, 4) if axis != LAYOUTS[self.layout]]
        sizes = {self.shape[axis] for axis in axes} - {0}
        if len(sizes) > 1:
            raise RequestError(f"{self.shown}; it must take square images")
        if asked and sizes - {side}:
            raise RequestError(f"{self.shown}; leave out size={side}")
        return sizes.pop() if sizes else side

    def __call__(self, pixels: Floats) -> npt.NDArray[Any]:
        """Return the output for some images; a batch of a fixed size is filled up."""
        if self.layout == "nchw":
            pixels = pixels.transpose(0, 3, 1, 2)
        given = np.ascontiguousarray(pixels, dtype=INPUTS[self.kind])
        size = self.shape[0] or len(given)
        parts = []
        for start in range(0, len(given), size):
            part = given[start : start + size]
            filled = np.resize(part, (size, *part.shape[1:]))  # repeats images to fill a batch
            parts.append(self.session.run([self.output], {self.source: filled})[0][: len(part)])
        return np.concatenate(parts)


def open_model(
    content: bytes, name: str, *, layout: str, output: str, providers: str, device: str
) -> Model:
    """Return an ONNX file, by its bytes; raises `RequestError` for one that cannot be used.

    output:    the name of the one to take, "" where there is one
    providers: those of onnxruntime to use, in this order; "" for a GPU where there is one and
               ``device`` is not "cpu"
    """
    session = open_session(content, name, providers, device)
    source, shape = input_of(session.get_inputs(), name)
    chosen = output_of(session.get_outputs(), name, output)
    return Model(name, session, layout, source.name, source.type, shape, chosen)


def open_session(content: bytes, name: str, providers: str, device: str) -> Any:
    """Return an onnxruntime session."""
    try:
        import onnxruntime
    except ImportError as error:
        raise RequestError(
            "method 'onnx' needs onnxruntime: pip install 'ferc-models[onnx]'"
        ) from error
    there = onnxruntime.get_available_providers()
    if providers:
        wanted = [provider_of(word, there) for word in names_in(providers)]
    else:
        wanted = [CUDA] if device != "cpu" and CUDA in there else []
    options = onnxruntime.SessionOptions()
    options.log_severity_level = ONLY_FATAL
    # A fixed number of threads, so that the same images give the same bytes.
    options.intra_op_num_threads = torch.get_num_threads()
    options.inter_op_num_threads = 1
    options.use_deterministic_compute = True
    # Weights in a second file would not be part of the checkpoint, so they must not be found.
    nowhere = "session.model_external_initializers_file_folder_path"
    options.add_session_config_entry(nowhere, os.devnull)
    try:
        session = onnxruntime.InferenceSession(
            content,
            options,
            providers=[on_gpu(name, device) for name in dict.fromkeys([*wanted, CPU])],
        )
    except Exception as error:  # onnxruntime's errors have no common type
        raise unusable(name, error) from error
    used = session.get_providers()
    if device.startswith("cuda") and CUDA not in used:
        none = "no such GPU" if ":" in device else "no GPU"
        raise RequestError(
            f"device {device!r} is not available: onnxruntime finds {none}; install "
            "onnxruntime-gpu, or use auto or cpu"
        )
    for provider in wanted:
        if providers and provider not in used:
            raise RequestError(f"onnxruntime cannot use {provider} here; it would use {used[0]}")
    return session


def on_gpu(provider: str, device: str) -> str | tuple[str, dict[str, int]]:
    """Return a provider with the number of its GPU, where the device names one.

    >>> on_gpu("CUDAExecutionProvider", "cuda:1"), on_gpu("CPUExecutionProvider", "cuda:1")
    (('CUDAExecutionProvider', {'device_id': 1}), 'CPUExecutionProvider')
    """
    number = device.partition(":")[2]
    return (provider, {"device_id": int(number)}) if provider == CUDA and number else provider


def provider_of(word: str, there: Sequence[str]) -> str:
    """Return the full name of a provider: cpu is CPUExecutionProvider.

    Raises `RequestError` for one that is not installed.
    """
    for name in there:
        if word.lower() in (name.lower(), name.lower().removesuffix("executionprovider")):
            return name
    short = [name.removesuffix("ExecutionProvider").lower() for name in there]
    raise RequestError(f"onnxruntime has no provider {word!r} here: {suggest(word, short)}")


def unusable(name: str, error: Exception) -> FercError:
    """Return the error for a file that onnxruntime cannot open."""
    if "external data" in str(error).lower():
        return RequestError(
            f"{name} has its weights in another file; export it with the weights inside, as "
            "torch.onnx.export(..., external_data=False) does"
        )
    return RequestError(f"{name} is not a valid ONNX file for onnxruntime: {in_one_line(error)}")


def input_of(inputs: Sequence[Any], name: str) -> tuple[Any, tuple[int, ...]]:
    """Return the only input and its shape, 0 where a size is free."""
    if len(inputs) != 1:
        names = ", ".join(each.name for each in inputs)
        raise RequestError(
            f"{name} has {len(inputs)} inputs ({names}); export it with the image batch as the "
            "only input"
        )
    (source,) = inputs
    # a free size has a name or nothing in place of a number
    shape = tuple(size if isinstance(size, int) and size > 0 else 0 for size in source.shape)
    if source.type not in INPUTS or len(shape) != 4:
        kind = source.type.removeprefix("tensor(").removesuffix(")")
        shown = ", ".join(str(size or "?") for size in shape)
        raise RequestError(
            f"{name} takes {kind} [{shown}]; it must take a batch of images [?, 3, S, S], floats "
            "or uint8"
        )
    return source, shape


def output_of(outputs: Sequence[Any], name: str, wanted: str) -> str:
    """Return the name of the output to take; raises `RequestError` unless it holds floats."""
    names = [each.name for each in outputs]
    if wanted and wanted not in names:
        raise UnknownNameError(f"output of {name}", wanted, names)
    if not wanted and len(outputs) != 1:
        raise RequestError(
            f"{name} has {len(outputs)} outputs ({', '.join(names)}); choose that of the class "
            f"scores with output_name={names[0]}"
        )
    chosen = outputs[names.index(wanted)] if wanted else outputs[0]
    if chosen.type not in FLOATS:
        raise RequestError(f"{name} returns {chosen.type}; it must return floats [?, K]")
    return str(chosen.name)
