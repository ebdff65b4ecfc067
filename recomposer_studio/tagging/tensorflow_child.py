"""The two things that need TensorFlow, in a process of their own: it takes seconds to import and 650 MB to hold.

    python -m recomposer_studio.tagging.tensorflow_child resolve HANDLE FOLDER
    python -m recomposer_studio.tagging.tensorflow_child variables SAVEDMODEL FILE.npz

`resolve` downloads a model of TensorFlow Hub below FOLDER and prints where it lies. `variables` writes the variables of a
SavedModel by their names. Exit status 3: a package is not installed; 1: the last line of standard error says why.
"""

import os
import sys
from pathlib import Path
from typing import Any

NOT_INSTALLED = 3


def resolve(handle: str, folder: str) -> str:
    """Downloads a model through tensorflow-hub; returns its folder."""
    os.environ["TFHUB_CACHE_DIR"] = folder
    os.environ["TFHUB_MODEL_LOAD_FORMAT"] = "COMPRESSED"
    import tensorflow_hub

    return str(tensorflow_hub.resolve(handle))


def variables(folder: str, out: str) -> None:
    """Writes the variables of a SavedModel to an .npz file."""
    import numpy as np
    import tensorflow as tf
    from tensorflow.core.protobuf.trackable_object_graph_pb2 import TrackableObjectGraph

    checkpoint = tf.train.load_checkpoint(str(Path(folder) / "variables" / "variables"))
    # A checkpoint names its tensors by the attributes of objects ("_yamnet/layer_with_weights-3/..."); this table in
    # it has the variables' own names.
    graph = TrackableObjectGraph.FromString(checkpoint.get_tensor("_CHECKPOINTABLE_OBJECT_GRAPH"))
    found: dict[str, Any] = {}
    for node in graph.nodes:
        for attribute in node.attributes:
            values = checkpoint.get_tensor(attribute.checkpoint_key)
            if isinstance(values, np.ndarray):
                found[attribute.full_name or attribute.checkpoint_key] = values
    # A name with "/" in it becomes a member's path in the archive; it is read back by the same name.
    np.savez(out, **found)


def main(arguments: list[str]) -> int:
    """Runs one of the two."""
    try:
        if arguments[0] == "resolve":
            print(resolve(*arguments[1:]))
        else:
            variables(*arguments[1:])
    except ImportError as error:
        print(error, file=sys.stderr)
        return NOT_INSTALLED
    except Exception as error:  # TensorFlow has a class of its own for every kind of fault
        print(" ".join(f"{type(error).__name__}: {error}".split())[:300], file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
