"""Two taggers in one: trained on different scenes they err differently, and their mean errs less than either."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from recomposer_studio.errors import InputError
from recomposer_studio.tagging.builtin import describe, load_builtin
from recomposer_studio.training.tagger_export import write_files


def join_taggers(first: Path, second: Path, out: Path, name: str) -> None:
    """Writes the tagger that hears what both hear.

    Scores, activities and names are means (activities and names of logits); what a step sounds like is one's numbers, then the other's.

    Args:
        first: folder of a tagger, a joined one too.
        second: likewise.
        out: folder for the files; it may be one of the two.
        name: what the new one is called.

    Raises:
        InputError: one of them cannot be read, they know different classes, or `out` cannot be written.
    """
    pages = [describe(first), describe(second)]
    if pages[0].event_classes != pages[1].event_classes or pages[0].trained_classes != pages[1].trained_classes:
        raise InputError(f"{second}: this tagger knows other classes than {first}; join taggers of the same recordings")
    for folder in (first, second):
        load_builtin(folder, "cpu", 1)  # whole, and what their pages say
    attributions = [
        (folder / "ATTRIBUTION.md").read_bytes() for folder in (first, second) if (folder / "ATTRIBUTION.md").is_file()
    ]
    if len(set(attributions)) > 1:
        raise InputError(
            f"{second}: this tagger was trained on other recordings than {first}; join taggers of the same"
        )
    models = [_parsed(page.path) for page in pages]
    namers = [_parsed(page.namer) for page in pages]
    if len({model.opset_import[0].version for model in (*models, *namers)}) > 1:
        raise InputError(f"{second}: another version of the program wrote this tagger than {first}; train one anew")
    files = (_joined(models), _joined_namer(namers))
    write_files(out, name, files, pages[0].event_classes, pages[0].trained_classes)


def _parsed(path: Path) -> Any:
    import onnx

    return onnx.load_model_from_string(path.read_bytes())


def _joined(models: Sequence[Any]) -> bytes:
    """One graph of two: the input is shared, "scores" and "activity" are means, "features" lie side by side."""
    from onnx import helper

    parts = [_prefixed(model, number, shared_input=True) for number, model in enumerate(models)]
    nodes = [
        helper.make_node("Mean", [_name(n, "scores") for n in range(len(parts))], ["scores"]),
        helper.make_node("Mean", [_name(n, "activity") for n in range(len(parts))], ["activity"]),
        helper.make_node("Concat", [_name(n, "features") for n in range(len(parts))], ["features"], axis=2),
    ]
    shapes = {info.name: _shape(info) for info in models[0].graph.output}
    shapes["features"] = ["n", "steps", sum(_width(model, "features") for model in models)]
    return _written(models[0], "tagger", list(models[0].graph.input), shapes, parts, nodes)


def _joined_namer(models: Sequence[Any]) -> bytes:
    """One graph of two: of all means, then all maxima, each takes its own; "names" is the mean."""
    from onnx import TensorProto, helper, numpy_helper

    parts = [_prefixed(model, number, shared_input=False) for number, model in enumerate(models)]
    widths = [int(_shape(model.graph.input[0])[-1]) // 2 for model in models]
    nodes, total, begin = [], sum(widths), 0
    for number, width in enumerate(widths):
        own = np.concatenate([np.arange(begin, begin + width), total + np.arange(begin, begin + width)])
        columns = _name(number, "columns")
        parts[number].graph.initializer.append(numpy_helper.from_array(own.astype(np.int64), columns))
        nodes.append(helper.make_node("Gather", ["pooled", columns], [_name(number, "pooled")], axis=1))
        begin += width
    mean = helper.make_node("Mean", [_name(n, "names") for n in range(len(parts))], ["names"])
    given = [helper.make_tensor_value_info("pooled", TensorProto.FLOAT, ["n", 2 * total])]
    shapes = {info.name: _shape(info) for info in models[0].graph.output}
    return _written(models[0], "names", given, shapes, parts, [mean], first=nodes)


def _prefixed(model: Any, number: int, shared_input: bool) -> Any:
    from onnx import compose

    return compose.add_prefix(model, _name(number, ""), rename_inputs=not shared_input)


def _name(number: int, rest: str) -> str:
    return f"{'ab'[number]}/{rest}"


def _shape(info: Any) -> list[str | int]:
    return [d.dim_param or int(d.dim_value) for d in info.type.tensor_type.shape.dim]


def _width(model: Any, output: str) -> int:
    return int(next(_shape(info)[-1] for info in model.graph.output if info.name == output))


def _written(
    like: Any,
    name: str,
    given: list[Any],
    shapes: dict[str, list[str | int]],
    parts: Sequence[Any],
    last: list[Any],
    first: Sequence[Any] = (),
) -> bytes:
    from onnx import TensorProto, helper

    said = [helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key, shape in shapes.items()]
    nodes = [*first, *(node for part in parts for node in part.graph.node), *last]
    constants = [constant for part in parts for constant in part.graph.initializer]
    graph = helper.make_graph(nodes, name, given, said, constants)
    model = helper.make_model(
        graph, producer_name="recomposer-studio", opset_imports=like.opset_import, ir_version=like.ir_version
    )
    return bytes(model.SerializeToString())
